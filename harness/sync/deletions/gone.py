"""What is gone from an EHR: no search shows a deletion, so a full listing and a read prove it.

A resource that a full listing does not have any more is read; only 404 or 410 is taken for deleted
(FHIR R4, https://hl7.org/fhir/R4/http.html#delete). It stays in the store as deleted, with the time
and the reason, and comes back to life if the EHR shows it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from harness.errors import HarnessError
from harness.sync.answers.answer import read_one
from harness.sync.asking.strategy import Plan
from harness.sync.model import Counts, Lease, Query, Received
from harness.sync.order import Reader
from harness.sync.store.rows import text_of
from harness.sync.store.statements import add_counts
from harness.sync.store.store import Store

GONE = frozenset({404, 410})
LISTED_NO_MORE = "a full listing does not have it"


@dataclass(frozen=True, slots=True)
class Held:
    """A resource that the store holds and a listing did not show."""

    patient: str
    type: str
    id: str


@dataclass(frozen=True, slots=True)
class Gone:
    """A resource that the EHR has no more, and how that is known."""

    held: Held
    reason: str


@dataclass(frozen=True, slots=True)
class Read:
    """What reading the absent ones told.

    Attributes:
        gone: those that the EHR has no more.
        alive: those that it has although its listing left them out, as read.
        unclear: those that it would neither show nor deny, with why.
    """

    gone: tuple[Gone, ...] = ()
    alive: tuple[tuple[Held, Received], ...] = ()
    unclear: tuple[Gone, ...] = ()


def listed(plan: Plan, whole: Iterable[Query]) -> Iterator[tuple[str, str]]:
    """Each (patient, type) of which every part was read from its first page to its last."""
    read = set(whole)
    for patient, type_ in sorted({(each.patient, each.type) for each in read}):
        if read.issuperset(plan.queries([patient], [type_])):
            yield patient, type_


def unseen(store: Store, run: int, pairs: Iterable[tuple[str, str]]) -> tuple[Held, ...]:
    """What the store holds of these (patient, type) and `run` did not see."""
    first = store.connection.execute("SELECT min(id) AS id FROM runs").fetchone()
    if first["id"] == run:
        return ()  # it saw all that there is, and looking through that takes a tenth of its time
    found = []
    for patient, type_ in pairs:
        rows = store.connection.execute(
            "SELECT id FROM resources WHERE patient = ? AND type = ? AND deleted = 0"
            " AND seen_in <> ?",
            (patient, type_, run),
        )
        # Sorted here: SQLite would walk all ids of the type, which are in order, for each patient.
        found += [Held(patient, type_, id_) for id_ in sorted(row["id"] for row in rows)]
    return tuple(found)


async def read_absent(
    reader: Reader, absent: Sequence[Held], because: str = LISTED_NO_MORE
) -> Read:
    """Read each, one after the other, at the pace of the host's limiter.

    Args:
        reader: asks.
        absent: what may be gone.
        because: why it may be.
    """
    gone: list[Gone] = []
    alive: list[tuple[Held, Received]] = []
    unclear: list[Gone] = []
    for number, held in enumerate(absent):
        try:
            answer = read_one(await reader.read(held.type, held.id))
        except HarnessError as error:
            rest = absent[number:]
            unclear += [Gone(each, f"not read: {error.message}") for each in rest]
            break
        if answer.received is not None:
            alive.append((held, answer.received))
        elif answer.status in GONE:
            gone.append(Gone(held, f"{because}, and a read answers {answer.status}"))
        else:
            unclear.append(Gone(held, f"{because}, and a read answers {answer.status}"))
    return Read(tuple(gone), tuple(alive), tuple(unclear))


def mark_gone(
    store: Store, lease: Lease, gone: Iterable[Gone], now: datetime, run: int | None = None
) -> None:
    """Let these count as deleted; `run` is whose counters tell of it."""
    with store.fenced(lease) as db:
        for each in gone:
            held = each.held
            db.execute(
                "UPDATE resources SET deleted = 1, gone = ?, gone_because = ?"
                " WHERE type = ? AND id = ?",
                (text_of(now), each.reason, held.type, held.id),
            )
            if run is not None:
                add_counts(db, run, held.patient, held.type, Counts(deleted=1))
