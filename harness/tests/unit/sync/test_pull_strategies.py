"""A pull by date, by everything, and by what the EHR turns out to need."""

from __future__ import annotations

from datetime import timedelta

import pytest

from harness.config.ehr import Strategy, SyncSpec
from harness.http.exchange import Request
from harness.sync.asking.strategy import Plan, Way, plan_for
from harness.sync.model import Learnt, Query
from harness.tests.unit.sync.conftest import NOON, Bench
from harness.tests.unit.sync.fake_ehr import outcome

DAY = timedelta(days=1)
CODES = ("laboratory", "vital-signs")


def fill(bench: Bench, **members: object) -> None:
    for patient in bench.patients:
        bench.ehr.put("Patient", patient, patient, NOON - DAY)
        for number in range(5):
            at = NOON - timedelta(days=200 - number)
            bench.ehr.put(
                "Observation",
                f"{patient}-{number}",
                patient,
                at,
                effectiveDateTime=at.date().isoformat(),
                category=CODES[number % 2],
                **members,
            )


def plan(strategy: Strategy) -> Plan:
    types = ("Patient", "Observation")
    return plan_for(strategy, SyncSpec(), None, types, Learnt())


def test_a_search_that_needs_a_category_is_asked_again_with_each(bench: Bench) -> None:
    fill(bench)
    bench.ehr.needs_category = True
    done = bench.sync()
    assert done.gaps == []
    assert done.needs == {"Observation": "category"}
    assert bench.stored() == bench.ehr.truth()


def test_a_category_that_is_needed_and_not_known_is_a_gap_by_name(bench: Bench) -> None:
    fill(bench)
    needed = outcome("error", "required")
    needed["issue"][0]["diagnostics"] = "category is required"
    bench.ehr.script = lambda request: (
        bench.ehr.response(400, needed) if "/Observation" in request.url else None
    )
    done = bench.sync()
    assert {gap.query.patient for gap in done.gaps} == {"p", "q"}
    assert all("status 400: error required" in gap.reason for gap in done.gaps)
    assert all(gap.query.type == "Observation" for gap in done.gaps)


def test_a_bound_that_is_refused_costs_a_full_reading_and_no_gap(bench: Bench) -> None:
    fill(bench)
    bench.sync()
    bench.clock.advance(3600)
    bench.ehr.put("Observation", "p-new", "p", bench.clock.now())

    def refuse(request: Request) -> object:
        return bench.ehr.outcome(400, "not-supported") if "_lastUpdated" in request.url else None

    bench.ehr.script = refuse
    done = bench.sync()
    assert done.gaps == []
    assert bench.stored() == bench.ehr.truth()
    assert ("Observation", "refused a lower bound, so everything was read") in done.notes


def test_by_date_only_the_window_is_read_and_everything_once_a_week(bench: Bench) -> None:
    bench.plan = plan(Strategy.DATE_WINDOW)
    fill(bench)
    bench.sync()
    bench.clock.advance(DAY.total_seconds())
    today = bench.clock.now().date().isoformat()
    bench.ehr.put("Observation", "p-new", "p", bench.clock.now(), effectiveDateTime=today)
    bench.ehr.put("Observation", "p-late", "p", bench.clock.now(), effectiveDateTime="2020-01-01")
    done = bench.sync()
    assert (done.counts.new, done.counts.unchanged) == (1, 2), "the patients are read whole"
    bench.clock.advance(7 * DAY.total_seconds())
    assert bench.sync().counts.new == 1, "what was entered late"
    assert bench.stored() == bench.ehr.truth()


def test_without_versions_and_stamps_a_change_is_known_by_its_bytes(bench: Bench) -> None:
    bench.plan = plan(Strategy.FULL_HASH)
    fill(bench)
    for each in bench.ehr.current.values():
        del each["meta"]
    bench.sync()
    assert bench.sync().counts.unchanged == 12
    bench.ehr.current["Observation", "p-1"]["status"] = "amended"
    done = bench.sync()
    assert (done.counts.changed, done.counts.unchanged) == (1, 11)
    assert bench.stored() == bench.ehr.truth()


def test_only_queries_read_from_first_to_last_page_count_as_whole(bench: Bench) -> None:
    fill(bench)
    assert bench.sync().whole == {
        Query(patient, type_) for patient in bench.patients for type_ in bench.types
    }
    bench.clock.advance(3600)
    assert bench.sync().whole == set()


@pytest.mark.parametrize(("ignores", "honoured"), [(False, True), (True, False)])
def test_what_an_ehr_does_with_last_updated_is_found_out(
    bench: Bench,
    *,
    ignores: bool,
    honoured: bool,
) -> None:
    fill(bench)
    bench.ehr.ignores_last_updated = ignores
    assert bench.probed() == {"Patient": honoured, "Observation": honoured}


def test_a_refused_parameter_is_not_honoured_and_no_data_is_no_proof(bench: Bench) -> None:
    bench.ehr.put("Patient", "p", "p", NOON)
    assert bench.probed() == {"Patient": True}, "p has no Observations"
    bench.ehr.script = lambda request: (
        bench.ehr.outcome(400, "not-supported") if "_lastUpdated" in request.url else None
    )
    assert bench.probed() == {"Patient": False, "Observation": False}


def test_an_ehr_that_hides_everything_behind_any_bound_is_not_taken_to_honour_it(
    bench: Bench,
) -> None:
    fill(bench)
    empty = {"resourceType": "Bundle", "type": "searchset"}
    bench.ehr.script = lambda request: (
        bench.ehr.response(200, empty) if "_lastUpdated" in request.url else None
    )
    assert bench.probed() == {}


def test_a_probe_asks_with_the_category_that_is_needed(bench: Bench) -> None:
    fill(bench)
    bench.ehr.needs_category = True
    assert bench.probed() == {"Patient": True}, "a search without it proves nothing"
    bench.plan = Plan(DAY, {"Observation": Way(parts=CODES)})
    assert bench.probed() == {"Patient": True, "Observation": True}
