"""`kill -9` at any moment: nothing is lost, and nothing is counted twice."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import time
from contextlib import closing, suppress
from pathlib import Path

from harness.reference.process import Running
from harness.sync.model import RunStatus
from harness.tests.integration.sync_site import Site

KILLS = 20
PATIENTS_CHANGED = 3
MOST_PAGES = 12
LONGEST = 20.0


def change(site: Site, instance: str, patients: list[str], number: int) -> None:
    """Another application writes: one new Observation, and one changed again."""
    for id_ in (f"chaos-{number}", "chaos-often"):
        resource = {
            "resourceType": "Observation",
            "id": id_,
            "status": "final",
            "code": {"text": f"change {number}"},
            "subject": {"reference": f"Patient/{patients[number % PATIENTS_CHANGED]}"},
        }
        if id_ == "chaos-often":
            resource["subject"] = {"reference": f"Patient/{patients[0]}"}
        site.running.control("POST", f"/instances/{instance}/resources", resource)


def pages(store: Path) -> int:
    """How many pages the store has had committed; 0 while it is being made."""
    if not store.exists():
        return 0
    with closing(sqlite3.connect(store)) as db, suppress(sqlite3.OperationalError):
        return int(db.execute("SELECT total(pages) FROM counts").fetchone()[0])
    return 0


def await_pages(store: Path, process: subprocess.Popen[bytes], chance: random.Random) -> None:
    """Until a random number of further pages, and a random moment more; none: while it starts."""
    target = pages(store) + chance.randrange(MOST_PAGES)
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=chance.uniform(0.0, 1.0))
    deadline = time.monotonic() + LONGEST
    while process.poll() is None and pages(store) < target and time.monotonic() < deadline:
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=chance.uniform(0.001, 0.05))


def test_twenty_kills_lose_nothing_and_repeat_nothing(tmp_path: Path, reference: Running) -> None:
    site = Site(tmp_path, reference)
    base = str(reference.instance("chaos")["fhir_base"])
    ehr = site.ehr_file(page_size=4, requests_per_second=40, burst=1, concurrency=2)
    tenant = site.backend("killed", base, ehr=ehr, batch_size=2)
    patients = sorted(id_ for type_, id_ in site.truth("chaos") if type_ == "Patient")
    chance = random.Random(20)
    for number in range(KILLS):
        process = site.start(*site.sync_words(tenant))
        await_pages(site.store(tenant), process, chance)
        process.kill()
        process.communicate()
        change(site, "chaos", patients, number)
    status, account = site.sync(tenant)
    assert (status, account["missing"]) == (0, [])
    truth = site.truth("chaos")
    assert site.stored(tenant) == truth
    with closing(sqlite3.connect(site.store(tenant))) as db:
        new, changed = db.execute("SELECT sum(new), sum(changed) FROM counts").fetchone()
        cut_off = db.execute(
            "SELECT count(DISTINCT runs.id) FROM runs JOIN counts ON counts.run = runs.id"
            " WHERE status = ?",
            (RunStatus.CUT_OFF,),
        ).fetchone()[0]
        history = db.execute("SELECT count(*) FROM versions").fetchone()[0]
        problems = db.execute("PRAGMA integrity_check").fetchone()[0]
    assert new == len(truth), "each resource is new once, over all runs"
    assert changed == history, "each change left one version behind"
    assert cut_off >= 3, "the kills struck while pages were being committed"
    assert problems == "ok"
