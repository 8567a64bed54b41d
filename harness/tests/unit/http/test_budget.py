from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.config.ehr import Costs, Limits, Peak
from harness.http.budget import Span, Window, bounds, cost_of, is_peak, per_minute_at, rate_at
from harness.http.exchange import Headers, Request

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FIRST, LAST = datetime(2025, 1, 1), datetime(2027, 1, 1)  # noqa: DTZ001 - hypothesis adds the zone
times = st.datetimes(FIRST, LAST, timezones=st.just(UTC))
zones = st.sampled_from(["UTC", "America/New_York", "Asia/Kolkata", "Pacific/Kiritimati"])
requests = st.lists(st.tuples(st.floats(0, 40), st.integers(1, 5)), min_size=1, max_size=60)


@given(start=times, requests=requests, limit=st.integers(5, 20), zone=zones)
def test_no_window_of_the_calendar_spends_more_than_its_limit(
    start: datetime, requests: list[tuple[float, int]], limit: int, zone: str
) -> None:
    for span in Span:
        window, now, spent = Window(limit, span, zone), start, dict[datetime, float]()
        for gap, cost in requests:
            now += timedelta(seconds=gap)
            now += timedelta(seconds=window.delay(now, cost))
            assert window.delay(now, cost) == 0.0
            window.take(now, cost)
            begin, _ = bounds(now, span, zone)
            spent[begin] = spent.get(begin, 0.0) + cost
        assert max(spent.values()) <= limit


@given(now=times, zone=zones)
def test_every_moment_lies_in_its_window_and_windows_follow_each_other(
    now: datetime, zone: str
) -> None:
    for span in Span:
        begin, end = bounds(now, span, zone)
        assert begin <= now < end
        assert bounds(end, span, zone)[0] == end


def test_a_day_is_as_long_as_it_is_in_its_zone() -> None:
    begin, end = bounds(datetime(2026, 3, 8, 12, tzinfo=UTC), Span.DAY, "America/New_York")
    assert end - begin == timedelta(hours=23)


def test_a_request_above_the_whole_budget_goes_alone_and_not_never() -> None:
    window = Window(10.0, Span.MINUTE)
    assert window.delay(NOON, 100.0) == 0.0
    window.take(NOON, 100.0)
    assert window.delay(NOON + timedelta(seconds=15), 1.0) == 45.0


@pytest.mark.parametrize(
    ("method", "url", "content", "cost"),
    [
        ("GET", "https://e.example/Patient/1", None, 1.0),
        ("GET", "https://e.example/Patient?_id=1", None, 2.0),
        ("POST", "https://e.example/Patient/_search", "application/x-www-form-urlencoded", 2.0),
        ("POST", "https://e.example/Observation", "application/fhir+json", 100.0),
        ("DELETE", "https://e.example/Observation/1", None, 100.0),
        ("POST", "https://e.example/token", "application/x-www-form-urlencoded", 20.0),
    ],
)
def test_a_request_costs_by_what_it_does(
    method: str, url: str, content: str | None, cost: float
) -> None:
    headers = Headers((("Content-Type", content),)) if content else Headers(())
    costs = Costs(read=1.0, search=2.0, write=100.0, token=20.0)
    assert cost_of(Request(method, url, headers), costs) == cost


def test_peak_hours_have_limits_of_their_own_also_over_midnight() -> None:
    peak = Peak(time(7), time(19), "America/New_York", 2.0, 60.0)
    limits = Limits(requests_per_second=10.0, per_minute=500.0, peak=peak)
    assert (rate_at(limits, NOON), per_minute_at(limits, NOON)) == (2.0, 60.0), "7 in New York"
    night = NOON - timedelta(minutes=1)
    assert (rate_at(limits, night), per_minute_at(limits, night)) == (10.0, 500.0)
    late = Peak(time(22), time(6))
    hours = [hour for hour in range(24) if is_peak(late, NOON.replace(hour=hour))]
    assert hours == [0, 1, 2, 3, 4, 5, 22, 23]


def test_peak_hours_that_name_no_limit_change_none() -> None:
    limits = Limits(requests_per_second=3.0, peak=Peak(time(0), time(23, 59)))
    assert (rate_at(limits, NOON), per_minute_at(limits, NOON)) == (3.0, None)
