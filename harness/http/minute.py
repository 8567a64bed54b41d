"""A budget of the calendar minute that nobody told of: found by running into it. Pure.

eClinicalWorks lets 250 requests through in each minute of the clock, refuses all others until it
turns, and says nothing of when to come back. What was let through from the turn of a minute to the
first refusal is the budget; it is kept from then on, so that the next minutes see no refusal.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from harness.http.budget import Span, bounds

_TRY_MORE_AFTER = 15
"""Minutes without a refusal, each used to its end."""
_MORE = 1.1
_SAME = 0.05
_FULL = 0.95
_ON_THE_TURN = 1.5
_LONG_WAIT = 3.0


@dataclass(slots=True)
class LearntMinute:
    """The budget of a host's minute.

    Attributes:
        limit: requests per calendar minute; None as long as none was found.
    """

    limit: float | None = None
    _certain: bool = False
    _suspected: bool = False
    _begun: datetime | None = None
    _let_through: float = 0.0
    _before: float = 0.0
    _whole: bool = False
    _waited_for: datetime | None = None
    _used_up: int = 0

    @classmethod
    def known(cls, limit: float | None) -> LearntMinute:
        """One that an earlier run found."""
        return cls(limit, _certain=limit is not None)

    @property
    def is_active(self) -> bool:
        """Whether the host counts by the minute."""
        return self.limit is not None

    def delay(self, wall: datetime, cost: float, *, reserve: float = 0.0) -> float:
        """Seconds until a request of `cost` may go; `reserve`: share that is kept for others."""
        self._turn(wall)
        if self.limit is None or not self._certain:
            return 0.0
        allowed = self.limit * (_MORE if self._used_up >= _TRY_MORE_AFTER else 1.0)
        if self._let_through + cost <= allowed - int(reserve * allowed) or not self._let_through:
            return 0.0
        return self.wait(wall)

    def wait(self, wall: datetime) -> float:
        """Seconds until the minute turns; what goes then is counted from the turn on."""
        _, end = bounds(wall, Span.MINUTE, "UTC")
        self._waited_for = end
        return (end - wall).total_seconds()

    def take(self, wall: datetime, cost: float) -> None:
        """Count a request that goes now."""
        self._turn(wall)
        self._let_through += cost

    def suspect(self) -> None:
        """All is refused, as if until the minute turns."""
        self._suspected = True

    def points_at_turn(self, wall: datetime, seconds: float) -> bool:
        """Whether a wait that the host asks for ends where the minute turns."""
        _, end = bounds(wall, Span.MINUTE, "UTC")
        left = (end - wall).total_seconds()
        return seconds >= _LONG_WAIT and abs(seconds - left) <= _ON_THE_TURN

    def refused(self, wall: datetime, cost: float) -> None:
        """A request that was counted in this minute was refused."""
        self._turn(wall)
        self._let_through = max(0.0, self._let_through - cost)
        if self.limit is None or not self._let_through:
            return
        # Others may have had their share: a budget that was sure, and is missed, is found anew.
        agrees = abs(self._let_through - self.limit) <= _SAME * self.limit
        self._certain = self._whole and (agrees or not self._certain)
        self.limit, self._used_up = self._let_through, 0

    def let_through(self, wall: datetime) -> None:
        """A request was not refused; after a wait for the turn that proves what was suspected."""
        self._turn(wall)
        if self._suspected and self._whole:
            self._suspected = False
            self.limit = self.limit or self._before or None

    def _turn(self, wall: datetime) -> None:
        begin, _ = bounds(wall, Span.MINUTE, "UTC")
        if begin == self._begun:
            return
        full = self.limit is not None and self._let_through >= _FULL * self.limit
        self._used_up = self._used_up + 1 if full else 0
        self._begun, self._before, self._let_through = begin, self._let_through, 0.0
        self._whole = self._waited_for == begin
