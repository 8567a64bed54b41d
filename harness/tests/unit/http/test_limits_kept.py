"""How much of a limit is made use of: the real client and limiter against hosts in virtual time."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from random import Random

import pytest

from harness.config.ehr import Costs, Limits
from harness.http.client import HttpClient
from harness.http.evidence import Evidence
from harness.http.exchange import Headers, Request
from harness.http.known import Known
from harness.http.limiter import HostLimiters
from harness.tests.unit.http.virtual import BASE, HOST, Host, VirtualClock, pull, run

HINTS = ("seconds", "date", "absent")


def share(host: Host, got: int) -> float:
    """Of what the bucket of `host` permitted in the time that the job took."""
    assert host.rate is not None
    return got / host.seconds / host.rate


def test_a_limit_that_is_known_is_made_use_of_without_a_refusal() -> None:
    host = Host(rate=50)
    done = pull(host, 1000, Limits(requests_per_second=50))
    assert (done.got, host.refused) == (1000, 0)
    assert share(host, done.got) >= 0.99


@pytest.mark.parametrize("hint", HINTS)
def test_a_limit_that_nobody_told_is_found_and_remembered(hint: str) -> None:
    host = Host(rate=50, hint=hint)
    first = pull(host, 3000)
    assert first.got == 3000
    assert share(host, first.got) >= 0.92
    assert host.refused <= 5
    assert first.known.rate == pytest.approx(50, rel=0.02)
    assert first.known.burst == pytest.approx(10, abs=1.5)
    again = Host(rate=50, hint=hint)
    second = pull(again, 1500, known=Known.read(first.known.text()))
    assert (second.got, again.refused) == (1500, 0)
    assert share(again, second.got) >= 0.98


@pytest.mark.parametrize(("rate", "burst"), [(8, 2), (20, 1), (20, 5), (80, 10), (50, 50)])
def test_other_buckets_are_found_as_well(rate: float, burst: float) -> None:
    host = Host(rate=rate, burst=burst)
    done = pull(host, 1200)
    assert done.got == 1200
    assert share(host, done.got) >= 0.7
    assert host.refused <= 15
    assert done.known.rate == pytest.approx(rate, rel=0.2)


def test_a_limit_that_falls_with_the_hour_is_followed() -> None:
    host = Host(rate=50)
    done = pull(host, 500, Limits(requests_per_second=50))
    assert host.refused == 0
    peak = Host(rate=20)
    done = pull(peak, 1000, known=Known(rate=50.0, settled=True, burst=10.0))
    assert done.got == 1000
    assert peak.refused <= 10
    assert share(peak, done.got) >= 0.85


def test_a_limit_that_rises_with_the_hour_is_followed() -> None:
    host = Host(rate=15)
    done = pull(host, 3000, known=Known(rate=10.0, settled=True, burst=10.0))
    assert done.got == 3000
    assert done.known.rate == pytest.approx(15, rel=0.1)


@pytest.mark.parametrize("ahead", [0.0, 7.3, -7.3])
def test_the_minute_of_the_clock_is_kept_where_it_is_configured(ahead: float) -> None:
    host = Host(per_minute=250, hint="absent", ahead=timedelta(seconds=ahead))
    done = pull(host, 1000, Limits(per_minute=250))
    assert (done.got, host.refused) == (1000, 0)
    assert host.by_minute == [245, 245, 245, 245, 20], "2 % are left to what is urgent"


@pytest.mark.parametrize("ahead", [0.0, -7.3])
@pytest.mark.parametrize("hint", ["seconds", "absent"])
def test_the_minute_of_the_clock_is_found_where_nobody_told(ahead: float, hint: str) -> None:
    host = Host(per_minute=250, hint=hint, ahead=timedelta(seconds=ahead))
    done = pull(host, 1000)
    assert done.got == 1000
    assert host.by_minute[:-1] == [250, 250, 245, 245]
    assert host.refused <= 10
    assert done.known.per_minute == 250
    again = Host(per_minute=250, hint=hint)
    second = pull(again, 600, known=done.known)
    assert (second.got, again.refused) == (600, 0)
    assert again.by_minute == [245, 245, 110]


def test_a_block_that_no_minute_ends_is_waited_for_all_the_same() -> None:
    host = Host(rate=0.02, burst=40, hint="absent")
    done = pull(host, 42)
    assert done.got == 42


def test_too_many_at_a_time_means_fewer_at_a_time_and_not_slower() -> None:
    said = b"System Rate Limit Exceeded: too many concurrent calls"
    host = Host(at_once=3, hint="absent", latency=0.2, body=said)
    done = pull(host, 2000, Limits(requests_per_second=100, concurrency=8))
    assert done.got == 2000
    assert host.refused <= 8
    assert done.known.concurrency == 3
    again = Host(at_once=3, hint="absent", latency=0.2, body=said)
    pull(again, 200, Limits(requests_per_second=100, concurrency=8), known=done.known)
    assert again.refused == 0


def test_where_more_at_a_time_are_answered_no_faster_fewer_are_asked() -> None:
    host = Host(queue=True, latency=0.05)
    done = pull(host, 1000, Limits(requests_per_second=100, concurrency=8))
    assert host.refused == 0
    assert done.known.concurrency == 2
    assert 1000 / host.seconds >= 20


def test_where_more_at_a_time_are_answered_faster_they_are_asked() -> None:
    host = Host(latency=0.2)
    done = pull(host, 1000, Limits(requests_per_second=100, concurrency=8))
    assert done.known.concurrency is None
    assert host.most_at_once == 7, "one place is left to what is urgent"


def says(left: float, seconds: float) -> dict[str, str]:
    return {"RateLimit": f'"minute";r={left:.0f};t={seconds:.0f}'}


def test_what_answers_say_is_left_is_heeded_before_anything_is_refused() -> None:
    host = Host(per_minute=600, says=says)
    done = pull(host, 1500)
    assert (done.got, host.refused) == (1500, 0)
    assert host.by_minute[1] >= 0.9 * 600


def test_what_is_heavy_counts_for_more() -> None:
    host = Host(rate=50)
    limits = Limits(requests_per_second=50, costs=Costs(search=10))
    done = pull(host, 100, limits)
    assert host.refused == 0
    assert done.got / host.seconds == pytest.approx(5, rel=0.05)


def test_writes_and_tokens_overtake_a_pull_that_is_held_back_by_the_minute() -> None:
    """What is urgent takes what the pull left of the minute, and does not wait for its turn."""
    host = Host(per_minute=100, hint="absent")

    async def job() -> tuple[float, int]:
        clock = VirtualClock()
        limits = Limits(per_minute=100)
        limiters = HostLimiters(limits, clock, chance=Random(1).random)
        http = HttpClient(
            base=BASE, evidence=Evidence(), limiter=limiters, clock=clock, transport=host
        )
        async with asyncio.TaskGroup() as group:
            for number in range(110):
                group.create_task(http.get(f"{BASE}/Observation?patient=p{number}"))
            await clock.sleep(20)
            began = clock.monotonic()
            write = Request("POST", f"{BASE}/Observation", Headers(()), b"{}")
            answer = await http.send(write, urgent=True)
            took = clock.monotonic() - began
        return took, answer.status

    took, status = run(job)
    assert status == 200
    assert took < 0.1
    assert host.refused == 0


def test_a_host_that_goes_down_in_the_middle_is_knocked_at_by_one_and_ever_more_rarely() -> None:
    host = Host(down=(5.0, 35.0))
    done = pull(host, 500, Limits(requests_per_second=50))
    assert done.got == 500
    assert host.knocked <= 16
    last = max(at for at, _ in host.seen)
    assert last < 35.0 + 8.0 + 500 / 50, "it goes on as soon as somebody got an answer"


def test_all_tenants_of_a_process_share_what_a_host_permits() -> None:
    host = Host(rate=50)

    async def job() -> None:
        clock = VirtualClock()
        limiters = HostLimiters(Limits(requests_per_second=50), clock)
        clients = [
            HttpClient(
                base=BASE, evidence=Evidence(), limiter=limiters, clock=clock, transport=host
            )
            for _ in range(5)
        ]
        assert limiters.of(HOST) is clients[3].limiter.of(HOST)

        async def tenant(http: HttpClient) -> None:
            for number in range(100):
                await http.get(f"{BASE}/Observation?patient=p{number}")

        async with asyncio.TaskGroup() as group:
            for http in clients:
                group.create_task(tenant(http))

    run(job)
    assert host.refused == 0
    assert share(host, 500) >= 0.98
