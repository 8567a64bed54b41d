"""A limited host in virtual time, and clients that pull from it: seconds of a job cost no time.

The event loop's own clock jumps to the next timer whenever all tasks wait, so that the limiter, the
client and their concurrency are the real ones, and every figure is the same each time.
"""

from __future__ import annotations

import asyncio
import math
import selectors
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random
from typing import Any, TypeVar

from harness.config.ehr import Limits
from harness.errors import EhrUnreachable
from harness.http.client import HttpClient
from harness.http.evidence import Evidence
from harness.http.exchange import Headers, Request, Response
from harness.http.known import Known
from harness.http.limiter import HostLimiters
from harness.http.transport import Answer, NoAnswerError

T = TypeVar("T")

HOST = "ehr.example"
BASE = f"https://{HOST}/fhir"
START = datetime(2026, 3, 1, 12, 0, 20, tzinfo=UTC)


class _Jumping(selectors.DefaultSelector):
    """Where a loop would wait for a timer, its time jumps there."""

    jumped = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is not None:
            self.jumped += max(0.0, timeout)
        return super().select(0)


def run(job: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine in virtual time, from 0.0 on."""
    selector = _Jumping()
    loop = asyncio.SelectorEventLoop(selector)
    loop.time = lambda: selector.jumped  # type: ignore[method-assign]  # what makes it virtual
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(job())


class VirtualClock:
    """The clock of such a loop.

    Args:
        ahead: how far the wall is ahead of the host's.
        start: the host's time at 0.0.
    """

    def __init__(self, ahead: timedelta = timedelta(), start: datetime = START) -> None:
        self._start = start + ahead

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))

    async def elapse(self, seconds: float) -> None:
        await self.sleep(seconds)


@dataclass
class Host:
    """A host with limits; a transport.

    Attributes:
        rate: tokens a second of its bucket; None for no bucket.
        burst: what the bucket holds.
        per_minute: requests in each minute of its clock; None for any number.
        at_once: requests under way at a time; None for any number.
        hint: `seconds`, `date`, `absent`, or what `Retry-After` says.
        latency: seconds of an answer.
        queue: whether it works off one request after the other.
        says: of what is left, as headers; gets the remaining requests and seconds of the minute.
        body: of a refusal.
        start: its time at 0.0.
        ahead: how far the client's wall is ahead of its own.
        down: from when to when it takes no connection.
    """

    rate: float | None = None
    burst: float = 10.0
    per_minute: int | None = None
    at_once: int | None = None
    hint: str = "seconds"
    latency: float = 0.004
    queue: bool = False
    says: Callable[[float, float], dict[str, str]] | None = None
    body: bytes = b'{"resourceType":"OperationOutcome","issue":[{"code":"throttled"}]}'
    start: datetime = START
    ahead: timedelta = timedelta()
    down: tuple[float, float] = (0.0, 0.0)
    knocked: int = 0
    """How often it was asked while it was down."""
    seen: list[tuple[float, int]] = field(default_factory=list)
    """When requests came, and the status of their answers."""
    most_at_once: int = 0
    _chance: Random = field(default_factory=lambda: Random(7))
    _tokens: float = math.inf
    _filled: float = 0.0
    _in_minute: Counter[int] = field(default_factory=Counter)
    _under_way: int = 0
    _free_at: float = 0.0

    async def send(self, request: Request, *, max_bytes: int) -> Answer:
        del request, max_bytes
        clock, began = VirtualClock(start=self.start), VirtualClock(self.ahead, self.start)
        sent, at = began.now(), began.monotonic()
        if self.down[0] <= at < self.down[1]:
            self.knocked += 1
            raise NoAnswerError("refused", "connection refused")
        await asyncio.sleep(self.latency * self._chance.uniform(0.1, 0.4))
        self._under_way += 1
        self.most_at_once = max(self.most_at_once, self._under_way)
        try:
            now = clock.monotonic()
            wait = self._refuses(now, clock.now())
            self.seen.append((now, 200 if wait is None else 429))
            await self._work(now)
        finally:
            self._under_way -= 1
        headers = {"Date": format_datetime(clock.now(), usegmt=True), **self._left(clock.now())}
        if wait is not None:
            headers |= self._hint(wait, clock.now())
        status, body = (200, b"{}") if wait is None else (429, self.body)
        response = Response(status, Headers(tuple(headers.items())), body)
        return Answer(response, sent, clock.monotonic() - at)

    async def aclose(self) -> None:
        return None

    async def _work(self, now: float) -> None:
        takes = self.latency * self._chance.uniform(0.6, 1.2)
        if self.queue:
            self._free_at = max(self._free_at, now) + takes
            takes = self._free_at - now
        await asyncio.sleep(takes)

    def _refuses(self, now: float, wall: datetime) -> float | None:
        """Seconds until it would not; None where it lets the request through."""
        if self.at_once is not None and self._under_way > self.at_once:
            return self.latency
        minute = int(wall.timestamp() // 60)
        if self.per_minute is not None and self._in_minute[minute] >= self.per_minute:
            return (minute + 1) * 60 - wall.timestamp()
        if self.rate is not None:
            gained = (now - self._filled) * self.rate
            self._tokens, self._filled = min(self.burst, self._tokens + gained), now
            if self._tokens < 1:
                return (1 - self._tokens) / self.rate
            self._tokens -= 1
        self._in_minute[minute] += 1
        return None

    def _hint(self, wait: float, wall: datetime) -> dict[str, str]:
        whole = max(1, math.ceil(wait))
        if self.hint == "absent":
            return {}
        if self.hint == "seconds":
            return {"Retry-After": str(whole)}
        if self.hint == "date":
            moment = wall.replace(microsecond=0) + timedelta(seconds=whole + 1)
            return {"Retry-After": format_datetime(moment, usegmt=True)}
        return {"Retry-After": self.hint}

    def _left(self, wall: datetime) -> dict[str, str]:
        if self.says is None or self.per_minute is None:
            return {}
        left = self.per_minute - self._in_minute[int(wall.timestamp() // 60)]
        return self.says(left, 60 - wall.timestamp() % 60)

    @property
    def refused(self) -> int:
        """How many requests it refused."""
        return sum(status != 200 for _, status in self.seen)

    @property
    def seconds(self) -> float:
        """From the first request to the last that was let through."""
        return max(at for at, status in self.seen if status == 200) - self.seen[0][0]

    @property
    def by_minute(self) -> list[int]:
        """How many were let through in each minute of its clock."""
        return [self._in_minute[minute] for minute in sorted(self._in_minute)]


@dataclass(frozen=True)
class Pulled:
    """What a job got.

    Attributes:
        got: answers with status 200.
        known: what was learnt of the host.
        limiters: for more.
    """

    got: int
    known: Known
    limiters: HostLimiters


def pull(
    host: Host,
    requests: int,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    *,
    known: Known | None = None,
    workers: int | None = None,
) -> Pulled:
    """Ask so many times, as many at a time as is permitted; a request that fails is asked again."""

    async def job() -> Pulled:
        clock = VirtualClock(host.ahead, host.start)
        remembered = {HOST: known} if known is not None else None
        chance = Random(11).random
        limiters = HostLimiters(limits, clock, remembered=remembered, chance=chance, patient=True)
        http = HttpClient(
            base=BASE, evidence=Evidence(), limiter=limiters, clock=clock, transport=host
        )
        got, left = 0, requests

        async def work() -> None:
            nonlocal got, left
            while left > 0:
                left -= 1
                try:
                    answer = await http.get(f"{BASE}/Observation?patient=p{left}")
                except EhrUnreachable:
                    left += 1
                    continue
                got += answer.status == 200
                left += answer.status != 200

        async with asyncio.TaskGroup() as group:
            for _ in range(workers or limits.concurrency):
                group.create_task(work())
        return Pulled(got, limiters.of(HOST).known, limiters)

    return run(job)
