from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from harness.sync.model import Query, RunRow, RunStatus, Traffic, Watermark
from harness.sync.status import Reach, Status, status_by_type
from harness.sync.store.statements import put_watermark
from harness.tests.unit.sync.conftest import NOON, Bench

HOUR = timedelta(hours=1)
RUN = RunRow(
    1,
    "r1",
    NOON - HOUR,
    NOON - HOUR + timedelta(seconds=90),
    RunStatus.INCOMPLETE,
    Traffic(1200, 3),
    "the EHR is busy",
    NOON + HOUR,
)


def test_a_person_sees_how_far_each_type_is_and_how_runs_went() -> None:
    reach = Reach(1000, NOON - 2 * HOUR, NOON - HOUR, NOON - HOUR)
    status = Status("clinic", {"Observation": reach}, {"Observation": 98000}, 2, (RUN,))
    assert status.lines(NOON) == [
        "clinic:",
        "               resources  patients  complete to (UTC)      confirmed",
        "  Observation     98,000     1,000   2026-03-01 10:00  1 h 0 min ago",
        "  2 queries stand in the middle; the next run goes on there",
        "  the EHR may be asked again at 13:00:00 UTC",
        "  last runs:",
        "    2026-03-01 11:00 incomplete in 1 min 30 s, 1,200 requests, 3 refused: the EHR is busy",
    ]
    assert "asked again" not in "\n".join(status.lines(NOON + 2 * HOUR))
    assert replace(status, runs=()).lines(NOON) == ["clinic: never synced"]


def test_the_mark_of_a_history_is_of_no_patient(bench: Bench) -> None:
    with bench.store.fenced(bench.lease()) as db:
        put_watermark(db, Watermark(Query("p", "Observation"), NOON, NOON))
        put_watermark(db, Watermark(Query("", "Observation", "_history"), NOON - HOUR, NOON))
    assert status_by_type(bench.store)["Observation"].patients == 1
