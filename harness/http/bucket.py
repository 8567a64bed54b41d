"""What limit explains the answers that came: pure.

Which bucket of tokens would have let through what was let through, and refused what was refused?
A bucket holds so many tokens and gains so many a second; a request takes what it costs, or is
refused. Each single refusal fits many buckets, small fast ones and large slow ones; two refusals
after different histories leave few. Windows that slide look much like buckets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, inf, log
from typing import TypeAlias

USUAL = 0.25
"""Seconds of its rate that a bucket holds, where one refusal is all that is known."""

_Candidate: TypeAlias = tuple[float, float, float]
"""A rate, and the least and the most that its bucket may hold."""

_SLACKS = (1.0, 3.0)
"""Requests by which the order of arrival may differ from the order of sending; then more."""
_MOST_SECONDS = 5.0
"""Of its rate that a bucket may hold; what holds more is no bucket."""
_COARSE, _FINE = 48, 40
_LOWEST, _HIGHEST = 0.15, 1.1
_NARROW = 1.3
_NEAR = 0.5
_FEW = 5.0
_TOO_FEW = 8
"""Requests let through, from which nothing can be told."""


@dataclass(slots=True, eq=False)
class Turn:
    """A request as it was sent.

    Attributes:
        at: monotonic seconds.
        cost: what it counts for.
        refused: whether it was refused for load.
    """

    at: float
    cost: float = 1.0
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket that explains the answers.

    Attributes:
        rate: tokens a second that it gains.
        lowest: the slowest that explains them as well.
        highest: the fastest.
        burst: tokens that it holds.
    """

    rate: float
    lowest: float
    highest: float
    burst: float

    @property
    def is_certain(self) -> bool:
        """Whether the answers leave little choice."""
        return self.highest <= 1.05 * self.lowest


def explain(turns: Sequence[Turn], top: float, burst: float | None = None) -> Bucket | None:
    """The bucket that explains these answers; None where none does.

    Args:
        turns: in the order in which they were sent.
        top: the rate that was asked at when it was refused.
        burst: what the bucket holds, if that is known from earlier.
    """
    refused = sum(turn.refused for turn in turns)
    if not refused or len(turns) - refused < _TOO_FEW:
        return None
    rates, near = _spread(_LOWEST * top, _HIGHEST * top, _COARSE), top * _NEAR
    grids = (rates, _SLACKS[0]), (_spread(near, _HIGHEST * top, 2 * _COARSE), _SLACKS[0])
    tried = (_fitting(turns, *each) for each in (*grids, (rates, _SLACKS[1])))
    found = next(filter(None, tried), None)
    if not found:
        return None
    step = (_HIGHEST / _LOWEST) ** (1 / _COARSE)
    if found[-1][0] < _NARROW * found[0][0]:
        fine = _spread(found[0][0] / step, found[-1][0] * step, _FINE)
        found = _fitting(turns, fine, _SLACKS[0]) or found
    lowest, highest = found[0][0], found[-1][0]
    if highest < _NARROW * lowest:
        rate, least, most = found[len(found) // 2]
    else:
        rate, least, most = min(found, key=lambda each: _oddity(each, burst))
    return Bucket(rate, lowest, highest, max(least, min(most, least + 1.0)))


def _fitting(
    turns: Sequence[Turn], rates: Iterable[float], slack: float
) -> list[tuple[float, float, float]]:
    """Those rates that some bucket has, each with the least and the most that it may hold."""
    found = []
    for rate in rates:
        level, least, most, last = 0.0, 1.0, inf, turns[0].at
        for turn in turns:
            level = max(0.0, level - rate * (turn.at - last))
            last = turn.at
            if turn.refused:
                most = min(most, level + turn.cost)
            else:
                level += turn.cost
                least = max(least, level)
        if least < most + slack and least <= _MOST_SECONDS * rate + _FEW:
            found.append((rate, least, most))
    return found


def _oddity(candidate: _Candidate, burst: float | None) -> float:
    """How far a bucket is from holding what it is known to hold, or what buckets usually hold."""
    rate, least, most = candidate
    expected = burst or USUAL * rate
    return abs(log(max(least, min(most, expected)) / expected))


def _spread(low: float, high: float, number: int) -> list[float]:
    step = log(high / low) / number
    return [low * exp(step * each) for each in range(number + 1)]
