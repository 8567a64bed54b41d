"""The job "outbox" of one tenant: what is queued goes to the EHR, by one process at a time."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from harness.config.ehr import DataKind
from harness.config.tenant import Tenant
from harness.errors import EhrUnreachable, UsageError
from harness.scheduler.jobs import Site, kept_alive
from harness.scheduler.leases import acquire, owner, release
from harness.sync.access.connect import Connection, connection
from harness.sync.access.patients import patients_of
from harness.sync.access.sparing import mind, spare
from harness.sync.outbox.abilities import Abilities
from harness.sync.outbox.box import Box
from harness.sync.outbox.courier import Courier
from harness.sync.outbox.delivery import Delivery
from harness.sync.outbox.model import OPEN, Draft, Entry, State
from harness.sync.outbox.telling import Outgoing, Teller
from harness.sync.outbox.wire import Wire
from harness.sync.store.places import place_of
from harness.sync.store.store import Store
from harness.sync.world import World

JOB = "outbox"
PATIENCE = 10.0
"""Seconds that a delivery waits for what is not due yet; longer, and the next one sees to it."""


def require_enabled(tenant: Tenant) -> None:
    """Refuse to write for a tenant whose file does not say that it may.

    Raises:
        UsageError: it does not.
    """
    if not tenant.outbox.enabled:
        raise UsageError(
            f"tenant {tenant.name}: writing is switched off",
            hint="where this application may write, add [outbox] with enabled = true to the file",
        )


def teller(tenant: Tenant, store: Store, *, words: bool = False) -> Teller:
    """What may be told of a tenant's entries."""
    return Teller(store.pseudonym, tenant.ehr.data is DataKind.SYNTHETIC, words)


@asynccontextmanager
async def delivering(
    tenant: Tenant,
    site: Site,
    *,
    patience: float | None = PATIENCE,
    on_settled: Callable[[Entry], None] = lambda _entry: None,
) -> AsyncIterator[Delivery]:
    """Hold the lease of the outbox and a way to the EHR, for a `Delivery` to run.

    Raises:
        UsageError: writing is switched off, or a file or secret has to be mended first.
        LeaseHeld: another process delivers.
        EhrUnreachable, ProtocolError: where tokens come from could not be found out.
    """
    require_enabled(tenant)
    place, clock = place_of(tenant, site.environ), site.clock
    with Store(place) as store, store.connection.alive(JOB) as others_dead:
        now = clock.now()
        lease = acquire(store, tenant.name, JOB, by=owner(), now=now, holder_is_dead=others_dead)
        try:
            world = site.world(tenant, store)
            spare(world, tenant.ehr.fhir_base)
            box, spec = Box(store), tenant.ehr.sync.writes
            box.recover(lease, now, now + timedelta(seconds=spec.visible_after_seconds))
            async with connection(tenant, world) as way:
                wire = Wire(way, clock)
                abilities = await Abilities.learnt(wire, spec)
                members = _Members(tenant, way, box)
                courier = Courier(box, lease, wire, abilities, members.includes, clock)
                delivery = Delivery(
                    courier, clock, tenant.ehr.limits.concurrency, patience, on_settled=on_settled
                )
                async with kept_alive(place, lease, delivery.stop, clock):
                    yield delivery
                _remember(world, store, way)
        finally:
            release(store, lease, clock.now())


async def deliver(
    tenant: Tenant,
    site: Site,
    *,
    patience: float = PATIENCE,
    on_start: Callable[[Delivery], None] = lambda _delivery: None,
    on_settled: Callable[[Entry], None] = lambda _entry: None,
) -> Outgoing:
    """Deliver what is queued, until nothing is left that can be delivered now.

    Args:
        tenant: whose.
        site: this process.
        patience: seconds that it may wait for what is not due yet.
        on_start: gets the delivery, so that it can be told to stop.
        on_settled: told of each entry that is confirmed or dead.

    Raises:
        UsageError, LeaseHeld: as `delivering`.
        GrantLost: somebody has to log in again.
    """
    seen: Counter[str] = Counter()

    def settled(entry: Entry) -> None:
        seen[entry.state] += 1
        seen["altered"] += entry.state is State.CONFIRMED and entry.note is not None
        on_settled(entry)

    reason, come_back = None, None
    try:
        async with delivering(tenant, site, patience=patience, on_settled=settled) as delivery:
            on_start(delivery)
            await delivery.run()
            reason, come_back = delivery.reason, delivery.held_until
    except EhrUnreachable as error:
        reason = error.message
    return replace(
        waiting(tenant),
        confirmed=seen[State.CONFIRMED],
        altered=seen["altered"],
        died=seen[State.DEAD],
        reason=reason,
        come_back=come_back,
    )


def waiting(tenant: Tenant) -> Outgoing:
    """How many entries are open and dead; a store that does not exist yet is not made."""
    place = place_of(tenant, os.environ)
    if not place.exists():
        return Outgoing()
    with Store(place) as store:
        counts = Box(store).counts()
    return Outgoing(open=sum(counts.get(each, 0) for each in OPEN), dead=counts.get(State.DEAD, 0))


def _remember(world: World, store: Store, way: Connection) -> None:
    mind(world, way.meter)
    store.remember_rates(world.limiters.rates())
    store.remember_spent(world.limiters.spent())


class _Members:
    """Whose data a tenant may write: those that it syncs, and the EHR is asked where need be."""

    def __init__(self, tenant: Tenant, way: Connection, box: Box) -> None:
        self._tenant = tenant
        self._way = way
        self._box = box
        self._all: frozenset[str] | None = None

    async def includes(self, patient: str) -> bool:
        if self._tenant.patients.ids:
            return patient in self._tenant.patients.ids
        if self._box.knows(patient):
            return True
        if self._all is None:
            self._all = frozenset(await patients_of(self._tenant, self._way))
        return patient in self._all


def submit(tenant: Tenant, box: Box, draft: Draft, now: datetime) -> tuple[Entry, bool]:
    """Keep a write for delivery; whether it is new.

    Raises:
        UsageError: the patient is none of those that the tenant file lists.
        KeyTaken: the key was used for other content.
    """
    listed = tenant.patients.ids
    if listed and draft.patient not in listed:
        raise UsageError(f"{draft.type}: its patient is none of tenant {tenant.name}'s")
    return box.put(draft, now)
