"""Newest version wins; the same again is no change; what was outgrown is kept as history.

`meta.versionId` counts up at most EHRs, and then decides even where stamps disagree (a cluster's
nodes may stamp version N+1 earlier than N). Otherwise `meta.lastUpdated` decides, and where neither
says anything, what came later is newer: some EHRs keep no versions at all.

A page costs one look at what is stored and one statement per kind of change, however many resources
it has; one of resources that the store cannot have costs no look.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import Enum
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple, TypeAlias

from harness.sync.model import Counts, Received
from harness.sync.store.database import Database
from harness.sync.store.rows import text_of

MOST = 500
"""Resources that one look asks for; a database binds only so many values to a statement."""

Key: TypeAlias = tuple[str, str]
Value: TypeAlias = str | int | bytes | None
Values: TypeAlias = tuple[Value, ...]


class Change(Enum):
    """What a received resource is to the store."""

    NEW = Counts(new=1)
    CHANGED = Counts(changed=1)
    UNCHANGED = Counts(unchanged=1)
    OLDER = Counts(older=1)


class Known(NamedTuple):
    """What decides about a version: the stored one, or the one that came.

    `last_updated` is as the store writes it, which sorts as time.
    """

    version: str | None
    last_updated: str | None
    hash: bytes
    deleted: bool = False


def judge(stored: Known | None, came: Known) -> Change:
    """What `came` is beside what is stored."""
    if stored is None:
        return Change.NEW
    if stored.hash == came.hash and stored.version == came.version:
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


def known_of(came: Received) -> Known:
    """What decides about a resource that came."""
    return Known(came.version, text_of(came.last_updated), sha256(came.raw).digest())


def stored_among(db: Database, resources: Iterable[Key]) -> dict[Key, Known]:
    """What the store knows of these (type, id)."""
    found = {}
    for type_, ids in _some(resources):
        rows = db.execute(_among(_LOOK, len(ids)), (type_, *ids))
        for id_, version, last_updated, digest, deleted in rows:
            found[type_, id_] = Known(version, last_updated, digest, bool(deleted))
    return found


def _some(resources: Iterable[Key]) -> Iterator[tuple[str, list[str]]]:
    """Ids of one type, no more of them than a statement takes."""
    by_type: dict[str, list[str]] = {}
    for type_, id_ in resources:
        by_type.setdefault(type_, []).append(id_)
    for type_, ids in by_type.items():
        for start in range(0, len(ids), MOST):
            yield type_, ids[start : start + MOST]


def upsert(
    db: Database,
    page: Sequence[Received],
    patient: str,
    run: int,
    now: datetime,
    *,
    fresh: bool = False,
) -> Counts:
    """Bring the store up to a page, inside the caller's transaction; returns what that was.

    Args:
        db: the store.
        page: what came.
        patient: whose record it belongs to.
        run: the run that asked for it.
        now: when it came.
        fresh: whether the store is likely to have none of it; quicker where that is true.
    """
    at = text_of(now)
    added = _add(db, page, patient, run, at) if fresh else 0
    if fresh and added == len(page):
        return Counts(new=added)
    # What was just added is found there, and is the same.
    done = Counts(new=added, unchanged=-added)
    for part in _parts(page):
        done += _upsert(db, part, patient, run, at)
    return done


def _parts(page: Iterable[Received]) -> Iterator[Mapping[Key, Received]]:
    """The page in parts without repetitions: what comes twice is judged by what came before."""
    part: dict[Key, Received] = {}
    for each in page:
        key = each.type, each.id
        if key in part:
            yield part
            part = {}
        part[key] = each
    if part:
        yield part


def _upsert(db: Database, part: Mapping[Key, Received], patient: str, run: int, now: str) -> Counts:
    stored = stored_among(db, part)
    new: list[Received] = []
    outgrown: list[Values] = []
    changed: list[Values] = []
    older: list[Values] = []
    seen: list[Key] = []
    for key, each in part.items():
        before = stored.get(key)
        if before is None:
            new.append(each)
            continue
        facts = known_of(each)[:3]
        match judge(before, Known(*facts)):
            case Change.UNCHANGED:
                seen.append(key)
            case Change.CHANGED:
                outgrown.append(key)
                changed.append((patient, *facts, each.raw, now, run, run, *key))
            case Change.OLDER:
                older.append((*key, *facts, each.raw, now, run))
                seen.append(key)
    for type_, ids in _some(seen):
        db.execute(_among(_SEEN, len(ids)), (now, run, type_, *ids))
    writes = {_OUTGROW: outgrown, _REPLACE: changed, _KEEP_OLDER: older}
    for statement, rows in writes.items():
        if rows:
            db.executemany(statement, rows)
    return Counts(
        new=_add(db, new, patient, run, now),
        changed=len(changed),
        unchanged=len(seen) - len(older),
        older=len(older),
    )


def _add(db: Database, page: Sequence[Received], patient: str, run: int, now: str) -> int:
    """Add those that the store does not have; returns how many."""
    added = 0
    for start in range(0, len(page), MOST):
        some = page[start : start + MOST]
        values: list[Value] = []
        for each in some:
            raw = each.raw
            values += (each.type, each.id, patient, each.version, text_of(each.last_updated))
            values += (sha256(raw).digest(), raw, now, now, run, run)
        added += db.execute(_insert(len(some)), values).rowcount
    return added


@lru_cache(maxsize=MOST)
def _insert(rows: int) -> str:
    """The statement that adds so many resources: one for all, because each takes the GIL anew."""
    return f"{_INSERT}{', '.join([_ROW] * rows)} ON CONFLICT DO NOTHING"


@lru_cache(maxsize=2 * MOST)
def _among(statement: str, ids: int) -> str:
    """A statement about so many ids of a type."""
    return f"{statement} WHERE type = ? AND id IN ({', '.join('?' * ids)})"


_LOOK = "SELECT id, version, last_updated, hash, deleted FROM resources"
_INSERT = """
INSERT INTO resources (type, id, patient, version, last_updated, hash, body,
                       first_seen, last_seen, run, seen_in)
VALUES """
_ROW = f"({', '.join('?' * 11)})"
_OUTGROW = """
INSERT INTO versions (type, id, version, hash, last_updated, body, seen, run)
SELECT type, id, version, hash, last_updated, body, last_seen, run
FROM resources WHERE type = ? AND id = ?
ON CONFLICT DO NOTHING
"""
_REPLACE = """
UPDATE resources
SET patient = ?, version = ?, last_updated = ?, hash = ?, body = ?,
    deleted = 0, gone = NULL, gone_because = NULL, last_seen = ?, run = ?, seen_in = ?
WHERE type = ? AND id = ?
"""
_KEEP_OLDER = """
INSERT INTO versions (type, id, version, last_updated, hash, body, seen, run)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING
"""
_SEEN = "UPDATE resources SET last_seen = ?, seen_in = ?"
