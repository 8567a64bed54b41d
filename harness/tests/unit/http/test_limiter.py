from functools import partial
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from harness.config.ehr import Limits
from harness.http.clock import ManualClock
from harness.http.limiter import HostLimiter, HostLimiters
from harness.http.transport import Bounds


def limiter(clock: ManualClock, **limits: Any) -> HostLimiter:
    return HostLimiter(Limits(**{"requests_per_second": 10.0, "burst": 1, **limits}), clock)


def test_requests_are_paced() -> None:
    clock = ManualClock()

    async def main() -> Any:
        host = limiter(clock)
        for _ in range(11):
            async with host.slot():
                pass
        return host

    host = anyio.run(main)
    assert clock.monotonic() == pytest.approx(1.0)
    assert host.counters.sent == 11
    assert host.counters.waited == pytest.approx(1.0)


def test_no_more_requests_than_allowed_are_under_way() -> None:
    async def main() -> Any:
        host = limiter(ManualClock(), concurrency=3, burst=100)
        active, most = 0, 0

        async def one() -> None:
            nonlocal active, most
            async with host.slot():
                active += 1
                most = max(most, active)
                await anyio.lowlevel.checkpoint()
                active -= 1

        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(one)
        return most

    assert anyio.run(main) == 3


def test_urgent_requests_overtake_those_that_wait() -> None:
    async def main() -> Any:
        host, order = limiter(ManualClock(), concurrency=1, burst=100), []

        async def one(name: str, *, urgent: bool) -> None:
            async with host.slot(urgent=urgent):
                order.append(name)
                await anyio.lowlevel.checkpoint()

        async with anyio.create_task_group() as group:
            for name in ("pull-1", "pull-2", "pull-3"):
                group.start_soon(partial(one, name, urgent=False))
            await anyio.lowlevel.checkpoint()
            group.start_soon(partial(one, "refresh", urgent=True))
        return order

    assert anyio.run(main) == ["pull-1", "refresh", "pull-2", "pull-3"]


def test_a_refusal_holds_back_everybody_and_never_shortens_a_pause() -> None:
    clock = ManualClock()

    async def main() -> Any:
        host = limiter(clock, burst=100)
        host.refused(20.0)
        host.refused(5.0)
        async with host.slot():
            return clock.monotonic()

    assert anyio.run(main) == pytest.approx(20.0)


def test_a_cancelled_waiter_gives_its_place_to_the_next() -> None:
    async def main() -> Any:
        host, got = limiter(ManualClock(), concurrency=1, burst=100), []

        async def one(name: str) -> None:
            async with host.slot():
                got.append(name)

        async with anyio.create_task_group() as group, host.slot():
            with anyio.CancelScope() as gives_up:
                gives_up.cancel()
                await one("cancelled")
            group.start_soon(one, "next")
            await anyio.lowlevel.checkpoint()
        return got

    assert anyio.run(main) == ["next"]


def test_an_unknown_rate_is_learnt_and_can_be_remembered() -> None:
    async def main() -> Any:
        limiters = HostLimiters(Limits(), ManualClock(), remembered={"ehr.example": 20.0})
        host = limiters.of("ehr.example")
        assert host is limiters.of("ehr.example")
        start = host.rate
        for _ in range(50):
            async with host.slot():
                pass
        grown = host.rate
        host.refused()
        return start, grown, host.rate, limiters.rates()

    start, grown, cut, rates = anyio.run(main)
    assert start == 20.0
    assert grown > start
    assert cut < grown
    assert rates == {"ehr.example": cut}


def test_no_part_of_an_answer_may_take_longer_than_the_whole() -> None:
    bounds = Bounds.of(Limits(connect_timeout=2.0, read_timeout=9.0, total_timeout=5.0))
    assert (bounds.connect, bounds.read, bounds.total) == (2.0, 5.0, 5.0)
    assert Bounds.of(Limits()) == Bounds()
