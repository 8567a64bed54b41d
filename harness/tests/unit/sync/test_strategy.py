from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from harness.config.ehr import Strategy, SyncSpec
from harness.sync.asking.marks import advance, believable
from harness.sync.asking.searching import CATEGORIES
from harness.sync.asking.strategy import Plan, Way, plan_for
from harness.sync.model import Learnt, Query, Watermark

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
PLAIN = Plan(timedelta(minutes=5))
PLAIN_SPEC, NOTHING = SyncSpec(), Learnt()
OBSERVATION = Query("p", "Observation")
FIRST, LAST = datetime(2020, 1, 1), datetime(2030, 1, 1)  # noqa: DTZ001 - hypothesis adds the zone
times = st.datetimes(FIRST, LAST, timezones=st.just(UTC))


def known(mark: datetime, full: datetime | None = None) -> Watermark:
    return Watermark(OBSERVATION, mark, mark, full)


def made(
    strategy: Strategy | None = None,
    spec: SyncSpec = PLAIN_SPEC,
    learnt: Learnt = NOTHING,
    types: tuple[str, ...] = ("Patient", "Condition", "Observation"),
) -> Plan:
    return plan_for(strategy, spec, None, types, learnt)


def test_a_first_sync_asks_for_everything() -> None:
    assert PLAIN.asked_from(OBSERVATION, None, NOON) is None
    assert PLAIN.parameters(OBSERVATION, None) == (("patient", "p"),)


def test_a_later_sync_starts_before_its_watermark_and_includes_the_bound() -> None:
    mark = known(NOON.replace(microsecond=999_999))
    bound = PLAIN.asked_from(OBSERVATION, mark, NOON)
    assert ("_lastUpdated", "ge2026-03-01T11:55:00Z") in PLAIN.parameters(OBSERVATION, bound)


def test_the_bound_is_written_in_utc_whatever_zone_the_watermark_has() -> None:
    zone = timezone(timedelta(hours=-5))
    parameters = PLAIN.parameters(OBSERVATION, NOON.astimezone(zone))
    assert ("_lastUpdated", "ge2026-03-01T12:00:00Z") in parameters


def test_the_patient_itself_is_searched_by_its_id() -> None:
    sized = Plan(timedelta(), page_size=50)
    assert sized.parameters(Query("p", "Patient"), None) == (("_id", "p"), ("_count", "50"))


def test_types_that_need_a_category_fan_out_and_others_do_not() -> None:
    parts = ("laboratory", "vital-signs")
    fanned = Plan(timedelta(), {"Observation": Way(parts=parts)})
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


def test_a_window_of_dates_reaches_back_by_days_and_by_a_day_for_time_zones() -> None:
    plan = made(Strategy.DATE_WINDOW, SyncSpec(overlap_seconds=0, window_days=10))
    bound = plan.asked_from(OBSERVATION, known(NOON, NOON), NOON)
    assert bound == NOON - 10 * DAY
    assert plan.parameters(OBSERVATION, bound) == (("patient", "p"), ("date", "ge2026-02-18"))


def test_what_was_entered_late_is_found_by_a_full_reading_once_a_week() -> None:
    plan = made(Strategy.DATE_WINDOW)
    assert plan.asked_from(OBSERVATION, known(NOON, NOON - 6 * DAY), NOON) is not None
    assert plan.asked_from(OBSERVATION, known(NOON, NOON - 7 * DAY), NOON) is None
    assert plan.asked_from(OBSERVATION, known(NOON, None), NOON) is None


def test_a_daily_run_that_comes_a_little_early_reads_everything_all_the_same() -> None:
    plan = made(Strategy.LAST_UPDATED, SyncSpec(full_every_days=1))

    def reads_all_after(hours: float) -> bool:
        full = NOON - timedelta(hours=hours)
        return plan.asked_from(OBSERVATION, known(NOON, full), NOON) is None

    assert [reads_all_after(hours) for hours in (21, 22, 23, 24)] == [False, True, True, True]


def test_the_ehr_file_can_ask_for_full_readings_beside_last_updated() -> None:
    plan = made(Strategy.LAST_UPDATED, SyncSpec(full_every_days=2))
    assert plan.asked_from(OBSERVATION, known(NOON, NOON - DAY), NOON) is not None
    assert plan.asked_from(OBSERVATION, known(NOON, NOON - 2 * DAY), NOON) is None


def test_types_that_record_a_state_are_read_whole_where_dates_are_searched() -> None:
    plan = made(Strategy.DATE_WINDOW)
    assert plan.way("Condition").strategy is Strategy.FULL_HASH
    assert plan.way("Patient").strategy is Strategy.FULL_HASH
    own = made(Strategy.DATE_WINDOW, SyncSpec(dates={"Condition": "recorded-date"}))
    assert own.way("Condition") == Way(Strategy.DATE_WINDOW, "recorded-date")


def test_without_a_word_of_a_file_what_was_proven_decides_type_by_type() -> None:
    plan = made(learnt=Learnt({"Patient": True, "Observation": False}))
    assert plan.way("Patient").strategy is Strategy.LAST_UPDATED
    assert plan.way("Observation").strategy is Strategy.DATE_WINDOW
    assert plan.way("Condition").strategy is Strategy.FULL_HASH, "nothing is proven of it"


def test_a_search_that_needs_a_date_asks_for_every_date() -> None:
    plan = made(Strategy.FULL_HASH, SyncSpec(needs={"Procedure": "date"}), types=("Procedure",))
    query = Query("p", "Procedure")
    assert plan.parameters(query, None) == (("patient", "p"), ("date", "ge1900-01-01"))


def test_categories_come_from_the_file_else_from_us_core() -> None:
    assert (
        made(learnt=Learnt(needs={"Condition": "category"})).way("Condition").parts
        == (CATEGORIES["Condition"])
    )
    spec = SyncSpec(categories=("laboratory",), category_codes={"Condition": ("own",)})
    plan = made(spec=spec, learnt=Learnt(needs={"Condition": "category"}))
    assert plan.way("Observation").parts == ("laboratory",)
    assert plan.way("Condition").parts == ("own",)


def test_a_need_that_turns_up_changes_its_own_type_only() -> None:
    plan = made(Strategy.FULL_HASH)
    needing = plan.needing("Observation", "category", SyncSpec())
    assert needing.way("Observation").parts == CATEGORIES["Observation"]
    assert needing.way("Condition") == plan.way("Condition")


@given(times, st.lists(times), st.none() | times)
def test_nothing_newer_than_the_next_bound_is_skipped(
    started: datetime, stamps: list[datetime], mark: datetime | None
) -> None:
    """Whatever became visible after the start, or up to the overlap before, is asked for again."""
    after = advance(mark, started, believable(stamps, started))
    bound = PLAIN.asked_from(OBSERVATION, known(after), started)
    assert bound is not None
    if mark is None or mark <= started:
        assert bound <= started - PLAIN.overlap


def test_what_an_export_leaves_out_is_searched_for_whole() -> None:
    plan = made(Strategy.BULK_SINCE)
    assert plan.way("Observation").strategy is Strategy.FULL_HASH


def test_the_ehr_file_sets_the_overlap() -> None:
    assert made(spec=SyncSpec(overlap_seconds=600)).overlap == timedelta(minutes=10)
