"""Compares a tenant's store with its EHR by a full pull, and changes nothing in the store.

`Listing` takes the place of the store under a pull: it compares what comes with what is held. What
is held and was not listed is read, so that a listing that leaves things out is told apart from a
deletion.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import StrEnum

from harness.sync.deletions.gone import Gone, Held, Read
from harness.sync.model import Counts, Cursor, Lease, PageDone, Query, Received, Watermark
from harness.sync.order import Key
from harness.sync.store.store import Store
from harness.sync.store.upsert import Change, Known, judge, known_of, stored_among


class Kind(StrEnum):
    """How a resource differs."""

    MISSING = "missing"
    """The EHR shows it, the store does not hold it."""
    STALE = "stale"
    """Both have it, in different versions."""
    EXTRA = "extra"
    """The store holds it, the EHR has it no more."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One resource in which store and EHR differ; `reason` is for a person."""

    kind: Kind
    held: Held
    reason: str


class Listing:
    """What an EHR shows, compared with the store as it comes; a `Keeper` of a pull.

    Args:
        store: read only.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        # Hashes, because an EHR may have millions.
        self._seen: set[int] = set()
        self._differing: dict[Key, Difference] = {}
        self._cursors: dict[Query, Cursor] = {}
        self._listed: dict[tuple[str, str], set[str]] = {}
        self.compared: dict[str, int] = {}
        """Resources that both have, or that the EHR shows, by type."""

    @property
    def differences(self) -> tuple[Difference, ...]:
        """What differs among all that came, each resource once."""
        return tuple(self._differing.values())

    def cursor(self, query: Query) -> Cursor | None:
        """Where a query of this verification is; each starts at its first page."""
        return self._cursors.get(query)

    def watermark(self, _query: Query) -> Watermark | None:
        """Every query asks for everything."""
        return None

    def forget_cursor(self, _lease: Lease, query: Query) -> None:
        """Let `query` start again."""
        self._cursors.pop(query, None)

    def commit(self, _lease: Lease, _run: int, page: PageDone) -> Counts:
        """Compare a page."""
        query = page.query
        self.forget_cursor(_lease, query)
        if page.cursor is not None:
            self._cursors[query] = page.cursor
        listed = self._listed.setdefault((query.patient, query.type), set())
        listed.update(each.id for each in page.received if each.type == query.type)
        if page.watermark is not None:
            del self._listed[query.patient, query.type]
        return self._compare([*page.received, *page.chased], query.patient) + Counts(pages=1)

    def together(self, _lease: Lease) -> AbstractContextManager[None]:
        """Nothing is written, so nothing has to be held together."""
        return nullcontext()

    def seen(self, query: Query, _run: int) -> frozenset[str]:
        """Ids of the query's patient and type that came; none once it has ended."""
        return frozenset(self._listed.get((query.patient, query.type), ()))

    def held(self, keys: Sequence[Key]) -> Mapping[Key, bytes]:
        """Those of these (type, id) that came."""
        return {key: b"" for key in keys if hash(key) in self._seen}

    def absent(self, pairs: Iterable[tuple[str, str]]) -> tuple[Held, ...]:
        """What the store holds of these (patient, type) and no page showed."""
        found = []
        for patient, type_ in pairs:
            rows = self._store.connection.execute(
                "SELECT id FROM resources WHERE patient = ? AND type = ? AND deleted = 0"
                " ORDER BY id",
                (patient, type_),
            )
            found += [
                Held(patient, type_, row["id"])
                for row in rows
                if hash((type_, row["id"])) not in self._seen
            ]
        return tuple(found)

    def read(self, read: Read) -> tuple[Gone, ...]:
        """Take over what reading the absent ones told; returns those that are surely gone."""
        for held, received in read.alive:
            self._compare([received], held.patient)
        for each in read.gone:
            found = Difference(Kind.EXTRA, each.held, each.reason)
            self._differing[each.held.type, each.held.id] = found
        return read.gone

    def _compare(self, page: Sequence[Received], patient: str) -> Counts:
        done = Counts()
        stored = stored_among(self._store.connection, [(each.type, each.id) for each in page])
        for came in page:
            key = came.type, came.id
            if hash(key) not in self._seen:
                self.compared[came.type] = self.compared.get(came.type, 0) + 1
            change = judge(stored.get(key), known_of(came))
            held = Held(patient, came.type, came.id)
            self._seen.add(hash(key))
            difference = _difference(held, stored.get(key), came, change)
            if difference is not None:
                self._differing[key] = difference
            else:
                self._differing.pop(key, None)
            done += change.value
        return done


def _difference(
    held: Held, stored: Known | None, came: Received, change: Change
) -> Difference | None:
    if change is Change.UNCHANGED:
        return None
    if stored is None:
        return Difference(Kind.MISSING, held, "the store does not hold it")
    if stored.deleted:
        return Difference(Kind.MISSING, held, "the store holds it as deleted")
    if change is Change.OLDER:
        reason = f"the EHR shows version {came.version}, older than {stored.version} in the store"
    elif stored.version == came.version:
        reason = f"the same version ({came.version}) with other content"
    else:
        reason = f"the EHR shows version {came.version}, the store holds {stored.version}"
    return Difference(Kind.STALE, held, reason)
