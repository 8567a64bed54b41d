"""What one instance wrote, in SQLite: in memory, or in a file that survives the process.

One row for each version, in the order of the writes. The data below is not in here: it can be
made again from its seed.
"""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from harness.errors import UsageError
from harness.reference.fhir.stored import Stored, Versions

IN_MEMORY: Final = ":memory:"
APPLICATION_ID: Final = 0x46485246
SCHEMA_VERSION: Final = 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_SCHEMA: Final = f"""
    CREATE TABLE versions (
        seq INTEGER PRIMARY KEY, type TEXT NOT NULL, id TEXT NOT NULL, version TEXT NOT NULL,
        stamp INTEGER NOT NULL, owner TEXT, deleted INTEGER NOT NULL, body BLOB NOT NULL,
        latest INTEGER NOT NULL, below INTEGER NOT NULL
    );
    CREATE INDEX versions_by_id ON versions (type, id, seq);
    CREATE INDEX versions_by_owner ON versions (type, owner) WHERE latest;
    CREATE INDEX versions_over_data ON versions (type) WHERE latest AND below;
    CREATE TABLE world (seed INTEGER NOT NULL, patients INTEGER NOT NULL, now TEXT NOT NULL);
    PRAGMA application_id = {APPLICATION_ID};
    PRAGMA user_version = {SCHEMA_VERSION};
"""
_INSERT: Final = (
    "INSERT INTO versions (type, id, version, stamp, owner, deleted, body, below, latest) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1)"
)
_REPLACE: Final = (
    "UPDATE versions SET type = ?, id = ?, version = ?, stamp = ?, owner = ?, deleted = ?, "
    "body = ? WHERE type = ? AND id = ? AND latest"
)
_SELECT: Final = "SELECT type, id, version, stamp, owner, deleted, body FROM versions"

# Beside max(), SQLite takes the other columns of a group from the row that has the maximum.
_AS_OF: Final = (
    "SELECT type, id, version, stamp, owner, deleted, body, max(seq) FROM versions "
    "WHERE type = ? AND id > ? AND stamp <= ? GROUP BY id ORDER BY id LIMIT 500"
)


@dataclass(frozen=True, slots=True)
class Origin:
    """What the data below a file was made of: seed, number of patients, its present in UTC."""

    seed: int
    patients: int
    now: datetime


