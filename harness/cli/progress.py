"""The line that follows a sync: how far, how fast, how fast it may be, and how long yet."""

from __future__ import annotations

from harness.sync.standing import Progress
from harness.sync.telling import span

SETTLED = 10.0
"""Seconds after which the rate so far tells more than the rate that is permitted."""


def line(now: Progress, seconds: float) -> str:
    """How a run stands after so many seconds, for a terminal."""
    rate = now.requests / max(seconds, 0.001)
    permitted = "" if now.permitted is None else f" of {now.permitted:.1f} permitted"
    left = remaining(now, seconds)
    parts = [
        f"{now.done:,} of {now.queries:,} queries of {now.patients:,} patients",
        f"{rate:.1f}/s{permitted}",
        f"{now.refusals:,} refused",
        "" if left is None else f"about {span(left)} left",
    ]
    return ", ".join(filter(None, parts))


def remaining(now: Progress, seconds: float) -> float | None:
    """Seconds that the rest may take; None while nothing tells.

    Queries that ended tell how many requests one takes. How fast they go is told by what the run
    has achieved, and in its first seconds by what is permitted.
    """
    if not now.done or not now.queries:
        return None
    achieved = now.requests / max(seconds, 0.001)
    rate = now.permitted if now.permitted and seconds < SETTLED else achieved
    return max(0, now.queries - now.done) * (now.requests / now.done) / rate if rate else None
