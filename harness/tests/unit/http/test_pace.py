from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.config.ehr import Limits, Peak
from harness.errors import Throttled
from harness.http.allowance import Allowance, allowance
from harness.http.bucket import Turn
from harness.http.exchange import Headers
from harness.http.pace import Pace, Spent

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def pace(spent: Spent | None = None, wall: datetime = NOON, **limits: object) -> Pace:
    return Pace(Limits(**limits), wall, spent=spent)  # type: ignore[arg-type]  # by name


def wait(one: Pace, now: float, cost: float = 1.0) -> float:
    return one.delay(now, NOON + timedelta(seconds=now), cost)


def take(one: Pace, now: float, cost: float = 1.0) -> Turn:
    turn = Turn(now, cost)
    one.take(turn, NOON + timedelta(seconds=now))
    return turn


def refuse(one: Pace, turn: Turn) -> None:
    one.refused(turn, turn.at, NOON + timedelta(seconds=turn.at))


def let_through(one: Pace, now: float) -> None:
    one.let_through(now, NOON + timedelta(seconds=now), paced=True)


@given(st.lists(st.sampled_from(["ok", "refused"]), max_size=40), st.floats(0.05, 200))
def test_a_configured_rate_is_never_passed(events: list[str], configured: float) -> None:
    one, now = pace(requests_per_second=configured), 0.0
    for event in events:
        now += 2.0
        turn = take(one, now)
        if event == "ok":
            let_through(one, now)
        else:
            before = one.rate
            refuse(one, turn)
            assert one.rate <= before
        assert 0 < one.rate <= configured


@pytest.mark.parametrize("refusals", [1, 3])
def test_a_configured_rate_returns_after_refusals(refusals: int) -> None:
    one, now = pace(requests_per_second=10.0), 0.0
    for _ in range(refusals):
        for _ in range(20):
            now += 0.1
            take(one, now)
            let_through(one, now)
        refuse(one, take(one, now))
        now += 2.0
    assert one.rate < 9.9
    while now < 900.0:
        now += 1 / one.rate
        take(one, now)
        let_through(one, now)
    assert one.rate == pytest.approx(10.0)


def test_a_refusal_lowers_a_configured_rate_at_once() -> None:
    one = pace(requests_per_second=10.0, burst=1)
    for moment in range(20):
        take(one, moment / 10)
    refuse(one, take(one, 2.0))
    assert one.rate <= 9.7
    wait(one, 2.0)
    take(one, 5.0)
    assert wait(one, 5.0) == pytest.approx(1 / one.rate)


def test_a_heavy_request_holds_back_those_that_follow() -> None:
    one = pace(requests_per_second=10.0, burst=1)
    take(one, 0.0, cost=20.0)
    assert wait(one, 0.0) == pytest.approx(2.0)


def test_the_minute_of_the_clock_is_waited_for_and_no_longer() -> None:
    one = pace(requests_per_second=1000.0, burst=1000, per_minute=3)
    for _ in range(3):
        assert wait(one, 20.0) == 0.0
        take(one, 20.0)
    assert wait(one, 20.0) == pytest.approx(40.0)
    assert wait(one, 60.0) == 0.0


def test_a_days_budget_that_is_spent_says_when_to_come_back() -> None:
    one = pace(per_day=2, day_zone="UTC")
    take(one, 0.0)
    take(one, 1.0)
    with pytest.raises(Throttled, match=r"day's budget of 2.*anew in 12\.0 h") as told:
        wait(one, 2.0)
    assert told.value.retry_after == pytest.approx(12 * 3600 - 2)
    assert one.delay(13 * 3600.0, NOON + timedelta(hours=13), 1.0) == 0.0


def test_what_earlier_runs_spent_today_counts_and_yesterdays_does_not() -> None:
    midnight = NOON.replace(hour=0)
    with pytest.raises(Throttled):
        wait(pace(Spent(midnight, 5.0), per_day=5), 0.0)
    later = pace(Spent(midnight - timedelta(days=1), 5.0), per_day=5)
    assert wait(later, 0.0) == 0.0
    take(later, 0.0)
    assert later.spent == Spent(midnight, 1.0)


def test_the_rate_follows_the_hour() -> None:
    peak = Peak(time(12), time(13), requests_per_second=1.0)
    one = pace(requests_per_second=10.0, burst=1, peak=peak)
    take(one, 0.0)
    assert wait(one, 0.0) == pytest.approx(1.0)
    assert one.delay(3600.0, NOON + timedelta(hours=1), 1.0) == 0.0
    assert one.rate == pytest.approx(10.0)


def test_what_is_left_is_spread_over_its_time_and_then_forgotten() -> None:
    one = pace(requests_per_second=10.0, burst=1)
    one.heed(Allowance(5.0, 10.0), 0.0)
    assert wait(one, 0.0) == 0.0
    take(one, 0.0)
    one.delay(0.1, NOON, 1.0)
    take(one, 2.0)
    assert wait(one, 2.0) == pytest.approx(2.0)
    wait(one, 11.0)
    take(one, 11.0)
    assert wait(one, 11.0) == pytest.approx(0.1)


def test_nothing_left_is_waited_for_unless_that_takes_too_long() -> None:
    one = pace(requests_per_second=10.0, max_retry_after=60.0)
    one.heed(Allowance(0.0, 12.0), 0.0)
    assert wait(one, 2.0) == pytest.approx(10.0)
    assert wait(one, 12.0) == 0.0
    one.heed(Allowance(0.0, 7200.0), 12.0)
    assert wait(one, 12.0) == 0.0, "the refusal that follows says it, and ends the run"


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"RateLimit": '"requests";r=5;t=10'}, Allowance(5.0, 10.0)),
        ({"RateLimit": '"minute";r=50;t=10, "day";r=6;t=3600'}, Allowance(6.0, 3600.0)),
        ({"RateLimit": "limit=100, remaining=3, reset=20"}, Allowance(3.0, 20.0)),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "30"}, Allowance(0.0, 30.0)),
        ({"RateLimit-Remaining": "7", "RateLimit-Reset": "14"}, Allowance(7.0, 14.0)),
        ({"X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "1772366460"}, Allowance(1.0, 60.0)),
        ({"X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "1772366340"}, None),
        ({"X-RateLimit-Remaining": "many", "X-RateLimit-Reset": "30"}, None),
        ({"X-RateLimit-Remaining": "4"}, None),
        ({}, None),
    ],
)
def test_headers_that_say_what_is_left_are_read(
    fields: dict[str, str], found: Allowance | None
) -> None:
    assert allowance(Headers(tuple(fields.items())), NOON) == found


@given(st.text(max_size=60), st.text(max_size=20), st.text(max_size=20))
def test_whatever_a_header_holds_is_read_or_passed_over(one: str, two: str, three: str) -> None:
    pairs = (("RateLimit", one), ("X-RateLimit-Remaining", two), ("X-RateLimit-Reset", three))
    found = allowance(Headers(pairs), NOON)
    assert found is None or (found.remaining >= 0 and found.seconds > 0)
