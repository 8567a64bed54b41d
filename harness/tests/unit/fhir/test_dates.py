from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.fhir.dates import EARLIEST, LATEST, Interval, matches, parse, period


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def interval(text: str) -> Interval:
    found = parse(text)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "low", "high", "precision"),
    [
        ("2026", "2026-01-01", "2027-01-01", "year"),
        ("2024-02", "2024-02-01", "2024-03-01", "month"),
        ("2026-12", "2026-12-01", "2027-01-01", "month"),
        ("2026-02-28", "2026-02-28", "2026-03-01", "day"),
        ("2026-05-01T10:00Z", "2026-05-01T10:00", "2026-05-01T10:01", "minute"),
        ("2026-05-01T10:00:07Z", "2026-05-01T10:00:07", "2026-05-01T10:00:08", "second"),
        ("2026-05-01T10:00:07-05:00", "2026-05-01T15:00:07", "2026-05-01T15:00:08", "second"),
        ("2026-05-01T00:30:00+0530", "2026-04-30T19:00:00", "2026-04-30T19:00:01", "second"),
        ("2026-05-01t10:00:07.5z", "2026-05-01T10:00:07.5", "2026-05-01T10:00:07.6", "fraction"),
        (
            "2026-05-01T10:00:07.123456789Z",
            "2026-05-01T10:00:07.123456",
            "2026-05-01T10:00:07.123457",
            "fraction",
        ),
        ("2026-06-30T23:59:60Z", "2026-07-01T00:00:00", "2026-07-01T00:00:01", "second"),
    ],
)
def test_a_partial_date_means_all_of_its_span(
    text: str, low: str, high: str, precision: str
) -> None:
    found = interval(text)
    assert (found.low, found.high, found.precision) == (at(low), at(high), precision)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "yesterday",
        "2026-13",
        "2026-02-30",
        "2026-05-01T25:00:00Z",
        "2026-05-01T10:00:61Z",
        "2026-05-01T10:00:00+99:00",
        "26-05-01",
        "2026-05-01T10",
        " 2026",
        "2026\n",
        "٢٠٢٦",
        "0000",
        2026,
        None,
    ],
)
def test_anything_else_is_no_date(value: object) -> None:
    assert parse(value) is None


def test_a_missing_zone_is_flagged_and_can_be_allowed_for() -> None:
    naive = interval("2026-05-01T10:00:00")
    assert naive.lacks_zone
    assert naive.low == at("2026-05-01T10:00:00")
    assert naive.widened().low == at("2026-04-30T20:00:00")
    assert naive.widened().high == at("2026-05-01T22:00:01")
    assert not interval("2026-05-01").lacks_zone
    zoned = interval("2026-05-01T10:00:00Z")
    assert zoned.widened() == zoned


@pytest.mark.parametrize("text", ["0001", "0001-01-01T00:00:00+14:00", "9999", "9999-12-31"])
def test_the_ends_of_time_do_not_overflow(text: str) -> None:
    found = interval(text).widened()
    assert EARLIEST <= found.low < found.high <= LATEST


zones = st.integers(-12 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
moments = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=zones)  # noqa: DTZ001 - the strategy adds zones


@given(moments)
def test_every_instant_lies_in_what_it_is_written_as(moment: datetime) -> None:
    found = interval(moment.isoformat())
    assert found.low == moment
    assert found.low < found.high
    for digits in (4, 7, 10):
        partial = interval(moment.isoformat()[:digits]).widened()
        assert partial.low <= moment < partial.high


@given(st.text(max_size=30) | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d"))
def test_any_text_is_an_interval_or_none(text: str) -> None:
    found = parse(text)
    assert found is None or found.low < found.high


def test_a_period_may_be_open_at_either_end() -> None:
    found = period({"start": "2026-05", "end": "2026-06-03"})
    assert found == Interval(at("2026-05-01"), at("2026-06-04"), zoned=False)
    assert period({"end": "2026"}) == Interval(EARLIEST, at("2027-01-01"), zoned=False)
    assert period({"start": "2026"}) == Interval(at("2026-01-01"), LATEST, zoned=False)
    for broken in ({}, None, {"start": "x"}, {"start": "2026", "end": "2020"}):
        assert period(broken) is None


@pytest.mark.parametrize(
    ("resource", "asked", "found_by"),
    [
        ("2026-05-01", "2026-05-01", "eq ge le ap"),
        ("2026-05-01T10:00:00Z", "2026-05-01", "eq ge le ap"),
        ("2026-05-01", "2026-05-01T10:00:00Z", "ne gt lt ge le ap"),
        ("2026-05-02", "2026-05-01", "ne gt ge sa"),
        ("2026-04-30", "2026-05-01", "ne lt le eb"),
        ("2026", "2026-05-01", "ne gt lt ge le ap"),
    ],
)
def test_search_prefixes_compare_intervals(resource: str, asked: str, found_by: str) -> None:
    prefixes = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")
    found = [each for each in prefixes if matches(each, interval(resource), interval(asked))]
    assert sorted(found) == sorted(found_by.split())
