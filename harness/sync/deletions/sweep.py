"""What follows a pull: deletions that a full listing gave away, and patients that were merged."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from datetime import datetime

from harness.sync.answers.merged import Merged, merged
from harness.sync.asking.strategy import Plan
from harness.sync.deletions.gone import Gone, listed, mark_gone, read_absent, unseen
from harness.sync.model import Lease, PageDone, Query
from harness.sync.order import Outcome, Reader
from harness.sync.store.store import Store


@dataclass(frozen=True, slots=True)
class Swept:
    """What ended at the EHR.

    Attributes:
        gone: resources that it has no more; the store holds them as deleted.
        merged: patients that were replaced by others, or are inactive.
    """

    gone: tuple[Gone, ...] = ()
    merged: tuple[Merged, ...] = ()


async def sweep(
    store: Store,
    lease: Lease,
    run: int,
    reader: Reader,
    plan: Plan,
    outcome: Outcome,
    now: Callable[[], datetime],
) -> tuple[Gone, ...]:
    """Read what full listings did not show any more, and let what is gone count as deleted.

    What can be read although no listing shows it is kept, as read; what the EHR would neither show
    nor deny stays as it is. Both are noted in `outcome`.
    """
    if outcome.stopped is not None:
        return ()
    read = await read_absent(reader, unseen(store, run, listed(plan, outcome.whole)))
    mark_gone(store, lease, read.gone, now(), run)
    for held, received in read.alive:
        query = Query(held.patient, held.type)
        store.commit(lease, run, PageDone(query, (received,), now()))
        outcome.note(held.type, "can be read, although a full listing leaves it out")
    for each in read.unclear:
        outcome.note(each.held.type, each.reason)
    return read.gone


def merged_of(
    store: Store, patients: Container[str], moved: Mapping[str, str]
) -> tuple[Merged, ...]:
    """Which of these patients are replaced or inactive, by the store or by what was answered."""
    held = {each.patient: each for each in merged(store.bodies("Patient"), patients)}
    return tuple((held | {patient: Merged(patient, moved[patient]) for patient in moved}).values())
