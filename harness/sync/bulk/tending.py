"""The conversation with the EHR about an export: begin, look, renew links, let it be forgotten."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from harness.config.bulk import ExportLevel
from harness.config.tenant import Tenant
from harness.errors import ConfigError, EhrUnreachable, HostileInput, ProtocolError
from harness.fhir.bulk.kickoff import AtOnce, Denied, Kickoff, Started, read_kickoff
from harness.fhir.bulk.manifest import Manifest, read_manifest
from harness.fhir.bulk.refusal import Refused
from harness.fhir.bulk.status import (
    Done,
    Failed,
    Moved,
    Over,
    Status,
    Unclear,
    Underway,
    read_status,
)
from harness.http.exchange import Exchange
from harness.sync.answers.stamps import http_date
from harness.sync.asking.marks import TRUSTED_LAG, latest, server_start
from harness.sync.bulk.job import File, Job, Phase, files_of
from harness.sync.bulk.pacing import next_look
from harness.sync.bulk.reach import Span
from harness.sync.bulk.scene import Halt, JobLost, Scene

GIVE_UP = timedelta(days=30)
"""An export that is not ready by then is deleted and asked for anew."""

UNCLEAR_IN_A_ROW = 5
MOST_MOVES = 5
MOST_PAGES = 1000
BUSY, MOST_BUSY = 15.0, 300.0
"""Seconds until a kick-off that was refused without a hint is sent again; doubled each time."""

SERVER_ERROR, UNAUTHORIZED, OK = 500, 401, 200
NOT_READY = "the EHR is still preparing the export"
UNDER_WAY = "the EHR runs an export of this client already, or is busy"


def kickoff_of(tenant: Tenant, types: tuple[str, ...], since: datetime | None) -> Kickoff:
    """What a tenant's export of these types asks for.

    Raises:
        ConfigError: it is to hold a Group that no file names.
    """
    spec = tenant.ehr.sync.bulk
    group = spec.group or tenant.patients.group
    level = spec.level or (ExportLevel.GROUP if group else ExportLevel.PATIENT)
    if level is ExportLevel.GROUP and not group:
        raise ConfigError(
            f"tenant {tenant.name}: an export of a Group, and no Group is named",
            hint="set group under [sync.bulk] of the EHR file, or patients.group of the tenant",
        )
    return Kickoff(level, group, types, since, spec.type_filters, spec.type_encoding)


class Tending:
    """Looks after the exports of one tenant during one run."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    async def begin(self, span: Span, lost: Job | None) -> Job:
        """Start an export.

        Args:
            span: what to ask for.
            lost: an earlier one whose kick-off got no answer, so that it may exist.

        Raises:
            Halt: not now.
            ConfigError: the files do not say what to export.
        """
        scene = self._scene
        kickoff = kickoff_of(scene.tenant, scene.types, span.since)
        now = scene.clock.now()
        job = Job(
            lost.id if lost else 0,
            scene.run,
            Phase.ASKED,
            span.since,
            now - TRUSTED_LAG,
            now,
            span.covered,
            scene.types,
        )
        job = await scene.write(lambda: scene.jobs.put(job))
        ours = lost is not None
        for attempt in range(1, 1000):
            exchange = await scene.client.kick_off(kickoff)
            answer = read_kickoff(exchange, scene.clock.now())
            if not isinstance(answer, Refused):
                return await self._begun(job, answer, exchange)
            if ours and answer.poll_url is not None:
                # Only the export whose kick-off got no answer can be our own: it is of no use now.
                ours = False
                await self._delete(answer.poll_url)
                continue
            wait = answer.wait or min(MOST_BUSY, BUSY * 2.0 ** min(attempt - 1, 8))
            await scene.wait(scene.clock.now() + timedelta(seconds=wait), UNDER_WAY)
        raise Halt(UNDER_WAY)

    async def ready(self, job: Job) -> Job:
        """Wait until the files of an export are known.

        Raises:
            Halt: it is not ready in this run.
            JobLost: it never will be.
        """
        unclear = moves = 0
        while job.phase is Phase.RUNNING:
            scene = self._scene
            if scene.clock.now() - job.asked > GIVE_UP:
                raise JobLost(f"the export was not ready after {GIVE_UP.days} days")
            await scene.wait(job.next_poll or scene.clock.now(), NOT_READY)
            exchange, status = await self._status(job.poll_url or "")
            unclear = unclear + 1 if isinstance(status, Unclear) else 0
            moves += isinstance(status, Moved)
            if unclear == UNCLEAR_IN_A_ROW and isinstance(status, Unclear):
                raise Halt(f"the status of the export cannot be read: {status.reason}")
            if moves > MOST_MOVES:
                raise JobLost("the status of the export redirects without end")
            job = await self._seen(job, status, exchange)
        return job

    async def renew(self, job: Job, files: tuple[File, ...]) -> tuple[File, ...]:
        """New links for files that are still to be fetched, since theirs expired.

        Raises:
            JobLost: the EHR has no new ones for the same files.
            Halt: it does not say so now.
        """
        _, status = await self._status(job.poll_url or "")
        if isinstance(status, Over | Failed | Underway):
            raise JobLost("the links of the export expired, and so did the export")
        if not isinstance(status, Done):
            raise Halt("the links of the export expired, and the EHR gives no new ones now")
        manifest = await self._whole(status.manifest)
        fresh = files_of(manifest.files, manifest.lost)
        named = [(each.number, each.kind, each.type) for each in files]
        if named != [(each.number, each.kind, each.type) for each in fresh]:
            raise JobLost("the links of the export expired, and the new ones are of other files")
        renewed = tuple(
            old if old.done else replace(old, url=new.url)
            for old, new in zip(files, fresh, strict=True)
        )
        await self._scene.write(lambda: self._scene.jobs.put_files(job, renewed))
        return renewed

    async def close(self, job: Job) -> None:
        """Let the EHR forget an export, now or, where that fails, in a later run."""
        scene = self._scene
        job = replace(job, phase=Phase.CLOSING)
        await scene.write(lambda: scene.jobs.put(job))
        over = job.poll_url is None or scene.clock.now() - job.asked > 2 * GIVE_UP
        if over or await self._delete(job.poll_url or ""):
            await scene.write(lambda: scene.jobs.remove(job))
        else:
            scene.outcome.note(
                "export", "could not be deleted at the EHR; the next run tries again"
            )

    async def close_old(self) -> None:
        """See to the exports that earlier runs could not close."""
        for job in await self._scene.write(self._scene.jobs.closing):
            await self.close(job)

    async def _delete(self, poll_url: str) -> bool:
        """Whether the EHR has taken notice: whatever it answers, but that it is busy or broken."""
        try:
            exchange = await self._scene.client.delete(poll_url)
        except HostileInput:
            return True  # a place that must not be asked
        except EhrUnreachable:
            return False
        return exchange.status < SERVER_ERROR and exchange.status != 429  # noqa: PLR2004 - too many requests

    async def _begun(self, job: Job, answer: Started | AtOnce | Denied, exchange: Exchange) -> Job:
        scene, now = self._scene, self._scene.clock.now()
        if isinstance(answer, Denied):
            if answer.status < SERVER_ERROR:
                await scene.write(lambda: scene.jobs.remove(job))
            reason = f"the EHR starts no export: {answer.reason}"
            raise Halt(reason, refused=answer.status < SERVER_ERROR)
        date = http_date(exchange.headers.get("Date"))
        started = server_start(date, exchange.seconds, exchange.started_at)
        job = replace(job, phase=Phase.RUNNING, started=started)
        if isinstance(answer, AtOnce):
            return await self._ready(job, answer.manifest, exchange)
        if answer.poll_url is None:
            await scene.write(lambda: scene.jobs.remove(job))
            raise Halt("the EHR began an export, and did not say where it is")
        look = now + timedelta(seconds=next_look(answer.wait, 0))
        job = replace(job, poll_url=answer.poll_url, next_poll=look)
        return await scene.write(lambda: scene.jobs.put(job))

    async def _status(self, url: str) -> tuple[Exchange, Status]:
        try:
            exchange = await self._scene.client.poll(url)
        except HostileInput as error:
            raise JobLost(error.message) from None
        if exchange.status == UNAUTHORIZED and "Authorization" not in exchange.request.headers:
            raise JobLost("the status of the export wants a token at a place that gets none")
        return exchange, read_status(exchange, self._scene.clock.now())

    async def _seen(self, job: Job, status: Status, exchange: Exchange) -> Job:
        """An export after one look at it."""
        scene = self._scene
        if isinstance(status, Done):
            return await self._ready(job, status.manifest, exchange)
        if isinstance(status, Over):
            raise JobLost(f"the EHR has forgotten the export (status {status.status})")
        if isinstance(status, Failed):
            raise JobLost(f"the EHR could not make the export: {status.reason}")
        if isinstance(status, Moved):
            job = replace(job, poll_url=status.url)
            return await scene.write(lambda: scene.jobs.put(job))
        wait = next_look(status.wait if isinstance(status, Underway | Refused) else None, job.polls)
        look = scene.clock.now() + timedelta(seconds=wait)
        job = replace(job, polls=job.polls + 1, next_poll=look)
        return await scene.write(lambda: scene.jobs.put(job))

    async def _ready(self, job: Job, first: Manifest, exchange: Exchange) -> Job:
        scene = self._scene
        manifest = await self._whole(first)
        for problem in manifest.problems:
            scene.outcome.note("export", problem)
        job = replace(
            job,
            phase=Phase.LOADING,
            # A proxy may write the Date: only what is later than both clocks lies in the future.
            ready=latest(http_date(exchange.headers.get("Date")), scene.clock.now()),
            transaction_time=manifest.transaction_time,
            token=manifest.requires_access_token is not False,
        )
        files = files_of(manifest.files, manifest.lost)
        await scene.write(lambda: scene.jobs.put_files(job, files))
        return job

    async def _whole(self, first: Manifest) -> Manifest:
        """A manifest with the files of all of its pages."""
        pages, visited = [first], set[str]()
        while (url := pages[-1].next) is not None:
            if url in visited or len(pages) == MOST_PAGES:
                raise JobLost("the pages of the manifest do not end")
            visited.add(url)
            exchange = await self._scene.client.poll(url)
            if exchange.status != OK:
                raise Halt(f"a page of the manifest could not be read: status {exchange.status}")
            try:
                pages.append(read_manifest(exchange.json_object(), url))
            except ProtocolError as error:
                raise Halt(f"a page of the manifest could not be read: {error.message}") from None
        return replace(
            first,
            files=tuple(file for page in pages for file in page.files),
            lost=tuple(line for page in pages for line in page.lost),
            problems=tuple(dict.fromkeys(line for page in pages for line in page.problems)),
            next=None,
        )
