"""One run's part in the sync of a tenant by bulk export, from the kick-off to the watermarks.

The export lives in the store: a run begins one or goes on with the one that is there, however many
days ago it was begun. Watermarks move in one transaction, once everything is loaded; and however an
export ends, the EHR is told to forget it, if need be by a later run.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from harness.config.paths import make_private
from harness.errors import (
    EhrUnreachable,
    GrantLost,
    HarnessError,
    OAuthError,
    Throttled,
    UsageError,
)
from harness.fhir.bulk.manifest import Kind
from harness.sync.bulk.fetching import COME_BACK, Fetching
from harness.sync.bulk.job import File, Job, Phase, drop_files, put_job
from harness.sync.bulk.lines import NOBODY
from harness.sync.bulk.reach import Span, flaw, newcomers, span, watermarks
from harness.sync.bulk.scene import Halt, JobLost, Scene
from harness.sync.bulk.tending import Tending
from harness.sync.deletions.gone import Held, mark_gone, read_absent
from harness.sync.model import Gap, Query
from harness.sync.store.statements import put_watermark
from harness.sync.store.store import LeaseLost

ATTEMPTS = 2
"""Exports that one run begins at most: an export that is lost is asked for once more."""


@dataclass(slots=True)
class Export:
    """The export of one tenant in one run; `scene` tells afterwards what it did."""

    scene: Scene
    _served: frozenset[str] | None = None
    """Whom the export is for; None where none was begun."""
    since: datetime | None = None
    """From when on it holds changes; None for everything."""
    refused: bool = False
    """Whether the EHR will not, or cannot, export at all."""

    def stop(self, reason: str) -> None:
        """End after the batches under way; the next run goes on."""
        if self.scene.outcome.stopped is None:
            self.scene.outcome.stopped = reason

    async def run(self) -> tuple[str, ...]:
        """Export as far as this run may; patients whose history the export leaves out.

        Raises:
            LeaseLost: another process took over; what was committed before stays.
            UsageError: a file or a secret has to be mended first.
        """
        began = self.scene.clock.monotonic()
        try:
            await self._run()
        except Halt as halt:
            self.refused = halt.refused
            self._missing(halt)
        except (LeaseLost, UsageError):
            raise
        except HarnessError as error:
            self._missing(self._halt(error))
        finally:
            self.scene.writer.shutdown(wait=True)
            self.scene.outcome.seconds += self.scene.clock.monotonic() - began
        return self._left_out()

    async def forget(self) -> None:
        """Let the EHR forget the tenant's exports: it is synced in another way now."""
        scene = self.scene
        try:
            make_private(scene.folder)
            await self._lost(Tending(scene))
            await Tending(scene).close_old()
        except (LeaseLost, UsageError):
            raise
        except HarnessError as error:
            scene.outcome.note("export", f"could not be deleted: {error.message}")
        finally:
            scene.writer.shutdown(wait=True)

    async def _run(self) -> None:
        scene, tending = self.scene, Tending(self.scene)
        make_private(scene.folder)
        scene.folder.chmod(0o700)
        await self._limit_types()
        await tending.close_old()
        for attempt in range(1, ATTEMPTS + 1):
            scene.be_patient()
            known = await scene.write(scene.jobs.open)
            self._tidy(known)
            try:
                if known is None or known.phase is Phase.ASKED:
                    job = await tending.begin(await scene.write(self._span), known)
                else:
                    job = known
                self._served, self.since = frozenset(job.patients), job.since
                job = await tending.ready(job)
                files = await Fetching(scene, tending, job).run()
                await self._conclude(job, files, tending)
            except JobLost as lost:
                await self._lost(tending)
                if attempt == ATTEMPTS:
                    raise Halt(lost.reason, refused=True) from None
                scene.outcome.note("export", f"{lost.reason}; another one was begun")
            else:
                return

    async def _limit_types(self) -> None:
        """Ask for no type that no scope covers: an EHR may refuse the whole export for one.

        Raises:
            Halt: nothing is left to ask for.
        """
        scene = self.scene
        if scene.client.grant is not None:
            await scene.client.grant.access_token()
        lacking = scene.lacks(scene.tenant.resources)
        for type_ in lacking:
            scene.outcome.gaps.append(
                Gap(Query(NOBODY, type_), "no scope that was granted covers it")
            )
        scene.types = tuple(each for each in scene.tenant.resources if each not in lacking)
        if not scene.types:
            raise Halt("no scope that was granted covers what the tenant syncs")

    def _span(self) -> Span:
        scene, spec = self.scene, self.scene.tenant.ehr.sync
        days = spec.full_every_days
        return span(
            scene.patients,
            scene.types,
            scene.store.watermarks(),
            overlap=timedelta(seconds=spec.overlap_seconds),
            backfill=spec.bulk.backfill,
            full_every=None if days is None else timedelta(days=days),
            now=scene.clock.now(),
        )

    async def _conclude(self, job: Job, files: tuple[File, ...], tending: Tending) -> None:
        """Move the watermarks of what is complete, name what is not, and close the export."""
        left = [each for each in files if not each.done]
        if left:
            reason = left[0].problem or "not fetched"
            more = f" and {len(left) - 1} more" if len(left) > 1 else ""
            raise Halt(f"file {left[0].number}{more} could not be fetched: {reason}")
        scene = self.scene
        stored = await scene.write(scene.jobs.open)
        job = stored or job
        if (wrong := flaw(job)) is not None:
            scene.outcome.note("export", f"{wrong}, so its own start counts")
        complete = complete_types(job, files)
        if job.since is None:
            await self._sweep(job, complete)
        await scene.write(lambda: self._move(job, complete))
        for file in files:
            if file.problem is not None:
                part = f"file {file.number}"
                gap = Gap(Query(NOBODY, file.type or "export", part), file.problem)
                scene.outcome.gaps.append(gap)
        await tending.close(replace(job, phase=Phase.CLOSING))

    def _move(self, job: Job, complete: tuple[str, ...]) -> None:
        scene = self.scene
        overlap = timedelta(seconds=scene.tenant.ehr.sync.overlap_seconds)
        moved = watermarks(job, complete, scene.store.watermarks(), overlap)
        with scene.store.fenced(scene.lease) as db:
            for each in moved:
                put_watermark(db, each)
            drop_files(db, job)
            put_job(db, replace(job, phase=Phase.CLOSING))

    async def _sweep(self, job: Job, complete: tuple[str, ...]) -> None:
        """What an export of everything does not hold any more is read, and so known to be gone."""
        scene = self.scene
        absent = await scene.write(lambda: self._unseen(job, complete))
        read = await read_absent(scene.reader, absent)
        now = scene.clock.now()
        await scene.write(lambda: mark_gone(scene.store, scene.lease, read.gone, now, scene.run))
        scene.gone.extend(read.gone)
        for held, _ in read.alive:
            scene.outcome.note(held.type, "can be read, although the export leaves it out")
        for each in read.unclear:
            scene.outcome.note(each.held.type, each.reason)

    def _unseen(self, job: Job, complete: tuple[str, ...]) -> list[Held]:
        """What the store holds of the export's patients and no run since its begin has seen."""
        ours, found = set(job.patients), []
        for type_ in complete:
            rows = self.scene.store.connection.execute(
                "SELECT patient, id FROM resources WHERE type = ? AND deleted = 0 AND seen_in < ?",
                (type_, job.run),
            )
            found += [Held(r["patient"], type_, r["id"]) for r in rows if r["patient"] in ours]
        return sorted(found, key=lambda each: (each.patient, each.type, each.id))

    async def _lost(self, tending: Tending) -> None:
        scene = self.scene
        job = await scene.write(scene.jobs.open)
        if job is not None:
            await scene.write(lambda: scene.jobs.put_files(job, ()))
            await tending.close(job)
        self._tidy(None)

    def _tidy(self, job: Job | None) -> None:
        """Leave no file on the disk but those of the export that goes on."""
        for path in self.scene.folder.iterdir():
            if job is None or not path.name.startswith(f"{job.id}-"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _left_out(self) -> tuple[str, ...]:
        """Patients whom the export is not for, and who lack something."""
        scene, served = self.scene, self._served
        if served is None:
            return ()
        patients = [each for each in scene.patients if each not in served]
        return newcomers(patients, scene.types, scene.store.watermarks())

    def _missing(self, halt: Halt) -> None:
        outcome = self.scene.outcome
        outcome.stopped = outcome.stopped or halt.reason
        outcome.come_back = outcome.come_back or halt.come_back
        for type_ in self.scene.types:
            outcome.gaps.append(Gap(Query(NOBODY, type_), halt.reason))

    def _halt(self, error: HarnessError) -> Halt:
        """What a request that ended without an answer means for the export."""
        if isinstance(error, Throttled):
            wait = COME_BACK if error.retry_after is None else timedelta(seconds=error.retry_after)
            return Halt(error.message, self.scene.clock.now() + wait)
        if isinstance(error, OAuthError | GrantLost):
            return Halt(f"no access token: {error}")
        if isinstance(error, EhrUnreachable):
            return Halt(f"the EHR does not answer: {error.message}")
        return Halt(error.message)


def complete_types(job: Job, files: tuple[File, ...]) -> tuple[str, ...]:
    """The types of an export of which nothing is missing, as far as its files tell.

    An error that the EHR reports of its own export, and a file that names no type, may concern any.
    """
    wrong = [each for each in files if each.problem is not None]
    if any(each.kind is not Kind.OUTPUT or each.type not in job.types for each in wrong):
        return ()
    return tuple(each for each in job.types if each not in {file.type for file in wrong})
