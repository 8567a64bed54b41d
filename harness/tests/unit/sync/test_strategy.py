from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.config.ehr import Strategy, SyncSpec
from harness.errors import UsageError
from harness.sync.model import Query
from harness.sync.strategy import (
    SKEW,
    TRUSTED_LAG,
    LastUpdated,
    advance,
    believable,
    server_start,
    strategy_for,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PLAIN = LastUpdated(timedelta(minutes=5))
FIRST, LAST = datetime(2020, 1, 1), datetime(2030, 1, 1)  # noqa: DTZ001 - hypothesis adds the zone
times = st.datetimes(FIRST, LAST, timezones=st.just(UTC))


def test_a_first_sync_asks_for_everything() -> None:
    assert PLAIN.asked_from(None) is None
    assert PLAIN.parameters(Query("p", "Observation"), None) == (("patient", "p"),)


def test_a_later_sync_starts_before_its_watermark_and_includes_the_bound() -> None:
    bound = PLAIN.asked_from(NOON.replace(microsecond=999_999))
    parameters = PLAIN.parameters(Query("p", "Observation"), bound)
    assert ("_lastUpdated", "ge2026-03-01T11:55:00Z") in parameters


def test_the_bound_is_written_in_utc_whatever_zone_the_watermark_has() -> None:
    zone = timezone(timedelta(hours=-5))
    parameters = PLAIN.parameters(Query("p", "Observation"), NOON.astimezone(zone))
    assert ("_lastUpdated", "ge2026-03-01T12:00:00Z") in parameters


def test_the_patient_itself_is_searched_by_its_id() -> None:
    sized = LastUpdated(timedelta(), page_size=50)
    assert sized.parameters(Query("p", "Patient"), None) == (("_id", "p"), ("_count", "50"))


def test_observations_fan_out_by_category_and_other_types_do_not() -> None:
    fanned = LastUpdated(timedelta(), categories=("laboratory", "vital-signs"))
    queries = tuple(fanned.queries(["p", "q"], ["Condition", "Observation"]))
    assert queries == (
        Query("p", "Condition"),
        Query("q", "Condition"),
        Query("p", "Observation", "laboratory"),
        Query("q", "Observation", "laboratory"),
        Query("p", "Observation", "vital-signs"),
        Query("q", "Observation", "vital-signs"),
    )
    assert ("category", "laboratory") in fanned.parameters(queries[2], None)


def test_every_patient_is_asked_for_before_any_is_asked_for_more() -> None:
    queries = list(PLAIN.queries(["p", "q", "r"], ["Patient", "Observation"]))
    assert [query.patient for query in queries[:3]] == ["p", "q", "r"]


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


@given(times, st.lists(times), st.none() | times)
def test_nothing_newer_than_the_next_bound_is_skipped(
    started: datetime, stamps: list[datetime], mark: datetime | None
) -> None:
    """Whatever became visible after the start, or up to the overlap before, is asked for again."""
    after = advance(mark, started, believable(stamps, started))
    bound = PLAIN.asked_from(after)
    assert bound is not None
    if mark is None or mark <= started:
        assert bound <= started - PLAIN.overlap


@pytest.mark.parametrize("name", ["date_window", "full_hash", "bulk_since"])
def test_a_strategy_that_is_not_there_yet_is_refused_by_name(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name}.*not available yet"):
        strategy_for(Strategy(name), SyncSpec(), None)


def test_the_ehr_file_sets_overlap_and_categories() -> None:
    spec = SyncSpec(overlap_seconds=600, categories=("laboratory",))
    made = strategy_for(Strategy.LAST_UPDATED, spec, 20)
    assert made == LastUpdated(timedelta(minutes=10), ("laboratory",), 20)
