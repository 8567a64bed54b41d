from datetime import UTC, datetime
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from harness.config.ehr import Limits
from harness.errors import Throttled
from harness.http.clock import ManualClock
from harness.http.exchange import Headers, Request
from harness.http.known import Known
from harness.http.limiter import HostLimiter, HostLimiters, Place
from harness.http.refusal import Kind, Refusal
from harness.http.transport import Bounds


def limiter(clock: ManualClock, **limits: Any) -> HostLimiter:
    limits = {"requests_per_second": 10.0, "burst": 1, **limits}
    return HostLimiter(Limits(**limits), clock, chance=lambda: 0.0, patient=True)


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


def refuse(host: HostLimiter, place: Place, clock: ManualClock, **refusal: Any) -> None:
    host.refused(place, Refusal(**refusal), Headers(()), clock.now())


def test_a_refusal_holds_back_everybody_and_never_shortens_a_pause() -> None:
    clock = ManualClock()

    async def main() -> Any:
        host = limiter(clock, burst=100)
        async with host.slot() as place:
            refuse(host, place, clock, seconds=20.0)
            refuse(host, place, clock, seconds=5.0)
        async with host.slot():
            return clock.monotonic()

    assert anyio.run(main) == pytest.approx(20.0)


def test_chance_spreads_those_who_were_told_to_come_back_together() -> None:
    clock = ManualClock()

    async def main() -> Any:
        host = HostLimiter(Limits(requests_per_second=10.0), clock, chance=lambda: 0.5)
        async with host.slot() as place:
            refuse(host, place, clock, seconds=10.0)
        async with host.slot():
            return clock.monotonic()

    assert anyio.run(main) == pytest.approx(10.25)


def test_after_a_refusal_one_request_tries_and_then_all_go() -> None:
    clock, most, active = ManualClock(), [], 0

    async def main() -> None:
        nonlocal active
        host = limiter(clock, requests_per_second=1000.0, burst=100, concurrency=3)
        async with host.slot() as place:
            refuse(host, place, clock)

        async def one() -> None:
            nonlocal active
            async with host.slot() as place:
                active += 1
                most.append(active)
                await anyio.lowlevel.checkpoint()
                active -= 1
                host.answered(place, Headers(()), clock.now())

        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(one)

    anyio.run(main)
    assert most[0] == 1
    assert most[1] == 1, "the second waits for the answer of the first"
    assert max(most) > 1


def test_one_place_is_kept_for_what_is_urgent() -> None:
    async def main() -> Any:
        host, began = limiter(ManualClock(), concurrency=4, burst=100), []

        async def one(name: str, *, urgent: bool) -> None:
            async with host.slot(urgent=urgent):
                began.append(name)
                await done.wait()

        done = anyio.Event()
        async with anyio.create_task_group() as group:
            for number in range(6):
                group.start_soon(partial(one, f"pull-{number}", urgent=False))
            await anyio.wait_all_tasks_blocked()
            group.start_soon(partial(one, "refresh", urgent=True))
            await anyio.wait_all_tasks_blocked()
            seen = list(began)
            done.set()
        return seen

    assert anyio.run(main) == ["pull-0", "pull-1", "pull-2", "refresh"]


def test_a_host_that_is_silent_again_and_again_is_asked_by_one_at_a_time() -> None:
    clock = ManualClock()

    async def main() -> Any:
        host = limiter(clock, burst=100)
        for _ in range(6):
            async with host.slot():
                host.unanswered()
        return clock.slept

    waits = [round(each, 1) for each in anyio.run(main) if each > 0.3]
    assert waits == [0.5, 1.0, 2.0]


def test_a_host_that_says_to_come_back_tomorrow_is_not_asked_before() -> None:
    clock = ManualClock(datetime(2026, 3, 1, 18, tzinfo=UTC))

    async def main() -> Any:
        host = limiter(clock, day_zone="America/New_York")
        async with host.slot() as place:
            refuse(host, place, clock, kind=Kind.DAY)
        with pytest.raises(Throttled, match="come back tomorrow") as told:
            async with host.slot():
                pass
        async with host.slot(urgent=True):
            pass
        later = HostLimiter(Limits(day_zone="America/New_York"), clock, known=host.known)
        with pytest.raises(Throttled):
            async with later.slot():
                pass
        clock.advance(told.value.retry_after or 0.0)
        async with host.slot():
            return told.value.retry_after

    assert anyio.run(main) == pytest.approx(11 * 3600)


def test_a_job_that_is_under_way_slows_nobody_down() -> None:
    clock = ManualClock()

    async def main() -> Any:
        host = limiter(clock, burst=100)
        async with host.slot() as place:
            refuse(host, place, clock, kind=Kind.JOB)
        async with host.slot():
            return clock.monotonic(), host.rate

    assert anyio.run(main) == (0.0, 10.0)


def test_a_token_endpoint_that_refuses_says_nothing_of_the_rate() -> None:
    clock = ManualClock()

    async def main() -> Any:
        host = limiter(clock)
        form = Headers((("Content-Type", "application/x-www-form-urlencoded"),))
        token = Request("POST", "https://ehr.example/token", form)
        async with host.slot(token, urgent=True) as place:
            refuse(host, place, clock, seconds=3.0)
        async with host.slot():
            return clock.monotonic(), host.rate

    assert anyio.run(main) == (pytest.approx(3.0), 10.0)


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


def test_what_is_learnt_of_a_host_can_be_remembered() -> None:
    async def main() -> Any:
        known = Known(rate=20.0, settled=True, burst=8.0, concurrency=2)
        limiters = HostLimiters(Limits(), ManualClock(), remembered={"ehr.example": known})
        host = limiters.of("ehr.example")
        assert host is limiters.of("ehr.example")
        assert limiters.of("other.example").rate == 5.0
        assert limiters.rates()["ehr.example"] == known
        return host.rate, host.concurrency

    assert anyio.run(main) == (20.0, 2)


def test_no_part_of_an_answer_may_take_longer_than_the_whole() -> None:
    bounds = Bounds.of(Limits(connect_timeout=2.0, read_timeout=9.0, total_timeout=5.0))
    assert (bounds.connect, bounds.read, bounds.total) == (2.0, 5.0, 5.0)
    assert Bounds.of(Limits()) == Bounds()
