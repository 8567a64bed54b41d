from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from harness.sync.asking.marks import SKEW, TRUSTED_LAG, advance, believable, server_start

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FIRST, LAST = datetime(2020, 1, 1), datetime(2030, 1, 1)  # noqa: DTZ001 - hypothesis adds the zone
times = st.datetimes(FIRST, LAST, timezones=st.just(UTC))


def test_the_start_by_the_server_clock_is_before_the_request_reached_it() -> None:
    assert server_start(NOON, 3.0, NOON + timedelta(hours=1)) == NOON - timedelta(seconds=3)


def test_a_server_clock_in_the_future_is_bounded_by_ours() -> None:
    assert server_start(NOON + timedelta(days=365), 0.0, NOON) == NOON


def test_without_a_date_header_our_clock_counts_with_a_day_of_doubt() -> None:
    assert server_start(None, 0.0, NOON) == NOON - TRUSTED_LAG


def test_stamps_of_the_future_do_not_move_the_watermark() -> None:
    tomorrow = NOON + timedelta(days=1)
    assert believable([tomorrow, NOON - timedelta(hours=1), None], NOON) == NOON - timedelta(
        hours=1
    )
    assert believable([tomorrow], NOON) is None
    assert believable([], NOON) is None


def test_the_watermark_stays_at_the_newest_row_of_a_server_that_may_lag() -> None:
    newest = NOON - timedelta(hours=2)
    assert advance(None, NOON, newest) == newest


def test_the_watermark_of_a_quiet_patient_still_moves_a_day_behind_the_start() -> None:
    assert advance(NOON - timedelta(days=30), NOON, None) == NOON - TRUSTED_LAG


def test_the_watermark_is_the_start_of_the_query_not_its_end() -> None:
    assert advance(None, NOON, NOON + SKEW) == NOON


@given(st.none() | times, times, st.none() | times)
def test_the_watermark_never_goes_back_and_never_passes_the_start(
    mark: datetime | None, started: datetime, newest: datetime | None
) -> None:
    after = advance(mark, started, newest)
    assert mark is None or after >= mark
    assert after <= started or after == mark
