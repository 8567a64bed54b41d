"""An export and its files, as the store remembers them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from harness.fhir.bulk.manifest import Kind, ManifestFile
from harness.sync.model import Lease
from harness.sync.store.database import Database, Row
from harness.sync.store.rows import instant, instant_or_none, text_of
from harness.sync.store.store import Store


class Phase(StrEnum):
    """How an export stands."""

    ASKED = "asked"
    """It was asked for, and the answer is not known: it may exist at the EHR."""
    RUNNING = "running"
    """The EHR prepares it."""
    LOADING = "loading"
    """Its files are known."""
    CLOSING = "closing"
    """The EHR has to be told to forget it."""


@dataclass(frozen=True, slots=True)
class Job:
    """An export.

    Attributes:
        id: in the store.
        run: the run that began it.
        phase: how it stands.
        since: what it was asked for; None for everything.
        started: when it was asked for, a server time that is surely not too late.
        asked: the same by our clock.
        patients: those whose watermarks it moves.
        types: those that it was asked for.
        poll_url: its status endpoint.
        next_poll: when that may be asked again, by our clock.
        polls: how often it was asked.
        ready: when the EHR said that it is complete: the later of its clock and ours.
        transaction_time: up to when it reaches, as the EHR says; None if that cannot be read.
        token: whether its files are to be asked for with a token.
        newest: the newest believable `lastUpdated` of what was loaded.
    """

    id: int
    run: int
    phase: Phase
    since: datetime | None
    started: datetime
    asked: datetime
    patients: tuple[str, ...]
    types: tuple[str, ...]
    poll_url: str | None = None
    next_poll: datetime | None = None
    polls: int = 0
    ready: datetime | None = None
    transaction_time: datetime | None = None
    token: bool = True
    newest: datetime | None = None


@dataclass(frozen=True, slots=True)
class File:
    """A file of an export.

    Attributes:
        number: in the manifest, from 1.
        kind: what it holds.
        type: the type that it is said to hold; may be empty.
        url: where it is.
        count: lines that it is said to have.
        fetched: whether it lies whole on the disk.
        loaded: bytes that are loaded.
        lines: lines up to there.
        found: those of them that are not blank.
        again: how often it was fetched once more.
        left_in: how many runs could not fetch it.
        done: whether there is nothing more to do about it.
        problem: what could not be had of it, in one line without ids; None if all was.
    """

    number: int
    kind: Kind
    type: str
    url: str
    count: int | None = None
    fetched: bool = False
    loaded: int = 0
    lines: int = 0
    found: int = 0
    again: int = 0
    left_in: int = 0
    done: bool = False
    problem: str | None = None


class Jobs:
    """The exports of one tenant; whoever uses it is in the store's thread.

    Args:
        store: the tenant's.
        lease: checked with every write.
    """

    def __init__(self, store: Store, lease: Lease) -> None:
        self._store = store
        self._lease = lease

    def open(self) -> Job | None:
        """The export to go on with."""
        return open_job(self._store)

    def closing(self) -> tuple[Job, ...]:
        """Those that the EHR has still to be told to forget."""
        return _jobs(self._store, "phase = ?", Phase.CLOSING)

    def files(self, job: Job) -> tuple[File, ...]:
        """The files of an export, in order."""
        rows = self._store.connection.execute(
            "SELECT * FROM bulk_files WHERE job = ? ORDER BY number", (job.id,)
        )
        return tuple(_file(row) for row in rows)

    def put(self, job: Job) -> Job:
        """Write down how an export stands; one whose id is 0 gets one."""
        with self._store.fenced(self._lease) as db:
            return put_job(db, job)

    def put_files(self, job: Job, files: Iterable[File]) -> None:
        """Write down how an export stands, and these files of it."""
        with self._store.fenced(self._lease) as db:
            put_job(db, job)
            for file in files:
                put_file(db, job, file)

    def remove(self, job: Job) -> None:
        """Forget an export."""
        with self._store.fenced(self._lease) as db:
            drop_files(db, job)
            db.execute("DELETE FROM bulk_jobs WHERE id = ?", (job.id,))


def open_job(store: Store) -> Job | None:
    """The export that the next run goes on with."""
    rows = _jobs(store, "phase <> ?", Phase.CLOSING)
    return rows[-1] if rows else None


def put_job(db: Database, job: Job) -> Job:
    """Write an export down, inside the caller's transaction; with an id where it has none."""
    number = job.id
    if not number:
        last = db.execute("SELECT max(id) FROM bulk_jobs").fetchone()[0]
        number = (last or 0) + 1
    values = (
        job.run,
        job.phase,
        text_of(job.since),
        text_of(job.started),
        text_of(job.asked),
        job.poll_url,
        text_of(job.next_poll),
        job.polls,
        text_of(job.ready),
        text_of(job.transaction_time),
        int(job.token),
        text_of(job.newest),
        json.dumps(job.patients),
        json.dumps(job.types),
        number,
    )
    db.execute(_UPDATE_JOB if job.id else _INSERT_JOB, values)
    return job if job.id else _numbered(job, number)


