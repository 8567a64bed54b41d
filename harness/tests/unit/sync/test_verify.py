from __future__ import annotations

import asyncio
from datetime import timedelta

from harness.errors import ExitStatus
from harness.sync.account import Missing
from harness.sync.deletions.gone import Held, listed, read_absent
from harness.sync.model import PageDone, Query, Received
from harness.sync.store.store import Store
from harness.sync.verify.listing import Difference, Kind, Listing
from harness.sync.verify.verification import Result, Told, Verification
from harness.tests.unit.sync.conftest import NOON, Bench


def shown(bench: Bench) -> tuple[Difference, ...]:
    """A verification of what the fake EHR holds, without changing the store."""
    listing = Listing(bench.store)
    for (type_, id_), raw in sorted(bench.ehr.truth().items()):
        resource = bench.ehr.current[type_, id_]
        version = resource["meta"]["versionId"]
        query = Query(id_.partition("-")[0], type_)
        received = Received(type_, id_, version, NOON, raw)
        listing.commit(bench.lease(), 0, PageDone(query, (received,), NOON))
    pairs = [(patient, type_) for patient in bench.patients for type_ in bench.types]
    listing.read(asyncio.run(read_absent(bench.reader(), listing.absent(pairs))))
    return listing.differences


def ready(bench: Bench) -> None:
    for patient in bench.patients:
        bench.ehr.put("Patient", patient, patient, NOON)
        bench.ehr.put("Observation", f"{patient}-1", patient, NOON)
    bench.sync()


def rows(store: Store) -> list[tuple[object, ...]]:
    found = store.connection.execute("SELECT * FROM resources ORDER BY type, id").fetchall()
    return [tuple(row) for row in found]


def test_equal_sides_have_no_differences(bench: Bench) -> None:
    ready(bench)
    assert shown(bench) == ()


def test_everything_that_differs_is_named_and_the_store_stays_as_it_is(bench: Bench) -> None:
    ready(bench)
    before = rows(bench.store)
    bench.ehr.put("Observation", "p-2", "p", NOON)
    bench.ehr.put("Observation", "p-1", "p", NOON + timedelta(hours=1), status="amended")
    del bench.ehr.current["Observation", "q-1"]
    found = {(each.kind, each.held, each.reason) for each in shown(bench)}
    assert found == {
        (Kind.MISSING, Held("p", "Observation", "p-2"), "the store does not hold it"),
        (
            Kind.STALE,
            Held("p", "Observation", "p-1"),
            "the EHR shows version 2, the store holds 1",
        ),
        (
            Kind.EXTRA,
            Held("q", "Observation", "q-1"),
            "a full listing does not have it, and a read answers 404",
        ),
    }
    assert rows(bench.store) == before


def test_what_only_a_read_shows_is_compared_and_is_no_extra(bench: Bench) -> None:
    ready(bench)
    hidden = bench.ehr.current["Observation", "p-1"]
    listing = Listing(bench.store)
    absent = listing.absent([("p", "Observation")])
    assert absent == (Held("p", "Observation", "p-1"),)
    listing.read(asyncio.run(read_absent(bench.reader(), absent)))
    assert listing.differences == ()
    hidden["status"] = "amended"
    again = Listing(bench.store)
    again.read(asyncio.run(read_absent(bench.reader(), absent)))
    assert [each.kind for each in again.differences] == [Kind.STALE]


def test_an_older_version_at_the_ehr_is_told_as_such(bench: Bench) -> None:
    ready(bench)
    bench.ehr.put("Observation", "p-1", "p", NOON, status="amended")
    bench.sync()
    bench.ehr.current["Observation", "p-1"]["meta"]["versionId"] = "1"
    (found,) = shown(bench)
    assert found.reason == "the EHR shows version 1, older than 2 in the store"


def test_only_what_was_listed_in_every_part_is_looked_for(bench: Bench) -> None:
    whole = {Query("p", "Patient"), Query("q", "Observation", "laboratory")}
    assert list(listed(bench.plan, whole)) == [("p", "Patient")]


def test_the_page_counts_by_type_and_names_each() -> None:
    told = Told(Kind.STALE, "Observation", "patient-1", "resource-2", "why")
    gap = Missing("patient-3", "Condition", "", "status 403: error forbidden")
    page = Verification(
        "t",
        NOON,
        NOON + timedelta(seconds=2),
        Result.DIFFERENT,
        patients=2,
        compared={"Observation": 9},
        differences=(told,),
        missing=(gap,),
    )
    assert page.exit_status is ExitStatus.INCOMPLETE
    assert page.lines() == [
        "store of t and EHR: different",
        "               at the EHR  missing  stale  extra",
        "  Observation           9        0      1      0",
        "  different:",
        "    stale: Observation resource-2 of patient-1: why",
        "  not compared:",
        "    Condition of patient-3: status 403: error forbidden",
        "  2 patients, 0 requests in 2.0 s, 0 refused, 0.0 s waited",
    ]
    assert page.as_json()["differences"] == [
        {
            "kind": "stale",
            "type": "Observation",
            "patient": "patient-1",
            "id": "resource-2",
            "reason": "why",
        }
    ]
