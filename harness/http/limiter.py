"""One limiter per EHR host, shared by everything that talks to it.

It paces, caps concurrency, holds the whole host back after a refusal or a silence, lets urgent
requests (token refresh, writes) overtake batch pulls, and learns what nobody configured.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from harness.config.ehr import Limits
from harness.errors import Throttled
from harness.http.allowance import allowance
from harness.http.breaker import Breaker
from harness.http.bucket import Turn
from harness.http.budget import Span, bounds, is_token_request
from harness.http.cap import LearntCap
from harness.http.clock import Clock
from harness.http.exchange import Headers, Request
from harness.http.hold import Hold
from harness.http.known import Known
from harness.http.line import Line
from harness.http.pace import Pace, Spent
from harness.http.refusal import Kind, Refusal
from harness.http.retry import http_date

_TOLERATED = 2
"""Requests in a row that may end in silence before all others wait for one that tries."""


@dataclass(slots=True)
class Counters:
    """What a limiter saw; `waited` is the sum over requests, in seconds."""

    sent: int = 0
    refused: int = 0
    waited: float = 0.0


@dataclass(slots=True, eq=False)
class Place(Turn):
    """The turn of one request, from its sending to its answer.

    Attributes:
        paced: whether pacing made it wait.
        under_way: requests under way with it.
        full: whether it took the last place.
        token: whether it asks for a token.
    """

    paced: bool = False
    under_way: int = 1
    full: bool = False
    token: bool = False


class HostLimiter:
    """Decides when the next request to one host may go. Belongs to one event loop.

    Args:
        limits: the EHR file's limits; without `requests_per_second` the rate is learnt, and a
            configured one is lowered by refusals and returns slowly.
        clock: both kinds of time, and waiting.
        known: what an earlier run learnt.
        spent: what earlier runs spent of the day's budget.
        chance: gives numbers from 0.0 to 1.0, for jitter.
        patient: whether requests wait for a host that has fallen silent, as those of a sync do;
            a run that judges says at once that nothing comes.
    """

    def __init__(
        self,
        limits: Limits,
        clock: Clock,
        *,
        known: Known = Known(),  # noqa: B008 - frozen
        spent: Spent | None = None,
        chance: Callable[[], float] = random.random,
        patient: bool = False,
    ) -> None:
        self.counters = Counters()
        self._limits = limits
        self._clock = clock
        self._pace = Pace(limits, clock.now(), known, spent)
        self._cap = LearntCap(limits.concurrency, known.concurrency or 0)
        self._hold = Hold(chance)
        self._breaker = Breaker(first=0.5, longest=8.0, tolerated=_TOLERATED)
        self._patient = patient
        self._closed_until = known.closed_until
        self._active = 0
        self._line = Line()

    @property
    def rate(self) -> float:
        """Requests per second as of now, configured or learnt, over a minute."""
        return self._pace.rate

    @property
    def concurrency(self) -> int:
        """Requests that may be under way at a time."""
        return self._cap.now

    @property
    def known(self) -> Known:
        """What is worth remembering."""
        fewer = self._cap.now if self._cap.now < self._limits.concurrency else None
        return replace(self._pace.known, concurrency=fewer, closed_until=self._closed_until)

    @property
    def spent(self) -> Spent | None:
        """What was spent of the day's budget; None where there is none."""
        return self._pace.spent

    @asynccontextmanager
    async def slot(
        self, request: Request | None = None, *, urgent: bool = False
    ) -> AsyncIterator[Place]:
        """Wait for the turn of one request; hold its place while it is under way.

        Args:
            request: tells what it counts for; None counts for one.
            urgent: overtakes.

        Raises:
            Throttled: the day's budget is spent; or the host said to come back tomorrow, which
                is meant for queries, so that writes and token refreshes are let through.
        """
        asked = self._clock.monotonic()
        place = await self._acquire(self._pace.cost(request), urgent=urgent)
        place.token = request is not None and is_token_request(request)
        self.counters.waited += place.at - asked
        self.counters.sent += 1
        try:
            yield place
        finally:
            self._active -= 1
            self._line.wake_first()

    def answered(self, place: Place, headers: Headers, sent: datetime) -> None:
        """A request was answered without a refusal: heed what its answer says is left.

        Args:
            place: of the request.
            headers: of the answer.
            sent: when the request went out.
        """
        now, wall = self._clock.monotonic(), self._clock.now()
        self._breaker.answered()
        self._hear(headers, sent, wall)
        self._hold.let_through(place.at)
        self._pace.let_through(now, wall, paced=place.paced)
        self._cap.answered(now, full=place.full)
        left = allowance(headers, wall)
        if left is not None:
            self._pace.heed(left, now)

    def refused(self, place: Place, refusal: Refusal, headers: Headers, sent: datetime) -> None:
        """A request was refused: count it, and hold back everybody for as long as that helps."""
        now, wall = self._clock.monotonic(), self._clock.now()
        self.counters.refused += 1
        self._breaker.answered()
        self._hear(headers, sent, wall)
        match refusal.kind:
            case Kind.JOB:
                return
            case Kind.DAY:
                self._closed_until = bounds(wall, Span.DAY, self._limits.day_zone)[1]
                return
            case Kind.CONCURRENCY:
                self._cap.refused(place.at, place.under_way, now)
        self._hold.refused(place.at, now)
        rate = self._pace.rate
        if refusal.kind is Kind.LOAD and not place.token:
            self._pace.refused(place, now, wall)
        if refusal.seconds is not None and refusal.seconds > self._limits.max_retry_after:
            return
        blocked = refusal.kind is Kind.LOAD and self._hold.is_blocked(now, rate)
        turn = self._pace.until_turn(wall, refusal.seconds, blocked=blocked)
        wait = self._hold.wait(refusal.seconds) if turn is None else turn
        self.pause(now + wait)

    def unanswered(self) -> None:
        """A request brought no answer: after some in a row all wait for one that tries."""
        if not self._patient:
            return
        self._breaker.unanswered(self._clock.monotonic())
        if self._breaker.is_open:
            self.pause(self._breaker.until)

    def pause(self, until: float) -> None:
        """Let nothing go before `until` (monotonic seconds); never shortens a pause."""
        self._hold.pause(until)

    def _hear(self, headers: Headers, sent: datetime, got: datetime) -> None:
        date = http_date(headers.get("Date"))
        if date is not None:
            self._pace.skew.heard(date, sent, got)

    def _places(self, *, urgent: bool) -> int:
        """How many may be under way: one, while it is unknown whether anything goes."""
        if self._hold.is_testing or self._breaker.is_open:
            return 1
        return self._cap.places(urgent=urgent)

    async def _acquire(self, cost: float, *, urgent: bool) -> Place:
        """Wait for the turn."""
        waiter = self._line.join(urgent=urgent)
        paced = False
        try:
            while True:
                places = self._places(urgent=urgent)
                if self._line.first() is not waiter or self._active >= places:
                    await waiter.wait()
                    continue
                now, wall = self._clock.monotonic(), self._clock.now()
                if not urgent:
                    self._check_open(wall)
                delay = self._pace.delay(now, wall, cost, urgent=urgent)
                delay = max(delay, self._hold.until - now)
                if delay <= 0:
                    self._active += 1
                    full = self._active >= places
                    place = Place(now, cost, paced=paced, under_way=self._active, full=full)
                    self._pace.take(place, wall)
                    return place
                paced = True
                await self._clock.sleep(delay)
        finally:
            self._line.leave(waiter)

    def _check_open(self, wall: datetime) -> None:
        if self._closed_until is None:
            return
        if wall >= self._closed_until:
            self._closed_until = None
            return
        wait = (self._closed_until - wall).total_seconds()
        raise Throttled(
            f"the EHR said to come back tomorrow; that is in {wait / 3600:.1f} h", retry_after=wait
        )


