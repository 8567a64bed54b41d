"""A full pull of one tenant that compares instead of storing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from harness.config.ehr import DataKind, Strategy
from harness.config.tenant import Tenant
from harness.errors import HarnessError, UsageError
from harness.sync.access.connect import Connection, connection
from harness.sync.access.patients import patients_of
from harness.sync.account import Missing
from harness.sync.asking.learnt import recall
from harness.sync.asking.strategy import plan_for
from harness.sync.deletions.gone import Gone, listed, mark_gone, read_absent
from harness.sync.model import Lease, Traffic
from harness.sync.order import Outcome
from harness.sync.planning import order_of, rounds
from harness.sync.pull.pull import Pull
from harness.sync.store.store import LeaseLost, Store
from harness.sync.verify.listing import Listing
from harness.sync.verify.verification import Result, Told, Verification
from harness.sync.world import World


@dataclass(slots=True)
class VerifyRun:
    """One verification; `stop` ends it after the pages under way.

    Args:
        tenant: whose.
        world: clock, secrets, limiters.
        store: the tenant's; read, and written only to mark what is gone.
        lease: held by the caller, so that no sync changes the store meanwhile.
        mark: whether what the EHR has no more shall count as deleted in the store.
    """

    tenant: Tenant
    world: World
    store: Store
    lease: Lease
    mark: bool = False
    account: Verification | None = None
    """Once it has ended, however it did."""
    _pull: Pull | None = None
    _stop: str | None = None
    _outcome: Outcome = field(default_factory=Outcome)
    _patients: tuple[str, ...] = ()
    _traffic: Traffic = field(default_factory=Traffic)
    _unclear: tuple[Gone, ...] = ()
    _marked: int = 0

    def stop(self, reason: str) -> None:
        """Finish the pages under way, then end."""
        self._stop = reason
        if self._pull is not None:
            self._pull.stop(reason)

    async def run(self) -> Verification:
        """Compare, and tell.

        Raises:
            LeaseLost: another process took over.
            UsageError: a file or a secret has to be mended first.
        """
        started, listing, failure = self.world.clock.now(), Listing(self.store), None
        try:
            async with connection(self.tenant, self.world) as way:
                await self._compare(way, listing)
        except (LeaseLost, UsageError):
            raise
        except HarnessError as error:
            failure = str(error)
        self.store.remember_rates(self.world.limiters.rates())
        self.store.remember_spent(self.world.limiters.spent())
        self.account = self._told(started, listing, failure)
        return self.account

    async def _compare(self, way: Connection, listing: Listing) -> None:
        tenant, clock = self.tenant, self.world.clock
        ehr, learnt = tenant.ehr, recall(self.store, clock.now())
        try:
            self._patients = await patients_of(tenant, way)
            self._pull = Pull(
                listing,
                self.lease,
                reader_of=lambda _patient: way,
                plan=plan_for(
                    Strategy.FULL_HASH, ehr.sync, ehr.limits.page_size, tenant.resources, learnt
                ),
                clock=clock,
            )
            if self._stop is not None:
                self._pull.stop(self._stop)
            before = way.meter.on_wire
            self._outcome, self._patients = await rounds(
                self._pull, order_of(tenant, self.store, 0, self._patients), tenant, self.store
            )
            waited = max(0.0, self._outcome.seconds - (way.meter.on_wire - before))
            self._traffic = replace(self._traffic, waited=waited)
            await self._absent(way, listing, self._pull)
        finally:
            requests, refusals = way.meter.requests, way.meter.refusals
            self._traffic = replace(self._traffic, requests=requests, refusals=refusals)

    async def _absent(self, way: Connection, listing: Listing, pull: Pull) -> None:
        """Read what no page showed: gone, or only left out."""
        if self._outcome.stopped is not None:
            return
        held = listing.absent(listed(pull.plan, self._outcome.whole))
        read = await read_absent(way, held)
        gone = listing.read(read)
        for alive, _ in read.alive:
            self._outcome.note(alive.type, "can be read, although a full listing leaves it out")
        for unclear in read.unclear:
            self._outcome.note(unclear.held.type, unclear.reason)
        if self.mark:
            mark_gone(self.store, self.lease, gone, self.world.clock.now())
            self._marked = len(gone)
        self._unclear = read.unclear

    def _told(self, started: datetime, listing: Listing, failure: str | None) -> Verification:
        outcome, patient, identity = self._outcome, self._namer("patient"), self._namer("resource")
        differences = tuple(
            Told(e.kind, e.held.type, patient(e.held.patient), identity(e.held.id), e.reason)
            for e in listing.differences
        )
        missing = tuple(
            Missing(
                patient(gap.query.patient),
                gap.query.type,
                gap.query.part,
                gap.reason.replace(gap.query.patient, patient(gap.query.patient)),
            )
            for gap in outcome.gaps
        )
        return Verification(
            self.tenant.name,
            started,
            self.world.clock.now(),
            self._result(differences, failure),
            failure or outcome.stopped,
            outcome.come_back,
            len(self._patients),
            dict(listing.compared),
            differences,
            missing,
            {f"{type_}: {note}": n for (type_, note), n in outcome.notes.items()},
            self._marked,
            self._traffic,
        )

    def _result(self, differences: tuple[Told, ...], failure: str | None) -> Result:
        if failure is not None or (self._outcome.gaps and not self._outcome.counts.pages):
            return Result.FAILED
        if differences:
            return Result.DIFFERENT
        return Result.INCOMPLETE if self._outcome.gaps or self._unclear else Result.EQUAL

    def _namer(self, kind: str) -> Callable[[str], str]:
        if self.tenant.ehr.data is DataKind.SYNTHETIC:
            return lambda identity: identity
        return lambda identity: self.store.pseudonym(identity, kind)
