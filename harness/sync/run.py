"""One sync run of one tenant, from its lease to its account."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from harness.config.ehr import DataKind
from harness.config.tenant import Tenant, Validate
from harness.errors import HarnessError, Throttled, UsageError
from harness.http.limiter import HostLimiter
from harness.http.origin import host_of
from harness.sync.access.connect import Connection, connection
from harness.sync.access.meter import Meter
from harness.sync.access.patients import patients_of
from harness.sync.access.sparing import Spared, mind, spare
from harness.sync.account import Account, account_of
from harness.sync.asking.learnt import recall, remember_outcome
from harness.sync.asking.strategy import Plan
from harness.sync.bulk.choice import by_export, remember
from harness.sync.bulk.known import knows_exports
from harness.sync.deletions.histories import Histories
from harness.sync.deletions.sweep import Swept, merged_of, sweep
from harness.sync.model import Counts, Lease, Query, RunStatus, Traffic
from harness.sync.order import Outcome
from harness.sync.planning import order_of, planned, rounds
from harness.sync.pull.pull import Pull
from harness.sync.pull.trouble import COME_BACK
from harness.sync.standing import Progress, verdict
from harness.sync.store.store import LeaseLost, Store
from harness.sync.world import World

if TYPE_CHECKING:
    from harness.sync.bulk.export import Export
    from harness.sync.validated import Validated
    from harness.sync.validating import Sample


@dataclass(slots=True)
class SyncRun:
    """One run; `stop` ends it after the pages under way.

    Args:
        tenant: whose.
        world: clock, secrets, limiters.
        store: the tenant's.
        lease: held by the caller, and kept alive by it.
        name: of the run and its report folder.
        on_progress: told after every page.
    """

    tenant: Tenant
    world: World
    store: Store
    lease: Lease
    name: str
    on_progress: Callable[[Progress], None] = lambda _progress: None
    _pull: Pull | None = None
    _export: Export | None = None
    _stop: str | None = None
    _outcome: Outcome = field(default_factory=Outcome)
    _names: dict[str, str] = field(default_factory=dict)
    _traffic: Traffic = field(default_factory=Traffic)
    _swept: Swept = field(default_factory=Swept)
    _meter: Meter = field(default_factory=Meter)
    _sample: Sample | None = None
    _validated: Validated | None = None
    _queries: int = 0
    _done: int = 0
    account: Account | None = None
    """Once it has ended, however it did."""

    def stop(self, reason: str) -> None:
        """Finish the pages under way, then end."""
        self._stop = reason
        if self._export is not None:
            self._export.stop(reason)
        if self._pull is not None:
            self._pull.stop(reason)

    async def run(self) -> Account:
        """Sync, and account for it: what goes wrong with the EHR or its grant is told there.

        Raises:
            LeaseLost: another process took over; it accounts for the run as cut off.
            UsageError: a file or a secret has to be mended first; the run is stored as failed.
        """
        number = self.store.begin(self.lease, self.name, self.world.clock.now())
        if self.tenant.sync.validate is Validate.SAMPLE:
            from harness.sync.validating import Sample

            self._sample = Sample()
            self.store.on_taken = self._sample.take
        status = RunStatus.INCOMPLETE
        reason: str | None = "the run was cancelled"
        try:
            spare(self.world, self.tenant.ehr.fhir_base)
            async with connection(self.tenant, self.world, self._meter) as way:
                with self.store.connection.hurried():
                    await self._pull_all(number, way)
            await self._validate(number)
            status, reason = verdict(self._outcome, stopped=self._stop is not None)
        except LeaseLost:
            raise
        except UsageError as error:
            # Wrong files or secrets are for whoever called to mend, and nothing about the EHR.
            self._finish(number, RunStatus.FAILED, str(error))
            raise
        except Throttled as error:
            status, reason = RunStatus.INCOMPLETE, str(error)
            wait = timedelta(seconds=error.retry_after) if error.retry_after else COME_BACK
            self._outcome.come_back = self.world.clock.now() + wait
        except Spared as error:
            status, reason = RunStatus.FAILED, str(error)
            self._outcome.come_back = error.until
        except HarnessError as error:
            status, reason = RunStatus.FAILED, str(error)
        except Exception as error:
            status, reason = RunStatus.FAILED, f"a defect of the harness: {type(error).__name__}"
            self._finish(number, status, reason)
            raise
        except BaseException:
            self._finish(number, status, reason)
            raise
        return self._finish(number, status, reason)

    async def _pull_all(self, number: int, way: Connection) -> None:
        host = self._host()
        try:
            patients = await patients_of(self.tenant, way)
            self._names = {each: self._name(each) for each in patients}
            began = self.world.clock.now()
            if await by_export(self.tenant, self.store, way, patients, began):
                patients = await self._exported(number, way, patients)
                if not patients:
                    return
            elif knows_exports(self.store):
                await self._exporting(number, way, patients).forget()
            order = order_of(self.tenant, self.store, number, patients)
            now = self.world.clock.now
            plan = await planned(self.tenant, self.store, self.lease, way, order.patients, now)
            self._pull = Pull(
                self.store,
                self.lease,
                reader_of=lambda _patient: way,
                plan=plan,
                clock=self.world.clock,
                on_page=lambda *page: self._progress(way, *page),
            )
            if self._stop is not None:
                self._pull.stop(self._stop)
            before = way.meter.on_wire
            self._outcome, _ = await rounds(
                self._pull, order, self.tenant, self.store, partial(self._begin, plan)
            )
            await self._sweep(number, way, self._pull.plan)
            if self._export is not None:
                from harness.sync.bulk.part import joined

                exported = self._export.scene
                self._outcome = joined(exported.outcome, self._outcome)
                self._swept = replace(self._swept, gone=(*exported.gone, *self._swept.gone))
            waited = max(0.0, self._outcome.seconds - (way.meter.on_wire - before))
            self._traffic = replace(self._traffic, waited=waited)
        finally:
            self._traffic = replace(self._traffic, permitted=host.rate)

    async def _exported(
        self, number: int, way: Connection, patients: tuple[str, ...]
    ) -> tuple[str, ...]:
        """Sync by an export; patients whose history it leaves out, to be searched for."""
        self._export = self._exporting(number, way, patients)
        if self._stop is not None:
            self._export.stop(self._stop)
        export, scene = self._export, self._export.scene
        try:
            left_out = await export.run()
        finally:
            self._outcome = scene.outcome
            self._swept = Swept(tuple(scene.gone), merged_of(self.store, self._names, {}))
        remember(
            self.tenant,
            self.store,
            self.lease,
            self.world.clock.now(),
            refused=export.refused,
            since=export.since,
            counts=scene.outcome.counts,
        )
        if export.refused and self.tenant.strategy is None:
            self._export, self._outcome = None, Outcome()
            return patients
        return left_out

    async def _validate(self, number: int) -> None:
        """Validate what came, in a thread: the lease is kept alive meanwhile."""
        if self.tenant.sync.validate is Validate.NONE:
            return
        from harness.sync.validating import Sample, validated

        sample = self._sample or Sample()
        stopped = partial(getattr, self, "_stop")
        work = asyncio.ensure_future(
            asyncio.to_thread(validated, self.tenant, self.store, number, sample, stopped)
        )
        try:
            self._validated = await asyncio.shield(work)
        except asyncio.CancelledError:
            # The thread uses the store, which is needed for what follows.
            self._stop = self._stop or "the run was cancelled"
            self._validated = await work
            raise

    def _begin(self, plan: Plan, patients: Sequence[str]) -> None:
        """A round begins; further ones are for those into whom patients were merged."""
        self._names |= {each: self._name(each) for each in patients}
        self._queries += plan.size(len(patients), self.tenant.resources)

    async def _sweep(self, number: int, way: Connection, plan: Plan) -> None:
        """See to what a pull gave away: what searches need, deletions, patients who were merged."""
        now, base = self.world.clock.now, self.tenant.ehr.fhir_base
        known = recall(self.store, now()).histories
        remember_outcome(self.store, self.lease, self._outcome, now())
        gone = await sweep(self.store, self.lease, number, way, plan, self._outcome, now)
        histories = Histories(self.store, self.lease, number, way, base, now)
        gone += await histories.sweep(plan, self.tenant.resources, known, self._outcome)
        self._swept = Swept(gone, merged_of(self.store, self._names, self._outcome.moved))

    def _host(self) -> HostLimiter:
        return self.world.limiters.of(host_of(self.tenant.ehr.fhir_base))

    def _name(self, patient: str) -> str:
        """How reports may call a patient."""
        synthetic = self.tenant.ehr.data is DataKind.SYNTHETIC
        return patient if synthetic else self.store.pseudonym(patient)

    def _exporting(self, number: int, way: Connection, patients: tuple[str, ...]) -> Export:
        from harness.sync.bulk.part import export_of

        return export_of(
            self.tenant,
            self.store,
            self.lease,
            number,
            way,
            clock=self.world.clock,
            patients=patients,
            on_page=lambda *page: self._loaded(way, *page),
        )

    def _loaded(self, way: Connection, query: Query, counts: Counts, ended: bool) -> None:  # noqa: FBT001 - a fact of the file
        """A part of a file of the export."""
        if self._export is not None:
            self._queries = self._export.scene.files
        self._progress(way, query, counts, ended)

    def _progress(self, way: Connection, query: Query, counts: Counts, ended: bool) -> None:  # noqa: FBT001 - a fact of the page
        self._done += ended
        self.on_progress(
            Progress(
                query,
                counts,
                way.meter.requests,
                way.meter.refusals,
                self._host().rate,
                len(self._names),
                self._queries,
                self._done,
            )
        )

    def _finish(self, number: int, status: RunStatus, reason: str | None) -> Account:
        mind(self.world, self._meter)
        row = next(each for each in self.store.runs() if each.id == number)
        row = replace(
            row,
            ended=self.world.clock.now(),
            status=status,
            traffic=replace(
                self._traffic, requests=self._meter.requests, refusals=self._meter.refusals
            ),
            reason=reason,
            come_back=self._outcome.come_back,
            validation=json.dumps(self._validated.as_json()) if self._validated else None,
        )
        self.store.finish(self.lease, row, self._outcome.gaps)
        self.store.remember_rates(self.world.limiters.rates())
        self.store.remember_spent(self.world.limiters.spent())
        notes = {f"{type_}: {note}": n for (type_, note), n in self._outcome.notes.items()}
        self.account = account_of(
            self.store, row, self.tenant.name, self._names, notes, self._swept
        )
        return self.account
