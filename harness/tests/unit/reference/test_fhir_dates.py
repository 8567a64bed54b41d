from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.reference.fhir.dates import Interval, criterion, holds, interval, of_element

NOW = datetime(2026, 11, 21, tzinfo=UTC)
ZONES = st.integers(-14 * 4, 14 * 4).map(
    lambda quarters: timezone(timedelta(minutes=15 * quarters))
)
MOMENTS = st.datetimes(
    datetime(1900, 1, 1),  # noqa: DTZ001 - the zone is drawn apart
    datetime(2100, 1, 1),  # noqa: DTZ001 - as above
    timezones=ZONES,
)


def matched(asked: str, value: str) -> bool:
    target = of_element(value)
    assert target
    return holds(criterion(asked), target, NOW)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026", "2026-01-01T00:00:00+00:00", "2027-01-01T00:00:00+00:00"),
        ("2026-12", "2026-12-01T00:00:00+00:00", "2027-01-01T00:00:00+00:00"),
        ("2024-02-29", "2024-02-29T00:00:00+00:00", "2024-03-01T00:00:00+00:00"),
        ("2026-11-20T08:00-05:00", "2026-11-20T13:00:00+00:00", "2026-11-20T13:01:00+00:00"),
        ("2026-11-20T08:00:07Z", "2026-11-20T08:00:07+00:00", "2026-11-20T08:00:08+00:00"),
        ("2026-11-20T08:00:07", "2026-11-20T08:00:07+00:00", "2026-11-20T08:00:08+00:00"),
        ("2026-06-30T23:59:60Z", "2026-06-30T23:59:59+00:00", "2026-06-30T23:59:60+00:00"),
        (
            "2026-11-20T08:00:07.25Z",
            "2026-11-20T08:00:07.250000+00:00",
            "2026-11-20T08:00:07.260000+00:00",
        ),
    ],
)  # fmt: skip
def test_a_partial_date_is_the_interval_it_leaves_open(text: str, start: str, end: str) -> None:
    if ":60" in end:
        end = "2026-07-01T00:00:00+00:00"
    assert interval(text) == Interval(datetime.fromisoformat(start), datetime.fromisoformat(end))


@pytest.mark.parametrize(
    "text",
    ["", "26", "2026-13", "2026-02-30", "2026-11-20T25:00Z", "2026-11-20T08:00+99:00", "0000",
     "2026-11-20 08:00", "20261120", "2026-11-20T08", "0001-01-01T00:00:00+14:00",
     "9999-12-31T23:59:59-14:00", "٢٠٢٦"],
)  # fmt: skip
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        interval(text)


def test_the_last_years_and_days_have_an_end() -> None:
    assert interval("9999").end == interval("9999-12-31").end == datetime.max.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("asked", "value", "expected"),
    [
        ("2026-11-20", "2026-11-20T08:00:00Z", True),
        ("2026-11-20", "2026-11-20T22:00:00-05:00", False),
        ("2026-11-20T08:00:00Z", "2026-11-20", False),
        ("ne2026-11-20", "2026-11-20T08:00:00Z", False),
        ("gt2026-11-20", "2026-11-20T08:00:00Z", False),
        ("gt2026-11-20", "2026-11-21T00:00:00Z", True),
        ("gt2026-11-20T08:00:00Z", "2026-11-20", True),
        ("ge2026-11-20", "2026-11-20T08:00:00Z", True),
        ("ge2026-11-20T08:00:00Z", "2026-11-20T08:00:00Z", True),
        ("ge2026-11-20T08:00:00Z", "2026-11-20T07:59:59Z", False),
        ("lt2026-11-20", "2026-11-20T08:00:00Z", False),
        ("lt2026-11-20", "2026-11-19T23:59:59Z", True),
        ("le2026-11-20", "2026-11-20T08:00:00Z", True),
        ("le2026-11-20T08:00:00Z", "2026-11-20T03:00:00-05:00", True),
        ("sa2026-11-20", "2026-11-20T23:59:59Z", False),
        ("sa2026-11-20", "2026-11-21T00:00:00Z", True),
        ("eb2026-11-20", "2026-11-20", False),
        ("eb2026-11-20", "2026-11-19", True),
        ("ap2026-11-11", "2026-11-12T12:00:00Z", True),
        ("ap2026-11-11", "2026-11-19T12:00:00Z", False),
    ],
)
def test_prefixes_compare_intervals(asked: str, value: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    assert matched(asked, value) is expected


def test_an_open_period_reaches_into_the_future() -> None:
    target = of_element({"start": "2026-01-01"})
    assert target
    assert holds(criterion("gt2090"), target, NOW)
    assert not holds(criterion("lt2025"), target, NOW)
    assert of_element({"start": "someday"}) is None
    assert of_element(7) is None


def test_a_plus_that_became_a_blank_is_explained() -> None:
    with pytest.raises(ValueError, match="%2B"):
        criterion("ge2026-11-20T08:00:00 05:00")


@given(MOMENTS)
def test_a_moment_lies_in_its_own_second_whatever_the_zone(moment: datetime) -> None:
    found = interval(moment.replace(microsecond=0).isoformat())
    assert found.start <= moment < found.end


@given(MOMENTS, MOMENTS)
def test_prefixes_partition_time(first: datetime, second: datetime) -> None:
    asked, value = first.replace(microsecond=0).isoformat(), second.isoformat()
    assert matched(f"eq{asked}", value) != matched(f"ne{asked}", value)
    assert matched(f"ge{asked}", value) == (
        matched(f"gt{asked}", value) or matched(f"eq{asked}", value)
    )
    assert matched(f"le{asked}", value) == (
        matched(f"lt{asked}", value) or matched(f"eq{asked}", value)
    )
    assert not (matched(f"sa{asked}", value) and matched(f"eb{asked}", value))


@given(st.text(max_size=30))
def test_any_text_is_a_date_or_a_value_error(text: str) -> None:
    try:
        found = criterion(text).interval
    except ValueError:
        return
    assert found.start < found.end
