"""One limiter per EHR host, shared by everything that talks to it.

It paces, caps concurrency, holds the whole host back after a refusal, lets urgent requests (token
refresh, writes) overtake batch pulls, and learns the rate where none is configured.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count

import anyio

from harness.config.ehr import Limits
from harness.http.allowance import allowance
from harness.http.clock import Clock
from harness.http.exchange import Headers, Request
from harness.http.pace import Pace, Spent


@dataclass(slots=True)
class Counters:
    """What a limiter saw; `waited` is the sum over requests, in seconds."""

    sent: int = 0
    refused: int = 0
    waited: float = 0.0


@dataclass(order=True, slots=True)
class _Waiter:
    rank: tuple[int, int]
    woken: anyio.Event = field(compare=False)
    gone: bool = field(default=False, compare=False)


class HostLimiter:
    """Decides when the next request to one host may go. Belongs to one event loop.

    Args:
        limits: the EHR file's limits; without `requests_per_second` the rate is learnt, and a
            configured one is lowered by refusals and returns slowly.
        clock: monotonic seconds and waiting.
        remembered_rate: where learning starts: the rate that an earlier run ended with.
        spent: what earlier runs spent of the day's budget.
    """

    def __init__(
        self,
        limits: Limits,
        clock: Clock,
        *,
        remembered_rate: float | None = None,
        spent: Spent | None = None,
    ) -> None:
        self.counters = Counters()
        self._clock = clock
        self._concurrency = limits.concurrency
        self._pace = Pace(limits, clock.now(), remembered_rate, spent)
        self._paused_until = float("-inf")
        self._active = 0
        self._queue: list[_Waiter] = []
        self._order = count()

    @property
    def rate(self) -> float | None:
        """Requests per second as of now, configured or learnt; worth remembering if learnt."""
        return self._pace.rate

    @property
    def spent(self) -> Spent | None:
        """What was spent of the day's budget; None where there is none."""
        return self._pace.spent

    @asynccontextmanager
    async def slot(
        self, request: Request | None = None, *, urgent: bool = False
    ) -> AsyncIterator[None]:
        """Wait for the turn of one request; hold its place while it is under way.

        Args:
            request: tells what it counts for; None counts for one.
            urgent: overtakes.

        Raises:
            Throttled: the day's budget is spent.
        """
        asked = self._clock.monotonic()
        paced = await self._acquire(self._pace.cost(request), urgent=urgent)
        self.counters.waited += self._clock.monotonic() - asked
        self.counters.sent += 1
        refusals = self.counters.refused
        try:
            yield
            if paced and self.counters.refused == refusals:
                self._pace.succeeded()
        finally:
            self._active -= 1
            self._wake_first()

    def refused(self, seconds: float = 0.0) -> None:
        """The host refused for load: count it, slow down, and pause everybody for `seconds`."""
        now = self._clock.monotonic()
        self.counters.refused += 1
        self._pace.refused(now)
        self.pause(now + seconds)

    def heed(self, headers: Headers) -> None:
        """Slow down by what an answer says is left, before anything is refused."""
        left = allowance(headers, self._clock.now())
        if left is not None:
            self._pace.heed(left, self._clock.monotonic())

    def pause(self, until: float) -> None:
        """Let nothing go before `until` (monotonic seconds); never shortens a pause."""
        self._paused_until = max(self._paused_until, until)

    async def _acquire(self, cost: float, *, urgent: bool) -> bool:
        """Wait for the turn; whether pacing made it wait."""
        waiter = _Waiter((0 if urgent else 1, next(self._order)), anyio.Event())
        heappush(self._queue, waiter)
        paced = False
        try:
            while True:
                waiter.woken = anyio.Event()
                if self._first() is not waiter or self._active >= self._concurrency:
                    await waiter.woken.wait()
                    continue
                now = self._clock.monotonic()
                wall = self._clock.now()
                delay = max(self._pace.delay(now, wall, cost), self._paused_until - now)
                if delay <= 0:
                    self._pace.take(now, wall, cost)
                    self._active += 1
                    return paced
                paced = True
                await self._clock.sleep(delay)
        finally:
            waiter.gone = True
            self._wake_first()

    def _first(self) -> _Waiter | None:
        while self._queue and self._queue[0].gone:
            heappop(self._queue)
        return self._queue[0] if self._queue else None

    def _wake_first(self) -> None:
        if first := self._first():
            first.woken.set()


class HostLimiters:
    """A `HostLimiter` for each host, made when first asked for.

    Args:
        limits: apply to each host alike.
        clock: shared by all.
        remembered: learnt rates of earlier runs by host.
        spent: what earlier runs spent of a day's budget, by host.
    """

    def __init__(
        self,
        limits: Limits,
        clock: Clock,
        *,
        remembered: Mapping[str, float] | None = None,
        spent: Mapping[str, Spent] | None = None,
    ) -> None:
        self.limits = limits
        self._clock = clock
        self._remembered = remembered or {}
        self._spent = spent or {}
        self._by_host: dict[str, HostLimiter] = {}

    def of(self, host: str) -> HostLimiter:
        """The limiter of `host` (name, and port where it is not the default)."""
        if host not in self._by_host:
            self._by_host[host] = HostLimiter(
                self.limits,
                self._clock,
                remembered_rate=self._remembered.get(host),
                spent=self._spent.get(host),
            )
        return self._by_host[host]

    def rates(self) -> dict[str, float]:
        """The rate of each host as of now, to be remembered."""
        return {h: each.rate for h, each in self._by_host.items() if each.rate is not None}

    def spent(self) -> dict[str, Spent]:
        """What was spent of each host's budget of the day, to be remembered."""
        return {h: each.spent for h, each in self._by_host.items() if each.spent is not None}

    def counters(self) -> dict[str, Counters]:
        """What each host's limiter saw."""
        return {host: each.counters for host, each in self._by_host.items()}
