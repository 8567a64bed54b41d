from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.config.bulk import Backfill
from harness.fhir.bulk.manifest import Kind
from harness.sync.asking.marks import SKEW, TRUSTED_LAG
from harness.sync.bulk.export import complete_types
from harness.sync.bulk.job import File, Job, Phase
from harness.sync.bulk.pacing import CAP, FLOOR, MOST, next_look
from harness.sync.bulk.reach import Span, flaw, newcomers, reached, span, watermarks
from harness.sync.model import Query, Watermark

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOUR, OVERLAP = timedelta(hours=1), timedelta(minutes=5)
TYPES = ("Patient", "Observation")
JOB = Job(
    1,
    7,
    Phase.LOADING,
    NOW - 4 * HOUR,
    NOW - 2 * HOUR,
    NOW - 2 * HOUR,
    ("p1", "p2"),
    TYPES,
    ready=NOW,
    transaction_time=NOW - HOUR,
)

moments = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - with a zone beside


def known(
    mark: datetime = NOW - HOUR, *patients: str, full: datetime | None = NOW
) -> list[Watermark]:
    return [
        Watermark(Query(patient, type_), mark, NOW, full) for patient in patients for type_ in TYPES
    ]


def spanned(patients: list[str], marks: list[Watermark], **changes: object) -> Span:
    options: dict[str, object] = {
        "overlap": OVERLAP,
        "backfill": Backfill.SEARCH,
        "full_every": None,
        "now": NOW,
    }
    return span(patients, TYPES, marks, **(options | changes))  # type: ignore[arg-type]


# -- what to ask for


def test_the_first_export_is_of_everything() -> None:
    assert spanned(["p1", "p2"], []) == Span(None, ("p1", "p2"))


def test_an_export_starts_before_the_oldest_watermark() -> None:
    marks = known(NOW - HOUR, "p1") + known(NOW - 3 * HOUR, "p2")
    assert spanned(["p1", "p2"], marks) == Span(NOW - 3 * HOUR - OVERLAP, ("p1", "p2"))


def test_watermarks_of_those_who_left_do_not_count() -> None:
    marks = known(NOW - HOUR, "p1") + known(NOW - 300 * HOUR, "gone")
    assert spanned(["p1"], marks).since == NOW - HOUR - OVERLAP


def test_newcomers_are_told_apart_while_they_are_few() -> None:
    patients = [f"p{number}" for number in range(8)]
    marks = known(NOW, *patients[1:])
    asked = spanned(patients, marks)
    assert (asked.newcomers, asked.covered) == (("p0",), tuple(patients[1:]))
    assert asked.since is not None
    assert spanned(patients, marks, backfill=Backfill.EXPORT) == Span(None, tuple(patients))
    assert spanned(patients, known(NOW, *patients[4:])) == Span(None, tuple(patients))


def test_a_type_that_was_never_synced_makes_a_newcomer() -> None:
    marks = [each for each in known(NOW, "p1") if each.query.type == "Patient"]
    assert newcomers(["p1"], TYPES, marks) == ("p1",)
    assert spanned(["p1"], marks).since is None


def test_a_part_of_a_type_is_not_the_whole_of_it() -> None:
    marks = [
        replace(each, query=replace(each.query, part="vital-signs")) for each in known(NOW, "p1")
    ]
    assert spanned(["p1"], marks).since is None


def test_everything_is_exported_again_when_that_is_due() -> None:
    week = timedelta(days=7)
    assert spanned(["p1"], known(NOW, "p1", full=NOW - week), full_every=week).since is None
    assert spanned(["p1"], known(NOW, "p1", full=None), full_every=week).since is None
    assert spanned(["p1"], known(NOW, "p1", full=NOW - HOUR), full_every=week).since is not None


# -- up to when it reaches


def test_a_good_transaction_time_is_the_watermark() -> None:
    assert flaw(JOB) is None
    assert reached(JOB, NOW - 9 * HOUR, OVERLAP) == JOB.transaction_time


@pytest.mark.parametrize(
    ("time", "said"),
    [
        (None, "missing"),
        (NOW + SKEW + timedelta(seconds=1), "future"),
        (NOW - 5 * HOUR, "before _since"),
    ],
)
def test_another_one_is_not_believed(time: datetime | None, said: str) -> None:
    job = replace(JOB, transaction_time=time, newest=NOW - HOUR)
    assert said in str(flaw(job))
    assert reached(job, None, OVERLAP) == job.started - OVERLAP


def test_a_stale_export_moves_the_watermark_by_its_newest_resource() -> None:
    job = replace(JOB, transaction_time=None, newest=NOW - 10 * HOUR)
    assert reached(job, None, OVERLAP) == NOW - 10 * HOUR
    job = replace(JOB, transaction_time=None, newest=None)
    assert reached(job, None, OVERLAP) == job.started - OVERLAP - TRUSTED_LAG


@given(st.none() | moments, st.none() | moments, st.none() | moments, moments, moments)
def test_a_watermark_never_goes_back_and_never_into_the_future(
    mark: datetime | None,
    time: datetime | None,
    newest: datetime | None,
    started: datetime,
    ready: datetime,
) -> None:
    job = replace(JOB, transaction_time=time, newest=newest, started=started, ready=ready)
    after = reached(job, mark, OVERLAP)
    assert mark is None or after >= mark
    assert after <= max([ready + SKEW, started, *([mark] if mark else [])])


def test_each_patient_and_type_gets_a_watermark_of_its_own() -> None:
    before = known(NOW - 3 * HOUR, "p1") + known(NOW, "p2")
    after = {each.query: each for each in watermarks(JOB, ("Patient",), before, OVERLAP)}
    assert set(after) == {Query("p1", "Patient"), Query("p2", "Patient")}
    assert after[Query("p1", "Patient")].mark == NOW - HOUR
    assert after[Query("p2", "Patient")].mark == NOW, "never back"
    assert after[Query("p1", "Patient")].full == NOW, "when it was last read whole stays"
    everything = replace(JOB, since=None)
    assert watermarks(everything, ("Patient",), before, OVERLAP)[0].full == JOB.started


# -- what is complete


@pytest.mark.parametrize(
    ("file", "complete"),
    [
        (File(1, Kind.OUTPUT, "Patient", "u", problem=None), TYPES),
        (File(1, Kind.OUTPUT, "Patient", "u", problem="cut"), ("Observation",)),
        (File(1, Kind.OUTPUT, "", "u", problem="cut"), ()),
        (File(1, Kind.OUTPUT, "Practitioner", "u", problem="cut"), ()),
        (File(1, Kind.ERROR, "OperationOutcome", "u", problem="error"), ()),
        (File(1, Kind.DELETED, "Bundle", "u", problem="cut"), ()),
    ],
)
def test_a_problem_keeps_the_watermarks_of_what_it_may_concern(
    file: File, complete: tuple[str, ...]
) -> None:
    assert complete_types(JOB, (file,)) == complete


# -- when to look


@given(st.none() | st.floats(0, 1e9), st.integers(0, 10**6))
def test_no_look_is_too_soon_or_too_late(hint: float | None, polls: int) -> None:
    assert FLOOR <= next_look(hint, polls) <= CAP


def test_looks_grow_apart_where_no_time_is_named() -> None:
    waits = [next_look(None, polls) for polls in range(12)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (1.0, MOST)
    assert next_look(120, 0) == 120
    assert next_look(5 * 3600, 0) == CAP
