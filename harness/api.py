"""What an application uses of the harness: an outbox, through which it writes to a tenant's EHR.

    async with Outbox.open("clinic-7") as outbox:
        receipt = await outbox.submit(heart_rate(measured, 72))
        written = await outbox.confirmed(receipt)

See docs/writing.md.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from harness.config.tenant import Tenant, load_tenant
from harness.errors import GrantLost, HarnessError, UsageError
from harness.fhir.observations import checked
from harness.http.clock import SystemClock
from harness.scheduler.jobs import Site
from harness.scheduler.leases import LeaseHeld
from harness.scheduler.outbox import delivering, require_enabled, submit
from harness.smart.entropy import system_entropy
from harness.sync.outbox.box import Box
from harness.sync.outbox.delivery import Delivery
from harness.sync.outbox.drafting import KeyLike, to_correct, to_create, to_retract, to_update
from harness.sync.outbox.model import Draft, Entry, Key, KeyTaken, State, WriteDied
from harness.sync.store.places import place_of
from harness.sync.store.store import Store

__all__ = ["Key", "KeyTaken", "Outbox", "Receipt", "WriteDied", "Written", "queue"]

_LOOK = 0.25
"""Seconds between two looks at an entry that another process may deliver."""
_LEASE_AGAIN = 1.0
_TROUBLE_AGAIN = 15.0


@dataclass(frozen=True, slots=True)
class Receipt:
    """A write that is kept: it will be at the EHR once, or in the dead-letter list.

    Attributes:
        entry: its number, as `harness write --list` names it.
        key: the identifier that the resource bears at the EHR.
        new: False where the same was submitted before.
    """

    entry: int
    key: Key
    new: bool


@dataclass(frozen=True, slots=True)
class Written:
    """A write that was read back from the EHR.

    Attributes:
        type: resource type.
        id: at the EHR; None where the EHR took it and would not say where it is.
        version: at the EHR; None where it keeps none.
        note: what is odd about it, such as what the EHR altered; None if nothing is.
    """

    type: str
    id: str | None
    version: str | None
    note: str | None


class Outbox:
    """One tenant's outbox, open; to be used in one event loop.

    What is submitted is on disk before `submit` returns, whether the EHR can be reached or not.
    Other threads submit by `asyncio.run_coroutine_threadsafe`, other processes by an outbox of
    their own or by `queue`; one of all these delivers.
    """

    def __init__(self, tenant: Tenant, site: Site, store: Store) -> None:
        self.tenant = tenant
        self.trouble: HarnessError | None = None
        """Why nothing is delivered at the moment; None while all is well."""
        self._site = site
        self._box = Box(store)
        self._news = asyncio.Event()
        self._closing = asyncio.Event()
        self._delivery: Delivery | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, tenant: str | Tenant, site: Site | None = None) -> AsyncIterator[Outbox]:
        """Open a tenant's outbox, and deliver as long as the context lasts.

        Args:
            tenant: a tenant file by NAME or path, or what was loaded from it.
            site: clock, secrets and limiters, for applications that sync in the same process.

        Raises:
            UsageError: no such tenant, or its file does not let it write.
        """
        tenant = load_tenant(tenant) if isinstance(tenant, str) else tenant
        require_enabled(tenant)
        site = site or Site(os.environ, SystemClock(), system_entropy)
        await asyncio.to_thread(_warm_up)
        with Store(place_of(tenant, site.environ)) as store:
            outbox = cls(tenant, site, store)
            task = asyncio.create_task(outbox._serve())
            task.add_done_callback(outbox._served)
            try:
                yield outbox
            finally:
                outbox._close()
                await asyncio.wait({task})
            if not task.cancelled() and task.exception() is not None:
                raise task.exception()  # type: ignore[misc]  # it was just seen not to be None

    async def submit(self, resource: Any, *, key: KeyLike | None = None) -> Receipt:
        """Keep the write of a new resource, and begin to deliver it.

        Args:
            resource: of `harness.fhir.observations`, a model of fhir.resources, or a JSON object.
            key: what the write is known by, so that submitting it twice is one write: text of the
                application's own, or a system and a value. By default the resource's own first
                identifier, else its content.

        Raises:
            UsageError: it is not valid, or the patient is none of the tenant's.
            KeyTaken: the key was used for other content.
        """
        return self._keep(to_create(self.tenant.name, resource, key))

    async def correct(self, receipt: Receipt, resource: Any) -> Receipt:
        """Replace what was written by what should have been; `final` becomes `corrected`.

        Raises:
            UsageError: as `submit`; or it is of another patient or type.
        """
        latest = self._box.latest_of(receipt.entry) or self.entry(receipt)
        return self._keep(to_correct(self.entry(receipt), latest, resource))

    async def retract(self, receipt: Receipt) -> Receipt:
        """Mark what was written as `entered-in-error`."""
        return self._keep(to_retract(self.entry(receipt)))

    async def update(self, resource: Any, *, based_on: Any = None) -> Receipt:
        """Change a resource that was read from the EHR, unless others changed the same elements.

        Args:
            resource: as it shall be, with the `id` and `meta.versionId` that it was read with.
            based_on: as it was read; needed where the EHR keeps no versions.

        Raises:
            UsageError: as `submit`; or nothing says what it is based on.
        """
        return self._keep(to_update(resource, based_on))

    async def confirmed(self, receipt: Receipt, timeout: float | None = None) -> Written:  # noqa: ASYNC109 - so that waiting in a request handler reads as in the standard library
        """Wait until a write was read back from the EHR.

        Args:
            receipt: of the write.
            timeout: seconds; None waits for ever. What is not confirmed by then goes on.

        Raises:
            WriteDied: it will not be tried again; the message is the EHR's own, and may hold PHI.
            GrantLost, UsageError: nothing can be delivered until a person acts; the write is kept.
            TimeoutError: it is not confirmed yet.
        """
        async with asyncio.timeout(timeout):
            while True:
                news, entry = self._news, self.entry(receipt)
                if entry.state is State.CONFIRMED:
                    return Written(entry.type, entry.server_id, entry.version, entry.note)
                if entry.state is State.DEAD:
                    raise WriteDied(
                        f"{entry.type}, entry {entry.id}: {entry.error}",
                        hint=f"harness write --tenant {self.tenant.name} --list --dead",
                    )
                if isinstance(self.trouble, GrantLost | UsageError):
                    raise self.trouble
                with suppress(TimeoutError):
                    await asyncio.wait_for(news.wait(), _LOOK)

    def entry(self, receipt: Receipt) -> Entry:
        """How a write stands now.

        Raises:
            UsageError: it was dropped.
        """
        entry = self._box.entry(receipt.entry)
        if entry is None:
            raise UsageError(f"the outbox has no entry {receipt.entry}: it was dropped")
        return entry

    def _keep(self, draft: Draft) -> Receipt:
        entry, new = submit(self.tenant, self._box, draft, self._site.clock.now())
        if self._delivery is not None:
            self._delivery.wake()
        return Receipt(entry.id, entry.key, new)

    # -- delivering

    async def _serve(self) -> None:
        """Deliver, as long as nobody else does; what goes wrong is told, and tried again."""
        while not self._closing.is_set():
            wait = _TROUBLE_AGAIN
            try:
                await self._deliver()
            except LeaseHeld:
                wait, self.trouble = _LEASE_AGAIN, None
            except HarnessError as error:
                self.trouble = error
            self._tell()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), wait)

    async def _deliver(self) -> None:
        async with delivering(
            self.tenant, self._site, patience=None, on_settled=lambda _entry: self._tell()
        ) as delivery:
            self._delivery, self.trouble = delivery, None
            try:
                if not self._closing.is_set():
                    await delivery.run()
            finally:
                self._delivery = None

    def _tell(self) -> None:
        """Wake whoever waits."""
        self._news.set()
        self._news = asyncio.Event()

    def _served(self, task: asyncio.Task[None]) -> None:
        """A defect of the harness is raised where the outbox is closed; waiting for it is vain."""
        if not task.cancelled() and task.exception() is not None:
            self.trouble = UsageError("the delivery ended by a defect of the harness")
            self._tell()

    def _close(self) -> None:
        self._closing.set()
        if self._delivery is not None:
            self._delivery.stop("the outbox was closed")


def queue(tenant: str | Tenant, resource: Any, *, key: KeyLike | None = None) -> Receipt:
    """Keep the write of a new resource, for whoever delivers next; needs no event loop.

    Args:
        tenant: a tenant file by NAME or path, or what was loaded from it.
        resource: as `Outbox.submit`.
        key: as `Outbox.submit`.

    Raises:
        UsageError, KeyTaken: as `Outbox.submit`.
    """
    tenant = load_tenant(tenant) if isinstance(tenant, str) else tenant
    require_enabled(tenant)
    draft = to_create(tenant.name, resource, key)
    with Store(place_of(tenant, os.environ)) as store:
        entry, new = submit(tenant, Box(store), draft, SystemClock().now())
    return Receipt(entry.id, entry.key, new)


def _warm_up() -> None:
    """Import what validates, so that the first submission need not wait for it."""
    checked({"resourceType": "Observation", "status": "final", "code": {"text": "none"}})
