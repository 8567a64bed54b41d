"""`kill -9` while an export is prepared, fetched or loaded: nothing is lost or counted twice.

Three kills here, sixty with `HARNESS_SOAK=1` (`tox -e soak`).
"""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import time
from contextlib import closing, suppress
from pathlib import Path

from harness.reference.process import Running
from harness.sync.bulk.loading import LINES
from harness.tests.chaos.bulk import trial

SOAK = os.environ.get("HARNESS_SOAK") == "1"
KILLS = 60 if SOAK else 3
LONGEST = 20.0


def loaded(store: Path) -> int:
    """How many resources the store holds; 0 while it is being made."""
    if not store.exists():
        return 0
    with closing(sqlite3.connect(store)) as db, suppress(sqlite3.OperationalError):
        return int(db.execute("SELECT count(*) FROM resources").fetchone()[0])
    return 0


def await_more(store: Path, process: subprocess.Popen[bytes], chance: random.Random) -> None:
    """Until a random number of further resources are loaded, and a random moment more."""
    target = loaded(store) + chance.randrange(600)
    deadline = time.monotonic() + LONGEST
    while process.poll() is None and loaded(store) < target and time.monotonic() < deadline:
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=chance.uniform(0.001, 0.05))
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=chance.uniform(0.0, 0.3))


def test_kills_lose_nothing_of_an_export_and_repeat_at_most_a_batch(
    tmp_path: Path, reference: Running
) -> None:
    of = trial(
        tmp_path,
        reference,
        "bulk-killed",
        bulk={"one_at_a_time": True, "file_size": 200},
        limits={"requests_per_second": 40, "burst": 1, "concurrency": 2},
    )
    store, chance = of.site.store(of.path), random.Random(6)
    stages = set()
    for number in range(KILLS):
        process = of.site.start(*of.site.sync_words(of.path))
        await_more(store, process, chance)
        process.kill()
        process.communicate()
        stages.add(loaded(store))
        of.observe(of.patients[number % 3], f"killed-{number}")
    assert len(stages) > 1, "the kills struck while files were loaded"
    first, _ = of.site.sync(of.path)
    status, account = of.site.sync(of.path)
    assert (first, status, account["missing"]) == (0, 0, [])
    assert of.stored() == of.truth()
    counts = of.rows("SELECT sum(new), sum(changed), sum(unchanged) FROM counts")
    new, changed, unchanged = counts[0]
    assert (new, changed) == (len(of.truth()), 0), "each is new once, over all runs"
    assert unchanged <= KILLS * LINES
    assert of.rows("SELECT count(*) FROM bulk_jobs") == [(0,)]
    assert of.rows("PRAGMA integrity_check") == [("ok",)]
    assert of.rows("PRAGMA foreign_key_check") == []
    folder = of.site.data / "tenants" / of.instance / "bulk"
    assert list(folder.iterdir()) == [], "no file stays behind"
