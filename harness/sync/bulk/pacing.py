"""When to ask again how an export stands: pure."""

from __future__ import annotations

FIRST, MOST = 1.0, 60.0
"""Seconds until the second look where the EHR names no time, and the most that it grows to."""

FLOOR, CAP = 0.5, 3600.0
"""An EHR's own hint counts between these: five hours were seen for jobs that took minutes."""

_DOUBLINGS = 10


def next_look(hint: float | None, polls: int) -> float:
    """Seconds until the next look.

    Args:
        hint: what the EHR asks for; None where it says nothing.
        polls: how often it was asked.
    """
    if hint is not None:
        return min(max(hint, FLOOR), CAP)
    return min(MOST, FIRST * 2.0 ** min(polls, _DOUBLINGS))
