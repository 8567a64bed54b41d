from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from harness.sync.answers.stamps import earliest
from harness.sync.store.rows import instant, text_of

OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(
    datetime(1, 1, 2),  # noqa: DTZ001 - hypothesis adds the zone
    datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=OFFSETS | st.just(UTC),
)


@given(TIMES)
def test_a_time_is_written_in_utc_with_all_its_digits(at: datetime) -> None:
    assert text_of(at) == at.astimezone(UTC).isoformat(timespec="microseconds")
    assert instant(text_of(at)) == at


@given(TIMES, TIMES)
def test_times_sort_as_they_are_written(one: datetime, other: datetime) -> None:
    assert (text_of(one) < text_of(other)) == (one < other)


@given(TIMES)
def test_a_stamp_in_which_nothing_is_missing_is_that_instant(at: datetime) -> None:
    assert earliest(at.isoformat()) == at