def put_file(db: Database, job: Job, file: File) -> None:
    """Write a file down, inside the caller's transaction."""
    where = (job.id, file.number)
    db.execute("DELETE FROM bulk_files WHERE job = ? AND number = ?", where)
    db.execute(
        "INSERT INTO bulk_files (job, number, kind, type, url, count, fetched, loaded, lines,"
        " found, again, left_in, done, problem)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *where,
            file.kind,
            file.type,
            file.url,
            file.count,
            int(file.fetched),
            file.loaded,
            file.lines,
            file.found,
            file.again,
            file.left_in,
            int(file.done),
            file.problem,
        ),
    )


def advance_newest(db: Database, job: Job, newest: datetime | None) -> None:
    """Remember a newer `lastUpdated` of what was loaded, inside the caller's transaction."""
    at = text_of(newest)
    db.execute(
        "UPDATE bulk_jobs SET newest = ? WHERE id = ? AND (newest IS NULL OR newest < ?)",
        (at, job.id, at),
    )


def drop_files(db: Database, job: Job) -> None:
    """Forget the files of an export, inside the caller's transaction."""
    db.execute("DELETE FROM bulk_files WHERE job = ?", (job.id,))


def files_of(entries: Iterable[ManifestFile], lost: Iterable[str] = ()) -> list[File]:
    """What a manifest names, to be fetched; what it lost, as files with a problem."""
    files = [File(n, e.kind, e.type, e.url, e.count) for n, e in enumerate(entries, 1)]
    for problem in lost:
        number = len(files) + 1
        files.append(File(number, Kind.OUTPUT, "", "", done=True, problem=problem))
    return files


def _jobs(store: Store, where: str, *values: str) -> tuple[Job, ...]:
    rows = store.connection.execute(
        f"SELECT * FROM bulk_jobs WHERE {where} ORDER BY id",  # noqa: S608 - our own words
        values,
    )
    return tuple(_job(row) for row in rows)


def _numbered(job: Job, number: int) -> Job:
    return replace(job, id=number)


def _job(row: Row) -> Job:
    return Job(
        row["id"],
        row["run"],
        Phase(row["phase"]),
        instant_or_none(row["since"]),
        instant(row["started"]),
        instant(row["asked"]),
        tuple(json.loads(row["patients"])),
        tuple(json.loads(row["types"])),
        row["poll_url"],
        instant_or_none(row["next_poll"]),
        row["polls"],
        instant_or_none(row["ready"]),
        instant_or_none(row["transaction_time"]),
        bool(row["token"]),
        instant_or_none(row["newest"]),
    )


def _file(row: Row) -> File:
    return File(
        row["number"],
        Kind(row["kind"]),
        row["type"],
        row["url"],
        row["count"],
        bool(row["fetched"]),
        row["loaded"],
        row["lines"],
        row["found"],
        row["again"],
        row["left_in"],
        bool(row["done"]),
        row["problem"],
    )


_INSERT_JOB = """
INSERT INTO bulk_jobs (run, phase, since, started, asked, poll_url, next_poll, polls, ready,
                       transaction_time, token, newest, patients, types, id)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_UPDATE_JOB = """
UPDATE bulk_jobs
SET run = ?, phase = ?, since = ?, started = ?, asked = ?, poll_url = ?, next_poll = ?, polls = ?,
    ready = ?, transaction_time = ?, token = ?, newest = ?, patients = ?, types = ?
WHERE id = ?
"""
