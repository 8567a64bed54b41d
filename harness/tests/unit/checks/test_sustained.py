from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from harness.checks.sustained import NEEDED, Sustained, sustained
from harness.http.exchange import Exchange, Request, Response

BEGAN = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
URL = "https://ehr.example.org/r4/Patient?_id=1"


def attempt(status: int, over: float) -> Exchange:
    moment = BEGAN + timedelta(seconds=over - 0.01)
    return Exchange(1, "pull", Request("GET", URL), Response(status), moment, 0.01)


def answers(first: float, count: int, rate: float) -> list[Exchange]:
    return [attempt(200, first + number / rate) for number in range(count)]


def pull(attempts: list[Exchange], seconds: float) -> Sustained:
    return sustained(attempts, BEGAN, BEGAN + timedelta(seconds=seconds))


def test_what_came_after_the_last_refusal_is_the_rate() -> None:
    burst, refusals = answers(0, 40, 400), [attempt(429, 0.1), attempt(429, 0.11)]
    found = pull([*burst, *refusals, *answers(1.2, 201, 50)], 5.2)
    assert round(found.rate, 2) == 50.0
    assert str(found).startswith("usable rate: 50 requests a second; 2 of 243 requests refused")


def test_what_was_saved_up_in_a_pause_is_no_rate() -> None:
    minute = [*answers(0, 200, 400), attempt(429, 0.6), *answers(58, 40, 400)]
    assert round(pull(minute, 58.2).rate, 1) == 4.1
    spent = [*answers(0, 200, 400), *(attempt(429, n * 2.0) for n in range(1, 30))]
    assert round(pull([*spent, *answers(2, 29, 0.5)], 60).rate, 1) == 0.5


def test_waits_count_where_refusals_never_end() -> None:
    attempts = [each for n in range(10) for each in (attempt(429, n * 2.0), attempt(200, n + 10.0))]
    found = pull(attempts, 40)
    assert found.rate == 10 / 40
    assert found.rate < NEEDED


def test_no_refusal_gives_a_lower_bound() -> None:
    found = pull(answers(0.5, 240, 400), 2)
    assert str(found).startswith("usable rate: at least 120 requests a second; 0 of 240")


def test_slow_server_is_told_in_tenths_and_hours() -> None:
    found = pull(answers(1, 4, 1), 5)
    assert "at least 0.8 requests a second" in str(found)
    assert "1,200 patients with 10 requests each take 4.2 h" in str(found)


def test_nothing_after_a_refusal_is_no_rate() -> None:
    found = pull([*answers(0, 3, 100), attempt(429, 1)], 20)
    assert found.rate == 0
    told = "usable rate: none; 1 of 4 requests refused on the way, and nothing came after that"
    assert str(found) == told


@given(
    st.lists(st.tuples(st.sampled_from([200, 429, 503, 500]), st.floats(0.01, 60)), max_size=60),
    st.floats(0, 60),
)
def test_every_pull_has_a_rate_that_can_be_told(
    attempts: list[tuple[int, float]], seconds: float
) -> None:
    found = pull([attempt(*each) for each in attempts], seconds)
    assert found.rate >= 0
    assert str(found).startswith("usable rate: ")
