"""One leased row per (tenant, job): who may write, until when, and as which in succession.

The row carries a fence that grows with every holder; each commit of a sync checks it. Two guards
decide whether a lease may be taken over:

* its time has run out: the holder hangs, or its machine is gone;
* its holder is dead: on one machine the kernel says so, because a holder keeps a lock for as long
  as it lives (`Database.alive`). So the run after a `kill -9` need not wait for its lease to end.
"""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from datetime import datetime, timedelta

from harness.errors import UsageError
from harness.sync.model import Lease
from harness.sync.store.rows import instant, text_of
from harness.sync.store.store import LeaseLost, Store

LIFE = timedelta(minutes=2)
"""How long a holder may be silent; it renews three times as often."""


class LeaseHeld(UsageError):
    """Another process is at this job."""


def owner() -> str:
    """This process, as a lease names it: host and process id."""
    return f"{socket.gethostname()}:{os.getpid()}"


def acquire(
    store: Store, tenant: str, job: str, *, by: str, now: datetime, holder_is_dead: bool
) -> Lease:
    """Take the lease, if it is free, has expired, or its holder on this machine is dead.

    Args:
        store: of the tenant.
        tenant: its name.
        job: what is to be done.
        by: `owner()`.
        now: harness clock.
        holder_is_dead: whether the lock that a living holder on this machine would keep is free.

    Raises:
        LeaseHeld: somebody else holds it.
    """
    with store.connection.transaction() as db:
        row = db.execute(
            "SELECT owner, fence, until FROM leases WHERE tenant = ? AND job = ?", (tenant, job)
        ).fetchone()
        if row is not None and instant(row["until"]) > now:
            here = row["owner"].rpartition(":")[0] == by.rpartition(":")[0]
            if not (here and holder_is_dead):
                raise LeaseHeld(
                    f"tenant {tenant}: {row['owner']} is at its {job} already",
                    hint="wait until it has finished",
                )
        lease = Lease(tenant, job, by, row["fence"] + 1 if row else 1, now + LIFE)
        db.execute(
            "INSERT INTO leases (tenant, job, owner, fence, until) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (tenant, job) DO UPDATE SET owner = excluded.owner,"
            " fence = excluded.fence, until = excluded.until",
            (tenant, job, by, lease.fence, text_of(lease.until)),
        )
    return lease


def renew(store: Store, lease: Lease, now: datetime) -> Lease:
    """Hold the lease for another `LIFE`.

    Raises:
        LeaseLost: it has passed to another holder.
    """
    return _move(store, lease, now + LIFE)


def release(store: Store, lease: Lease, now: datetime) -> None:
    """Give the lease back; one that was lost is not touched. The fence stays."""
    try:
        _move(store, lease, now)
    except LeaseLost:
        return


def _move(store: Store, lease: Lease, until: datetime) -> Lease:
    with store.connection.transaction() as db:
        changed = db.execute(
            "UPDATE leases SET until = ? WHERE tenant = ? AND job = ? AND fence = ?",
            (text_of(until), lease.tenant, lease.job, lease.fence),
        ).rowcount
    if not changed:
        raise LeaseLost(f"tenant {lease.tenant}: another process has taken over its {lease.job}")
    return replace(lease, until=until)
