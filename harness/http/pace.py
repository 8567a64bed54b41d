"""How fast one host may be asked, from all that is known: pure, both clocks are passed in.

The configured rate by the hour, lowered by refusals and recovered; a rate that is learnt where none
is configured; budgets of the calendar minute and day; what the server says is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from harness.config.ehr import Limits
from harness.errors import Throttled
from harness.http.allowance import Allowance
from harness.http.bucket import Turn
from harness.http.budget import Span, Window, bounds, cost_of, per_minute_at, rate_at
from harness.http.exchange import Request
from harness.http.known import Known
from harness.http.minute import LearntMinute
from harness.http.pacing import Gcra, LearntRate
from harness.http.skew import Skew

FLOOR = 0.2
"""Requests per second that refusals do not go below, unless less is configured."""

SHORTEST = 10.0
"""Seconds in which the budget of a minute is spent at the soonest, where no rate is configured."""

RESERVE = 0.02
"""Share of a budget that batch pulls leave to what is urgent."""

EDGE = 0.05
"""Seconds before the turn of a minute in which nothing is sent: it may arrive after the turn."""

_OF_WHAT_IS_LEFT = 0.9
"""How much of what a host says that it permits is made use of to begin with: others ask too."""


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
        known: what earlier runs learnt; of the rate only if none is configured.
        spent: what earlier runs spent of the day's budget.
    """

    def __init__(
        self,
        limits: Limits,
        wall: datetime,
        known: Known = Known(),  # noqa: B008 - frozen
        spent: Spent | None = None,
    ) -> None:
        self.skew = Skew()
        self._limits = limits
        self._learnt_at: dict[float | None, LearntRate] = {None: _from(known)}
        self._learnt = self._at(rate_at(limits, wall))
        self._gcra = Gcra(self._learnt.rate, limits.burst)
        self._minute = Window(0.0, Span.MINUTE)
        self._found_minute = LearntMinute.known(known.per_minute)
        self._day = None
        if limits.per_day is not None:
            self._day = Window(limits.per_day, Span.DAY, limits.day_zone)
            if spent is not None:
                self._day.begun, self._day.spent = spent.begun, spent.amount
        self._heeded: float | None = None
        self._heeded_until = float("-inf")

    @property
    def rate(self) -> float:
        """Requests per second as of now, over a minute."""
        per_minute = self._limits.per_minute or self._found_minute.limit
        return self._learnt.rate if per_minute is None else min(self._learnt.rate, per_minute / 60)

    @property
    def is_by_minute(self) -> bool:
        """Whether the host counts by the minute of the clock, as configured or as found."""
        return self._limits.per_minute is not None or self._found_minute.is_active

    @property
    def known(self) -> Known:
        """What is worth remembering: of a configured rate nothing."""
        learnt = self._learnt_at[None]
        return Known(
            rate=learnt.rate,
            settled=learnt.is_settled,
            burst=learnt.burst,
            per_minute=self._found_minute.limit,
        )

    @property
    def spent(self) -> Spent | None:
        """What was spent of the day's budget; None where there is none, or nothing was."""
        if self._day is None or self._day.begun is None:
            return None
        return Spent(self._day.begun, self._day.spent)

    def cost(self, request: Request | None) -> float:
        """What a request counts for."""
        return 1.0 if request is None else cost_of(request, self._limits.costs)

    def delay(self, now: float, wall: datetime, cost: float, *, urgent: bool = False) -> float:
        """Seconds until a request of `cost` may go; 0.0 when it may go now.

        Args:
            now: monotonic seconds.
            wall: the time of day.
            cost: of the request.
            urgent: may make use of what budgets keep back.

        Raises:
            Throttled: the day's budget is spent; it says for how long.
        """
        self._follow(now, wall)
        reserve = 0.0 if urgent else RESERVE
        if self._day is not None and (wait := self._day.delay(wall, cost, reserve=reserve)):
            raise Throttled(
                f"the day's budget of {self._day.limit:g} (limits.per_day) is spent;"
                f" it begins anew in {wait / 3600:.1f} h",
                retry_after=wait,
            )
        return max(self._gcra.delay(now), self._held(now), self._in_minute(wall, cost, reserve))

    def take(self, turn: Turn, wall: datetime) -> None:
        """Count a request that goes now; call it only when `delay` is 0.0."""
        self._gcra.take(turn.at, turn.cost)
        self._learnt.sent(turn)
        self._minute.take(self._theirs(wall), turn.cost)
        self._found_minute.take(self._theirs(wall), turn.cost)
        if self._day is not None:
            self._day.take(wall, turn.cost)

    def let_through(self, now: float, wall: datetime, *, paced: bool) -> None:
        """A request was not refused; `paced`: it had to wait for its turn."""
        self._found_minute.let_through(self._theirs(wall))
        if paced:
            self._learnt.succeeded(now)

    def refused(self, turn: Turn, now: float, wall: datetime) -> None:
        """A request was refused for load."""
        turn.refused = True
        self._found_minute.refused(self._theirs(wall), turn.cost)
        if not self._found_minute.is_active:
            self._learnt.refused(now)

    def until_turn(self, wall: datetime, hint: float | None, *, blocked: bool) -> float | None:
        """Seconds until the minute turns, where the refusal that just came ends then; else None.

        Args:
            wall: the time of day.
            hint: what the refusal asks to wait.
            blocked: whether everything was refused for a while.
        """
        theirs, minute = self._theirs(wall), self._found_minute
        if hint is None and self.is_by_minute:
            return minute.wait(theirs)
        indicated = blocked if hint is None else minute.points_at_turn(theirs, hint)
        if self.is_by_minute or not indicated:
            return None
        minute.suspect()
        self._learnt.forget_refusal()
        left = minute.wait(theirs)
        return left if hint is None else None

    def heed(self, left: Allowance, now: float) -> None:
        """Spread what is left over its time; with nothing left, wait for the reset.

        A wait beyond `limits.max_retry_after` is not sat out here: the refusal that follows tells
        it, and ends the run.
        """
        if left.seconds > self._limits.max_retry_after and left.remaining <= 0:
            return
        self._heeded = left.remaining / left.seconds
        self._heeded_until = now + left.seconds
        self._learnt.told(_OF_WHAT_IS_LEFT * self._heeded)

    def _held(self, now: float) -> float:
        """Seconds to wait because the server said that nothing is left."""
        return max(0.0, self._heeded_until - now) if self._heeded == 0 else 0.0

    def _in_minute(self, wall: datetime, cost: float, reserve: float) -> float:
        """Seconds to wait because the budget of the minute is spent, or its end too near."""
        limit = per_minute_at(self._limits, wall)
        if limit is None and not self._found_minute.is_active:
            return 0.0
        theirs = self._theirs(wall)
        left = (bounds(theirs, Span.MINUTE, "UTC")[1] - theirs).total_seconds()
        if left < EDGE:
            return left
        if limit is None:
            return self._found_minute.delay(theirs, cost, reserve=reserve)
        self._minute.limit = limit
        return self._minute.delay(theirs, cost, reserve=reserve)

    def _theirs(self, wall: datetime) -> datetime:
        """The server's time of day."""
        return wall + self.skew.of_server

    def _follow(self, now: float, wall: datetime) -> None:
        """Let the rate follow the hour of the day and what the server says is left."""
        configured = rate_at(self._limits, wall)
        self._learnt = self._at(configured)
        if now >= self._heeded_until:
            self._heeded = None
        rates = [self._learnt.rate, self._heeded or self._learnt.rate]
        per_minute = per_minute_at(self._limits, wall) or self._found_minute.limit
        if configured is None and per_minute is not None:
            rates.append(per_minute / SHORTEST)
        self._gcra.rate = min(rates)
        unrefused = configured is not None and self._learnt.burst is None
        most = self._limits.burst
        self._gcra.burst = most if unrefused else self._learnt.at_once(most)

    def _at(self, configured: float | None) -> LearntRate:
        """What was learnt in hours with this rate."""
        if configured not in self._learnt_at and configured is not None:
            floor = min(FLOOR, configured)
            self._learnt_at[configured] = LearntRate.settled(configured, floor, configured)
        return self._learnt_at[configured]


def _from(known: Known) -> LearntRate:
    if known.rate is None:
        return LearntRate(floor=FLOOR)
    if not known.settled:
        return LearntRate(known.rate, FLOOR)
    return LearntRate.settled(known.rate, FLOOR, LearntRate().ceiling, known.burst)
