"""Newest version wins; the same again is no change; what was outgrown is kept as history.

`meta.versionId` counts up at most EHRs, and then decides even where stamps disagree (a cluster's
nodes may stamp version N+1 earlier than N). Otherwise `meta.lastUpdated` decides, and where neither
says anything, what came later is newer: some EHRs keep no versions at all.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from hashlib import sha256

from harness.sync.model import Counts, Received
from harness.sync.rows import instant_or_none, text_of


class Change(Enum):
    """What a received resource is to the store."""

    NEW = Counts(new=1)
    CHANGED = Counts(changed=1)
    UNCHANGED = Counts(unchanged=1)
    OLDER = Counts(older=1)


@dataclass(frozen=True, slots=True)
class Known:
    """What decides about a version: the stored one, or the one that came."""

    version: str | None
    last_updated: datetime | None
    hash: bytes
    deleted: bool = False


def judge(stored: Known | None, came: Known) -> Change:
    """What `came` is beside what is stored."""
    if stored is None:
        return Change.NEW
    if (stored.version, stored.hash) == (came.version, came.hash):
        return Change.CHANGED if stored.deleted else Change.UNCHANGED
    return Change.OLDER if _is_older(came, stored) else Change.CHANGED


def _is_older(came: Known, stored: Known) -> bool:
    ours, theirs = _number(stored.version), _number(came.version)
    if ours is not None and theirs is not None and ours != theirs:
        return theirs < ours
    if stored.last_updated is not None and came.last_updated is not None:
        return came.last_updated < stored.last_updated
    return False


def _number(version: str | None) -> int | None:
    return int(version) if version and version.isascii() and version.isdigit() else None


def upsert(db: sqlite3.Connection, came: Received, patient: str, run: int, now: datetime) -> Counts:
    """Bring the store up to `came`, inside the caller's transaction; returns what that was."""
    row = db.execute(
        "SELECT version, last_updated, hash, deleted FROM resources WHERE type = ? AND id = ?",
        (came.type, came.id),
    ).fetchone()
    digest = sha256(came.raw).digest()
    change = judge(
        Known(row[0], instant_or_none(row[1]), row[2], bool(row[3])) if row else None,
        Known(came.version, came.last_updated, digest),
    )
    values = {
        "type": came.type,
        "id": came.id,
        "patient": patient,
        "version": came.version,
        "hash": digest,
        "last_updated": text_of(came.last_updated),
        "body": came.raw,
        "now": text_of(now),
        "run": run,
    }
    for statement in _STATEMENTS[change]:
        db.execute(statement, values)
    return change.value


_INSERT = """
INSERT INTO resources (type, id, patient, version, hash, last_updated, body,
                       first_seen, last_seen, run, seen_in)
VALUES (:type, :id, :patient, :version, :hash, :last_updated, :body, :now, :now, :run, :run)
"""
_OUTGROW = """
INSERT OR IGNORE INTO versions (type, id, version, hash, last_updated, body, seen, run)
SELECT type, id, version, hash, last_updated, body, last_seen, run
FROM resources WHERE type = :type AND id = :id
"""
_REPLACE = """
UPDATE resources
SET patient = :patient, version = :version, hash = :hash, last_updated = :last_updated,
    body = :body, deleted = 0, gone = NULL, gone_because = NULL, last_seen = :now,
    run = :run, seen_in = :run
WHERE type = :type AND id = :id
"""
_KEEP_OLDER = """
INSERT OR IGNORE INTO versions (type, id, version, hash, last_updated, body, seen, run)
VALUES (:type, :id, :version, :hash, :last_updated, :body, :now, :run)
"""
_SEEN = """
UPDATE resources SET last_seen = :now, seen_in = :run WHERE type = :type AND id = :id
"""
_STATEMENTS = {
    Change.NEW: (_INSERT,),
    Change.CHANGED: (_OUTGROW, _REPLACE),
    Change.UNCHANGED: (_SEEN,),
    Change.OLDER: (_KEEP_OLDER, _SEEN),
}
