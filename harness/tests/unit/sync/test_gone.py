from __future__ import annotations

import asyncio
import json
from datetime import timedelta

from harness.config.ehr import Strategy, SyncSpec
from harness.errors import EhrUnreachable
from harness.http.exchange import Request
from harness.sync.answers.merged import Merged, merged
from harness.sync.asking.strategy import plan_for
from harness.sync.deletions.sweep import sweep
from harness.sync.model import Learnt, Query
from harness.sync.order import Outcome
from harness.tests.unit.sync.conftest import NOON, Bench

DAY = timedelta(days=1)


def ready(bench: Bench, *, types: tuple[str, ...] = ("Patient", "Observation")) -> None:
    bench.plan = plan_for(Strategy.FULL_HASH, SyncSpec(), None, types, Learnt())
    for patient in bench.patients:
        bench.ehr.put("Patient", patient, patient, NOON - DAY)
        for number in range(3):
            bench.ehr.put("Observation", f"{patient}-{number}", patient, NOON - DAY)
    bench.sync()


def swept(bench: Bench, outcome: Outcome) -> list[str]:
    """Ids of what is found gone after a pull."""
    lease = bench.lease()
    run = bench.store.runs()[0].id
    now = bench.clock.now
    work = sweep(bench.store, lease, run, bench.reader(), bench.plan, outcome, now)
    return [each.held.id for each in asyncio.run(work)]


def deleted(bench: Bench) -> list[tuple[str, str]]:
    rows = bench.store.connection.execute("SELECT * FROM resources WHERE deleted = 1")
    return [(row["id"], row["gone_because"]) for row in rows if row["gone"]]


def test_what_a_full_listing_and_a_read_deny_is_deleted_in_the_store(bench: Bench) -> None:
    ready(bench)
    del bench.ehr.current["Observation", "p-1"]
    assert swept(bench, bench.sync()) == ["p-1"]
    reason = "a full listing does not have it, and a read answers 404"
    assert deleted(bench) == [("p-1", reason)]
    assert bench.store.body("Observation", "p-1") is None
    assert bench.store.counts(bench.runs)["p", "Observation"].deleted == 1


def test_what_comes_back_is_alive_again(bench: Bench) -> None:
    ready(bench)
    kept = bench.ehr.current.pop(("Observation", "p-1"))
    swept(bench, bench.sync())
    bench.ehr.current["Observation", "p-1"] = kept
    assert swept(bench, bench.sync()) == []
    assert deleted(bench) == []
    assert bench.stored() == bench.ehr.truth()


def test_a_listing_that_leaves_out_what_can_be_read_deletes_nothing(bench: Bench) -> None:
    ready(bench)
    bench.ehr.unlisted.add("p-1")
    bench.ehr.put("Observation", "p-1", "p", NOON, status="amended")
    outcome = bench.sync()
    assert swept(bench, outcome) == []
    assert bench.stored() == bench.ehr.truth()
    note = ("Observation", "can be read, although a full listing leaves it out")
    assert outcome.notes[note] == 1


def test_what_the_ehr_neither_shows_nor_denies_stays(bench: Bench) -> None:
    ready(bench)
    del bench.ehr.current["Observation", "p-1"]
    bench.ehr.script = lambda request: (
        bench.ehr.outcome(403, "forbidden") if request.url.endswith("/p-1") else None
    )
    outcome = bench.sync()
    assert swept(bench, outcome) == []
    assert bench.store.body("Observation", "p-1") is not None
    note = ("Observation", "a full listing does not have it, and a read answers 403")
    assert outcome.notes[note] == 1


def test_an_incomplete_listing_and_a_bounded_one_prove_nothing(bench: Bench) -> None:
    ready(bench)
    bench.ehr.page_size = 1
    del bench.ehr.current["Observation", "p-1"]
    bench.ehr.script = lambda request: (
        bench.ehr.outcome(500, "exception") if "_getpages" in request.url else None
    )
    assert swept(bench, bench.sync()) == [], "the second page did not come"
    outcome = bench.sync()
    outcome.whole = {Query("p", "Patient")}
    assert swept(bench, outcome) == []


def test_an_ehr_that_falls_silent_deletes_nothing(bench: Bench) -> None:
    ready(bench)
    del bench.ehr.current["Observation", "p-1"], bench.ehr.current["Observation", "p-2"]
    outcome = bench.sync()

    def silent(_request: Request) -> object:
        return EhrUnreachable("GET ehr.example: gone quiet")

    bench.ehr.script = silent
    assert swept(bench, outcome) == []
    assert deleted(bench) == []


def test_entered_in_error_is_a_version_and_no_deletion(bench: Bench) -> None:
    ready(bench)
    bench.ehr.put("Observation", "p-1", "p", NOON, status="entered-in-error")
    outcome = bench.sync()
    assert (outcome.counts.changed, swept(bench, outcome)) == (1, [])
    body = bench.store.body("Observation", "p-1")
    assert body is not None
    assert json.loads(body)["status"] == "entered-in-error"


def test_merged_and_inactive_patients_are_told() -> None:
    link = {"type": "replaced-by", "other": {"reference": "https://e.example/r4/Patient/b"}}
    bodies = {
        "a": {"link": [{"type": "seealso", "other": {"reference": "Patient/x"}}, link]},
        "b": {"active": True},
        "c": {"active": False},
        "d": {"link": "nonsense"},
    }
    stored = [(name, json.dumps(body).encode()) for name, body in bodies.items()]
    found = merged([*stored, ("e", b'{"active": false}')], {"a", "b", "c", "d", "unknown"})
    assert found == (Merged("a", "b"), Merged("c", None))
