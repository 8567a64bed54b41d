"""Exports and files in a store of each make."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harness.fhir.bulk.manifest import Kind, ManifestFile
from harness.scheduler.leases import acquire
from harness.sync.bulk import loading
from harness.sync.bulk.job import File, Job, Jobs, Phase, files_of
from harness.sync.bulk.loading import Loader, Whose, finished
from harness.sync.model import Lease
from harness.sync.store.database import Place
from harness.sync.store.store import LeaseLost, Store

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
JOB = Job(0, 1, Phase.ASKED, None, NOON, NOON, ("p1", "p2"), ("Patient", "Observation"))
FILE = File(1, Kind.OUTPUT, "Observation", "https://files.example/1")


class Held:
    """A store with a run that began, and its lease."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.lease: Lease = acquire(store, "t", "sync", by="me:1", now=NOON, holder_is_dead=True)
        self.run = store.begin(self.lease, "run", NOON)
        self.jobs = Jobs(store, self.lease)
        self.job = self.jobs.put(replace(JOB, run=self.run))

    def loader(self, path: Path, file: File = FILE) -> Loader:
        return Loader(
            self.store,
            self.lease,
            self.run,
            self.job,
            file,
            path,
            whose=Whose(JOB.types, set(JOB.patients)),
            longest=1000,
            now=lambda: NOON,
        )


@pytest.fixture
def held(place: Place) -> Iterator[Held]:
    with Store(place) as store:
        yield Held(store)


def lines(count: int, patient: str = "p1", stamp: str = "2026-05-01T10:00:00Z") -> bytes:
    return b"".join(
        json.dumps(
            {
                "resourceType": "Observation",
                "id": f"o{number}",
                "meta": {"versionId": "1", "lastUpdated": stamp},
                "subject": {"reference": f"Patient/{patient}"},
            }
        ).encode()
        + b"\n"
        for number in range(count)
    )


def test_an_export_is_remembered_as_it_stands(held: Held) -> None:
    stands = replace(
        held.job,
        phase=Phase.LOADING,
        since=NOON - timedelta(days=1),
        poll_url="https://ehr.example/jobs/1",
        next_poll=NOON,
        polls=3,
        ready=NOON,
        transaction_time=NOON,
        token=False,
        newest=NOON,
    )
    files = files_of(
        [
            ManifestFile(Kind.OUTPUT, "Patient", "u1", 5),
            ManifestFile(Kind.DELETED, "Bundle", "u2"),
        ],
        lost=["output entry 3 has no url"],
    )
    held.jobs.put_files(stands, files)
    assert held.jobs.open() == stands
    assert held.jobs.files(stands) == tuple(files)
    assert files[2].done
    done = replace(files[0], fetched=True, loaded=1 << 40, lines=3, found=2, done=True)
    held.jobs.put_files(stands, [done])
    assert held.jobs.files(stands)[0] == done


def test_an_export_that_closes_is_not_gone_on_with(held: Held) -> None:
    closing = held.jobs.put(replace(held.job, phase=Phase.CLOSING))
    second = held.jobs.put(replace(JOB, run=held.run))
    assert second.id == closing.id + 1
    assert held.jobs.open() == second
    assert held.jobs.closing() == (closing,)
    held.jobs.remove(closing)
    assert held.jobs.closing() == ()


def test_nothing_is_written_without_the_lease(held: Held) -> None:
    later = NOON + timedelta(hours=1)
    acquire(held.store, "t", "sync", by="other:2", now=later, holder_is_dead=True)
    with pytest.raises(LeaseLost):
        held.jobs.put(held.job)


def test_a_file_is_loaded_batch_by_batch_and_gone_on_with(
    held: Held, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "LINES", 4)
    path = tmp_path / "file"
    path.write_bytes(lines(10))
    with held.loader(path) as loader:
        assert loader.batch().new == 4
    (file,) = held.jobs.files(held.job)
    assert (file.lines, path.read_bytes()[: file.loaded].count(b"\n")) == (4, 4)
    with held.loader(path, file) as loader:
        while not loader.ended:
            loader.batch()
    assert loader.told.counts.new == 6, "what was loaded is not loaded again"
    assert held.store.holdings() == {"Observation": 10}
    job = held.jobs.open()
    assert job is not None
    assert job.newest == datetime(2026, 5, 1, 10, tzinfo=UTC)
    assert finished(loader).problem is None


def test_a_stamp_of_the_future_is_not_the_newest(held: Held, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(lines(2, stamp="2099-01-01T00:00:00Z"))
    with held.loader(path) as loader:
        loader.batch()
    job = held.jobs.open()
    assert job is not None
    assert job.newest is None


def test_what_was_seen_by_the_export_is_not_deleted_unread(held: Held, tmp_path: Path) -> None:
    path, deleted = tmp_path / "file", tmp_path / "deleted"
    path.write_bytes(lines(2))
    entries = [
        {"request": {"method": "DELETE", "url": f"Observation/{id_}"}} for id_ in ("o1", "unknown")
    ]
    deleted.write_bytes(json.dumps({"resourceType": "Bundle", "entry": entries}).encode())
    with held.loader(path) as loader:
        loader.batch()
    with held.loader(deleted, replace(FILE, number=2, kind=Kind.DELETED)) as loader:
        loader.batch()
    assert [each.id for each in loader.told.doubtful] == ["o1"]
    assert held.store.holdings() == {"Observation": 2}
    held.job = held.jobs.put(replace(held.job, run=held.store.begin(held.lease, "next", NOON)))
    with held.loader(deleted, replace(FILE, number=2, kind=Kind.DELETED)) as loader:
        assert loader.batch().deleted == 1
    assert [each.held.id for each in loader.told.gone] == ["o1"]
    assert held.store.holdings() == {"Observation": 1}
