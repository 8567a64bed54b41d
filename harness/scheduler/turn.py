"""A tenant's turn: what is queued is delivered, then it is synced."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.config.tenant import Tenant
from harness.errors import HarnessError
from harness.scheduler.jobs import Site, sync
from harness.scheduler.leases import LeaseHeld
from harness.sync.account import Account

if TYPE_CHECKING:
    from harness.sync.outbox.telling import Outgoing


async def write_and_sync(tenant: Tenant, site: Site, name: str, **options: Any) -> Account:
    """Deliver what is queued, then sync; what is wrong with the one does not stop the other.

    Args:
        tenant: whose.
        site: this process.
        name: of the run.
        options: of `sync`.

    Raises:
        As `sync`.
    """
    outgoing = await _first(tenant, site)
    account = await sync(tenant, site, name, **options)
    return account if outgoing is None else replace(account, outbox=outgoing)


async def _first(tenant: Tenant, site: Site) -> Outgoing | None:
    if not tenant.outbox.enabled:
        return None
    # Few tenants are written to, and what it takes is a lot to import.
    from harness.scheduler.outbox import deliver, waiting

    before = waiting(tenant)
    if not before.open:
        return before if before.dead else None
    try:
        return await deliver(tenant, site)
    except LeaseHeld:
        return replace(before, reason="another process delivers them", elsewhere=True)
    except HarnessError as error:
        return replace(before, reason=str(error))