class Journal:
    """The writes of one instance. Not for threads.

    Args:
        place: a file, which is made if it is missing, or `IN_MEMORY`.

    Raises:
        UsageError: the file cannot be opened, is another program's, or is in use.
    """

    def __init__(self, place: str | Path = IN_MEMORY) -> None:
        try:
            self._db = sqlite3.connect(
                place, timeout=1, isolation_level=None, check_same_thread=False
            )
            weakref.finalize(self, self._db.close)
            self._prepare(place)
        except sqlite3.Error as problem:
            raise UsageError(
                f"--data {place}: it cannot be used as a database ({problem})",
                hint="name a new file, or one that only a stopped reference EHR wrote",
            ) from problem

    def _prepare(self, place: str | Path) -> None:
        """Makes the tables in a new database, and keeps others away from a file."""
        if place != IN_MEMORY:
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
        known = (self._pragma("application_id"), self._pragma("user_version"))
        if known == (0, 0) and not self._db.execute("SELECT 1 FROM sqlite_schema").fetchone():
            self._db.executescript(_SCHEMA)
        elif known != (APPLICATION_ID, SCHEMA_VERSION):
            raise UsageError(
                f"--data {place}: it is a database, but not one of this version's reference EHR",
                hint="name a new file",
            )

    @property
    def origin(self) -> Origin | None:
        """What the data below was made of; None in a new database."""
        row = self._db.execute("SELECT seed, patients, now FROM world").fetchone()
        return Origin(row[0], row[1], datetime.fromisoformat(row[2])) if row else None

    @origin.setter
    def origin(self, origin: Origin) -> None:
        row = (origin.seed, origin.patients, origin.now.isoformat())
        self._db.execute("INSERT INTO world VALUES (?, ?, ?)", row)

    @property
    def latest(self) -> datetime | None:
        """The last `lastUpdated` that was given out, in UTC; None if nothing was written."""
        stamp = self._db.execute("SELECT max(stamp) FROM versions").fetchone()[0]
        return None if stamp is None else _EPOCH + stamp * _MILLISECOND

    def is_empty(self) -> bool:
        """Whether nothing was ever written."""
        return self._db.execute("SELECT 1 FROM versions LIMIT 1").fetchone() is None

    def append(self, stored: Stored, *, new: bool, below: bool) -> None:
        """Adds a version.

        Args:
            stored: the version.
            new: its resource has no version in here yet.
            below: its resource has versions in the data below.
        """
        if not new:
            self._db.execute(
                "UPDATE versions SET latest = 0 WHERE type = ? AND id = ? AND latest",
                (stored.resource_type, stored.id),
            )
        self._db.execute(_INSERT, (*_row(stored), below))

    def replace_last(self, stored: Stored) -> None:
        """Puts another version in the place of the last one of its resource."""
        self._db.execute(_REPLACE, (*_row(stored), stored.resource_type, stored.id))

    def versions(self, resource_type: str, resource_id: str) -> Versions:
        """Returns all versions that were written of a resource, oldest first."""
        rows = self._db.execute(
            f"{_SELECT} WHERE type = ? AND id = ? ORDER BY seq", (resource_type, resource_id)
        )
        return tuple(map(_stored, rows))

    def over(self, resource_type: str) -> frozenset[str]:
        """Returns the ids of the resources of the data below that were written to."""
        rows = self._db.execute(
            "SELECT id FROM versions WHERE type = ? AND latest AND below", (resource_type,)
        )
        return frozenset(row[0] for row in rows)

    def current(self, resource_type: str, patient: str | None) -> Versions:
        """Returns the last versions of a type that are no deletions.

        Args:
            resource_type: such as `Observation`.
            patient: if given, only what belongs to this patient or to nobody.
        """
        where = "WHERE type = ? AND latest AND NOT deleted"
        given: tuple[str, ...] = (resource_type,)
        if patient is not None:
            where += " AND (owner = ? OR owner IS NULL)"
            given = (resource_type, patient)
        return tuple(map(_stored, self._db.execute(f"{_SELECT} {where}", given)))

    def changes(self, resource_type: str, since: datetime | None) -> Iterator[Stored]:
        """Yields every version of a type, the last first, from an instant on if one is given."""
        from_stamp = 0 if since is None else (since - _EPOCH) // _MILLISECOND
        rows = self._db.execute(
            f"{_SELECT} WHERE type = ? AND stamp >= ? ORDER BY seq DESC",
            (resource_type, from_stamp),
        )
        return map(_stored, rows.fetchall())

    def over_by(self, resource_type: str, moment: datetime) -> frozenset[str]:
        """Returns the ids of the resources of the data below that were written to by then."""
        rows = self._db.execute(
            "SELECT DISTINCT id FROM versions WHERE type = ? AND below AND stamp <= ?",
            (resource_type, (moment - _EPOCH) // _MILLISECOND),
        )
        return frozenset(row[0] for row in rows)

    def as_of(self, resource_type: str, moment: datetime) -> Iterator[Stored]:
        """Yields the last version of each resource of a type that was written by then, by id.

        A few at a time, so that it may take long, and that writes may go on meanwhile.
        """
        stamp, last = (moment - _EPOCH) // _MILLISECOND, ""
        while rows := self._db.execute(_AS_OF, (resource_type, last, stamp)).fetchall():
            yield from (_stored(row[:-1]) for row in rows)
            last = rows[-1][1]

    def copy(self) -> Journal:
        """Returns a journal in memory with the same content."""
        copy = Journal()
        if not self.is_empty():
            self._db.backup(copy._db)
        return copy

    @contextmanager
    def transaction(self, *, keep: bool = True) -> Iterator[None]:
        """Writes within take effect together, or not at all where an exception ends it.

        Args:
            keep: False forgets them in any case.
        """
        self._db.execute("SAVEPOINT writes")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK TO writes")
            raise
        else:
            if not keep:
                self._db.execute("ROLLBACK TO writes")
        finally:
            self._db.execute("RELEASE writes")

    def close(self) -> None:
        """Ends it; what was written to a file is there."""
        self._db.close()

    def _pragma(self, name: str) -> int:
        return int(self._db.execute(f"PRAGMA {name}").fetchone()[0])


def _row(stored: Stored) -> tuple[Any, ...]:
    stamp = (stored.last_updated - _EPOCH) // _MILLISECOND
    named = (stored.resource_type, stored.id, stored.version_id, stamp)
    return (*named, stored.patient, stored.deleted, stored.body)


def _stored(row: tuple[Any, ...]) -> Stored:
    kind, resource_id, version, stamp, owner, deleted, body = row
    moment = _EPOCH + stamp * _MILLISECOND
    return Stored(kind, resource_id, version, moment, None, owner, bool(deleted), body)
