"""A store of any older version opens with all that it held."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest

from harness.sync.model import Counts, Lease, PageDone, Query, Received, RunStatus, Watermark
from harness.sync.store import database
from harness.sync.store.database import Database, Place
from harness.sync.store.store import Store

STEPS = database._migrations()
T0 = datetime(2026, 1, 1, 12, tzinfo=UTC)
AT = "2026-01-01T12:00:00.000000+00:00"
RAW = b'{"value": 1.50}'

WRITTEN: dict[str, list[tuple[str, tuple[Any, ...]]]] = {
    "0001": [
        (
            "INSERT INTO runs (name, fence, started, ended, status) VALUES (?, ?, ?, ?, ?)",
            ("r1", 1, AT, AT, "complete"),
        ),
        (
            """INSERT INTO resources (type, id, patient, version, hash, last_updated, body,
            first_seen, last_seen, run, seen_in) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1, 1)""",
            ("Observation", "o", "p", "2", sha256(RAW).digest(), AT, RAW, AT, AT),
        ),
        (
            """INSERT INTO versions (type, id, version, hash, last_updated, body, seen, run)
            VALUES ('Observation', 'o', '1', ?, ?, ?, ?, 1)""",
            (b"old", AT, b"{}", AT),
        ),
        (
            "INSERT INTO watermarks (patient, type, part, mark, confirmed) VALUES (?, ?, ?, ?, ?)",
            ("p", "Observation", "", AT, AT),
        ),
        (
            """INSERT INTO cursors (patient, type, part, url, started, pages, run)
            VALUES ('p', 'Patient', '', 'https://ehr.example/?page=2', ?, 1, 1)""",
            (AT,),
        ),
        ("INSERT INTO counts VALUES (1, 'p', 'Observation', 1, 0, 0, 0, 0, 1)", ()),
        ("INSERT INTO gaps VALUES (1, 'p', 'Condition', '', 'status 403')", ()),
        ("INSERT INTO leases VALUES ('t', 'sync', 'me:1', 1, '')", ()),
        ("INSERT INTO rates (host, rate) VALUES ('ehr.example', 12.5)", ()),
    ],
    "0002": [("INSERT INTO learnt VALUES ('Observation', 'last_updated', 'honoured', ?)", (AT,))],
    "0003": [("INSERT INTO spent VALUES ('ehr.example', ?, 9.0)", (AT,))],
}
"""What a store of each version wrote into the tables that were new then."""


def older(place: Place, count: int, patch: pytest.MonkeyPatch) -> dict[str, list[tuple[Any, ...]]]:
    """Make a store as the first `count` migrations left it, and tell what it holds."""
    with patch.context() as past:
        past.setattr(database, "_migrations", lambda: STEPS[:count])
        with closing(place.connect()) as db:
            for number, _ in STEPS[:count]:
                for statement, values in WRITTEN.get(f"{number:04}", []):
                    db.execute(statement, values)
            return held(db)


def held(db: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of the tables that were written to."""
    names = [statement.split()[2] for written in WRITTEN.values() for statement, _ in written] + [
        "pseudonyms"
    ]
    found: dict[str, list[tuple[Any, ...]]] = {}
    for name in names:
        try:
            with db.transaction():
                found[name] = [tuple(row) for row in db.execute(f"SELECT * FROM {name}")]
        except Exception as error:
            if name not in str(error):
                raise
    return found


@pytest.mark.parametrize("count", range(1, len(STEPS) + 1))
def test_a_store_of_every_older_version_opens_with_all_that_it_held(
    place: Place, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = older(place, count, monkeypatch)
    assert len(before) >= len(WRITTEN["0001"]) + 1
    with Store(place) as store:
        after = held(store.connection)
        for name, rows in before.items():
            # Columns that came later stand behind those that were there.
            assert [row[: len(rows[0])] for row in after[name]] == rows, name
        assert [(run.name, run.status) for run in store.runs()] == [("r1", RunStatus.COMPLETE)]
        assert store.body("Observation", "o") == RAW
        query = Query("p", "Observation")
        assert store.watermark(query) == Watermark(query, T0, T0)
        lease = Lease("t", "sync", "me:1", 1, T0)
        run = store.begin(lease, "r2", T0)
        same = Received("Observation", "o", "2", T0, RAW)
        newer = Received("Observation", "o", "3", T0, b"{}")
        done = [store.commit(lease, run, PageDone(query, (each,), T0)) for each in (same, newer)]
        assert done == [Counts(unchanged=1, pages=1), Counts(changed=1, pages=1)]


def test_numbers_of_migrations_rise_and_none_is_used_twice() -> None:
    numbers = [number for number, _ in STEPS]
    assert numbers == sorted(set(numbers))
    assert database.newest() == numbers[-1]
