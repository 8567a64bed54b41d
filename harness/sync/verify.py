"""Compares a tenant's store with its EHR by a full pull, and changes nothing in the store.

`Listing` takes the place of the store under a pull: it compares what comes with what is held. What
is held and was not listed is read, so that a listing that leaves things out is told apart from a
deletion.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.sync.gone import Gone, Held, Read
from harness.sync.model import Counts, Cursor, Lease, PageDone, Query, Received, Watermark
from harness.sync.store import Store
from harness.sync.upsert import Change, Known, judge, known_of, stored_among


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
        self._seen: dict[tuple[str, str], Difference | None] = {}
        self.compared: dict[str, int] = {}
        """Resources that both have, or that the EHR shows, by type."""

    @property
    def differences(self) -> tuple[Difference, ...]:
        """What differs among all that came, each resource once."""
        return tuple(each for each in self._seen.values() if each is not None)

    def cursor(self, _query: Query) -> Cursor | None:
        """Every query starts at its first page."""
        return None

    def watermark(self, _query: Query) -> Watermark | None:
        """Every query asks for everything."""
        return None

    def forget_cursor(self, _lease: Lease, _query: Query) -> None:
        """There is none to forget."""

    def commit(self, _lease: Lease, _run: int, page: PageDone) -> Counts:
        """Compare a page."""
        return self._compare(page.received, page.query.patient) + Counts(pages=1)

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
                if (type_, row["id"]) not in self._seen
            ]
        return tuple(found)

    def read(self, read: Read) -> tuple[Gone, ...]:
        """Take over what reading the absent ones told; returns those that are surely gone."""
        for held, received in read.alive:
            self._compare([received], held.patient)
        for each in read.gone:
            found = Difference(Kind.EXTRA, each.held, each.reason)
            self._seen[each.held.type, each.held.id] = found
        return read.gone

    def _compare(self, page: Sequence[Received], patient: str) -> Counts:
        done = Counts()
        stored = stored_among(self._store.connection, [(each.type, each.id) for each in page])
        for came in page:
            key = came.type, came.id
            if key not in self._seen:
                self.compared[came.type] = self.compared.get(came.type, 0) + 1
            change = judge(stored.get(key), known_of(came))
            held = Held(patient, came.type, came.id)
            self._seen[key] = _difference(held, stored.get(key), came, change)
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
