"""What a run of a tenant hands to an export, and what it gets back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from harness.config.paths import data_dir
from harness.config.tenant import Tenant
from harness.fhir.bulk.client import BulkClient
from harness.http.clock import Clock
from harness.sync.access.connect import Connection
from harness.sync.bulk.export import Export
from harness.sync.bulk.scene import Scene
from harness.sync.model import Counts, Lease, Query
from harness.sync.order import Outcome
from harness.sync.store.store import Store


def export_of(  # noqa: PLR0913 - what a run is made of
    tenant: Tenant,
    store: Store,
    lease: Lease,
    run: int,
    way: Connection,
    *,
    clock: Clock,
    patients: tuple[str, ...],
    on_page: Callable[[Query, Counts, bool], None],
) -> Export:
    """The export of a tenant, about to begin or to go on."""
    fhir = way.fhir
    return Export(
        Scene(
            tenant,
            store,
            lease,
            run,
            BulkClient(fhir.http, fhir.base, way.session),
            way,
            clock,
            data_dir() / "tenants" / tenant.name / "bulk",
            patients,
            way.lacks,
            on_page,
        )
    )


def joined(export: Outcome, pull: Outcome) -> Outcome:
    """What a run did by an export, and then by searches."""
    notes = dict(export.notes)
    for at, often in pull.notes.items():
        notes[at] = notes.get(at, 0) + often
    return replace(
        pull,
        counts=export.counts + pull.counts,
        gaps=[*export.gaps, *pull.gaps],
        notes=notes,
        stopped=export.stopped or pull.stopped,
        come_back=export.come_back or pull.come_back,
        seconds=export.seconds + pull.seconds,
    )