class HostLimiters:
    """A `HostLimiter` for each host, made when first asked for.

    Args:
        limits: apply to each host alike.
        clock: shared by all.
        remembered: what earlier runs learnt, by host.
        spent: what earlier runs spent of a day's budget, by host.
        chance: gives numbers from 0.0 to 1.0, for jitter.
        patient: whether requests wait for a host that has fallen silent.
    """

    def __init__(
        self,
        limits: Limits,
        clock: Clock,
        *,
        remembered: Mapping[str, Known] | None = None,
        spent: Mapping[str, Spent] | None = None,
        chance: Callable[[], float] = random.random,
        patient: bool = False,
    ) -> None:
        self.limits = limits
        self._clock = clock
        self._remembered = remembered or {}
        self._spent = spent or {}
        self._chance = chance
        self._patient = patient
        self._by_host: dict[str, HostLimiter] = {}

    def of(self, host: str) -> HostLimiter:
        """The limiter of `host` (name, and port where it is not the default)."""
        if host not in self._by_host:
            self._by_host[host] = HostLimiter(
                self.limits,
                self._clock,
                known=self._remembered.get(host, Known()),
                spent=self._spent.get(host),
                chance=self._chance,
                patient=self._patient,
            )
        return self._by_host[host]

    def rates(self) -> dict[str, Known]:
        """What was learnt of the pace of each host as of now, to be remembered."""
        return {host: each.known for host, each in self._by_host.items()}

    def spent(self) -> dict[str, Spent]:
        """What was spent of each host's budget of the day, to be remembered."""
        return {h: each.spent for h, each in self._by_host.items() if each.spent is not None}

    def counters(self) -> dict[str, Counters]:
        """What each host's limiter saw."""
        return {host: each.counters for host, each in self._by_host.items()}
