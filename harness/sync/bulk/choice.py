"""Whether a run begins with a bulk export where no file says how changes are found.

An export is heavy work for an EHR. It is chosen where it saves many searches, where a Group says
whose data it holds, and where the EHR declares it; and no more once the EHR was seen to refuse it,
or to export everything whatever `_since` asks for.
https://hl7.org/fhir/uv/bulkdata/STU2/export.html
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from harness.config.ehr import Strategy
from harness.config.tenant import Tenant
from harness.errors import HarnessError
from harness.fhir.capability import Capability
from harness.sync.asking.learnt import recall, remember_exports
from harness.sync.model import Counts, Lease
from harness.sync.order import Reader
from harness.sync.store.store import Store

WORTH = 1000
"""Searches that an export has to save."""

REPEATED = 10
"""An export that brings so many times as much known as new was not narrowed by `_since`."""


async def by_export(
    tenant: Tenant, store: Store, reader: Reader, patients: Collection[str], now: datetime
) -> bool:
    """Whether this run begins with an export."""
    if tenant.strategy is not None:
        return tenant.strategy is Strategy.BULK_SINCE
    group = tenant.ehr.sync.bulk.group or tenant.patients.group
    searches = len(patients) * len(tenant.resources)
    if group is None or tenant.login is not None or searches < WORTH:
        return False
    learnt = recall(store, now).exports
    return await _declared(reader, tenant.ehr.fhir_base) if learnt is None else learnt


def remember(
    tenant: Tenant,
    store: Store,
    lease: Lease,
    now: datetime,
    *,
    refused: bool,
    since: datetime | None,
    counts: Counts,
) -> None:
    """Keep what an export that no file asked for showed of the EHR."""
    if tenant.strategy is None:
        remember_exports(store, lease, now, honoured=not (refused or _repeats(since, counts)))


def _repeats(since: datetime | None, counts: Counts) -> bool:
    fresh = counts.new + counts.changed + counts.deleted
    return since is not None and counts.unchanged > max(WORTH, REPEATED * fresh)


async def _declared(reader: Reader, base: str) -> bool:
    try:
        capability = Capability.of(await reader.next(f"{base}/metadata"))
    except HarnessError:
        return False
    return "export" in capability.operations("Group")
