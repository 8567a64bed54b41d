"""How fast one host may be asked, from all that is known: pure, both clocks are passed in.

The configured rate by the hour, lowered by refusals and slowly recovered; a rate that is learnt
where none is configured; budgets of the calendar minute and day; what the server says is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from harness.config.ehr import Limits
from harness.errors import Throttled
from harness.http.allowance import Allowance
from harness.http.budget import Span, Window, cost_of, per_minute_at, rate_at
from harness.http.exchange import Request
from harness.http.pacing import Gcra, LearntRate

FLOOR = 0.2
"""Requests per second that refusals do not go below, unless less is configured."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What was spent of the budget of the day that began at `begun` (UTC)."""

    begun: datetime
    amount: float


class Pace:
    """The pace of one host.

    Args:
        limits: of the EHR file.
        wall: the time of day now.
        remembered: where learning starts, if no rate is configured.
        spent: what earlier runs spent of the day's budget.
    """

    def __init__(
        self, limits: Limits, wall: datetime, remembered: float | None, spent: Spent | None
    ) -> None:
        self._limits = limits
        configured = rate_at(limits, wall)
        if configured is not None:
            self._learnt = LearntRate(configured, min(FLOOR, configured), configured)
        else:
            self._learnt = LearntRate(remembered) if remembered else LearntRate()
        self._highest = self._learnt.ceiling if configured is None else LearntRate().ceiling
        self._gcra = Gcra(self._learnt.rate, limits.burst)
        self._minute = Window(0.0, Span.MINUTE)
        self._day = None
        if limits.per_day is not None:
            self._day = Window(limits.per_day, Span.DAY, limits.day_zone)
            if spent is not None:
                self._day.begun, self._day.spent = spent.begun, spent.amount
        self._heeded: float | None = None
        self._heeded_until = float("-inf")

    @property
    def rate(self) -> float:
        """Requests per second as of now."""
        return self._learnt.rate

    @property
    def spent(self) -> Spent | None:
        """What was spent of the day's budget; None where there is none, or nothing was."""
        if self._day is None or self._day.begun is None:
            return None
        return Spent(self._day.begun, self._day.spent)

    def cost(self, request: Request | None) -> float:
        """What a request counts for."""
        return 1.0 if request is None else cost_of(request, self._limits.costs)

    def delay(self, now: float, wall: datetime, cost: float) -> float:
        """Seconds until a request of `cost` may go; 0.0 when it may go now.

        Raises:
            Throttled: the day's budget is spent; it says for how long.
        """
        self._follow(now, wall)
        if self._day is not None and (wait := self._day.delay(wall, cost)):
            raise Throttled(
                f"the day's budget of {self._day.limit:g} (limits.per_day) is spent;"
                f" it begins anew in {wait / 3600:.1f} h",
                retry_after=wait,
            )
        return max(self._gcra.delay(now), self._held(now), self._in_minute(wall, cost))

    def take(self, now: float, wall: datetime, cost: float) -> None:
        """Count a request that goes now; call it only when `delay` is 0.0."""
        self._gcra.take(now, cost)
        self._minute.take(wall, cost)
        if self._day is not None:
            self._day.take(wall, cost)

    def succeeded(self) -> None:
        """A paced request was answered without a refusal: the rate returns, never above its top."""
        self._learnt.succeeded()

    def refused(self, now: float) -> None:
        """A request was refused for load."""
        self._learnt.refused(now)
        self._gcra.rate = self._learnt.rate

    def heed(self, left: Allowance, now: float) -> None:
        """Spread what is left over its time; with nothing left, wait for the reset.

        A wait beyond `limits.max_retry_after` is not sat out here: the refusal that follows tells
        it, and ends the run.
        """
        if left.seconds > self._limits.max_retry_after and left.remaining <= 0:
            return
        self._heeded = left.remaining / left.seconds
        self._heeded_until = now + left.seconds

    def _held(self, now: float) -> float:
        """Seconds to wait because the server said that nothing is left."""
        return max(0.0, self._heeded_until - now) if self._heeded == 0 else 0.0

    def _in_minute(self, wall: datetime, cost: float) -> float:
        limit = per_minute_at(self._limits, wall)
        if limit is None:
            return 0.0
        self._minute.limit = limit
        return self._minute.delay(wall, cost)

    def _follow(self, now: float, wall: datetime) -> None:
        """Let the rate follow the hour of the day and what the server says is left."""
        configured = rate_at(self._limits, wall)
        self._learnt.ceiling = self._highest if configured is None else configured
        self._learnt.rate = min(self._learnt.rate, self._learnt.ceiling)
        if now >= self._heeded_until:
            self._heeded = None
        self._gcra.rate = min(self._learnt.rate, self._heeded or self._learnt.rate)
