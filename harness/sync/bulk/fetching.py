"""The files of an export: fetched side by side at the host's pace, loaded one batch at a time.

A file that breaks off goes on where the server allows it, else it is fetched anew; one that ends in
half a line, or holds less than its manifest says, is fetched once more. What then cannot be had is
the file's problem, which is told, and keeps the watermarks where they are.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from harness.errors import HostileInput
from harness.fhir.bulk.client import Arrived, Broken, Fetched, LinkGone
from harness.fhir.bulk.landing import Caps, Landing
from harness.fhir.bulk.manifest import Kind
from harness.sync.bulk.job import File, Job, put_file
from harness.sync.bulk.lines import NOBODY
from harness.sync.bulk.loading import Loaded, Loader, Whose, finished
from harness.sync.bulk.scene import Halt, JobLost, Scene
from harness.sync.bulk.tending import Tending
from harness.sync.deletions.gone import Gone, mark_gone, read_absent
from harness.sync.model import Counts, Query
from harness.sync.store.statements import add_counts

BREAKS = 3
"""How often in a row a download may break off without a line more, until the next run."""

MOST_DOWNLOADS = 200
"""How often one run goes on with a download that breaks off behind a few more lines each time."""

RUNS = 3
"""How many runs may leave a file behind, until it is given up."""

PAUSE = timedelta(seconds=2)
"""Before a download that broke off goes on."""

COME_BACK = timedelta(minutes=15)
_MB = 1 << 20

SILENT = 3
"""How many files in a row may break off, until the host is taken for down."""


@dataclass(slots=True)
class Fetching:
    """Brings the files of one export into the store."""

    scene: Scene
    tending: Tending
    job: Job
    files: dict[int, File] = field(default_factory=dict)
    _links: asyncio.Lock = field(default_factory=asyncio.Lock)
    _renewed: bool = False
    _silent: int = 0
    _resources: int = 0
    _old: int = 0

    async def run(self) -> tuple[File, ...]:
        """All files; each is done, or was left for the next run.

        Raises:
            JobLost: their links expired for good.
            Halt: the run is to stop, or the EHR is busy.
        """
        listed = await self.scene.write(lambda: self.scene.jobs.files(self.job))
        self.files = {each.number: each for each in listed}
        self.scene.files = len(listed)
        # What was deleted is judged by what came, so it comes last.
        for last in (False, True):
            queue = deque(
                each.number
                for each in listed
                if not each.done and (each.kind is Kind.DELETED) is last
            )
            await self._all(queue)
        if self._old * 2 > self._resources:
            self.scene.outcome.note("export", "_since was not kept to: most of it is older")
        return tuple(self.files.values())

    async def _all(self, queue: deque[int]) -> None:
        workers = min(self.scene.tenant.ehr.limits.concurrency, len(queue))
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(self._work(queue))
        except BaseExceptionGroup as errors:
            # The first says why: the others were cancelled for it, or met the same.
            raise errors.exceptions[0] from None

    async def _work(self, queue: deque[int]) -> None:
        while queue:
            await self._file(queue.popleft())

    async def _file(self, number: int) -> None:
        while not self.files[number].done:
            self.scene.go_on()
            if self.files[number].fetched:
                await self._load(number)
            elif not await self._fetch(number):
                return

    # -- fetching

    async def _fetch(self, number: int) -> bool:
        """Bring a file onto the disk; whether there is something to go on with."""
        breaks = 0
        for _ in range(MOST_DOWNLOADS):
            landing, file = self._landing(number), self.files[number]
            before = landing.size
            try:
                fetched = await self._download(file, landing)
            except HostileInput as error:
                await self._give_up(number, error.message)
                return True
            if isinstance(fetched, Arrived):
                arrived = replace(file, fetched=True, loaded=0, lines=0, found=0, problem=None)
                await self._put(arrived)
                self._silent = 0
                return True
            if isinstance(fetched, LinkGone):
                await self._renew(file.url, fetched.status)
            elif isinstance(fetched, Broken):
                breaks = 0 if self._landing(number).size > before else breaks + 1
                if breaks == BREAKS:
                    return await self._silence(number, fetched.reason)
                await self.scene.rest(self.scene.clock.now() + PAUSE)
            elif fetched.busy:
                raise Halt("the EHR keeps refusing for load", self.scene.clock.now() + COME_BACK)
            else:
                return await self._leave(number, fetched.reason)
        return await self._leave(number, f"broke off {MOST_DOWNLOADS} times")

    async def _download(self, file: File, landing: Landing) -> Fetched:
        client, job = self.scene.client, self.job
        return await client.download(file.url, landing, with_token=job.token)

    def _landing(self, number: int) -> Landing:
        most = self.scene.tenant.ehr.sync.bulk.max_file_mb * _MB
        return Landing(self._path(number), Caps(most))

    def _path(self, number: int) -> Path:
        # Named by us: what a manifest says never becomes a part of a path.
        return self.scene.folder / f"{self.job.id}-{number}.ndjson"

    async def _renew(self, expired: str, status: int) -> None:
        """New links, once for all files."""
        async with self._links:
            if all(each.url != expired for each in self.files.values()):
                return  # another worker was told them meanwhile
            if self._renewed:
                raise JobLost(f"new links of the export expired as well (status {status})")
            self._renewed = True
            current = tuple(self.files.values())
            renewed = await self.tending.renew(self.job, current)
            self.files = {each.number: each for each in renewed}
            if all(each.url != expired for each in renewed):
                return
            raise JobLost(f"the links of the export expired (status {status})")

    async def _silence(self, number: int, reason: str) -> bool:
        """A file that breaks off without end: its own fault, or that of the host."""
        again = await self._leave(number, reason)
        self._silent += 1
        if self._silent == SILENT:
            raise Halt(f"the EHR does not answer: {reason}")
        return again

    async def _leave(self, number: int, reason: str) -> bool:
        """Leave a file for the next run, or for good if many runs did."""
        file = self.files[number]
        left = replace(file, left_in=file.left_in + 1)
        if left.left_in >= RUNS:
            await self._give_up(number, reason)
            return True
        await self._put(replace(left, problem=reason))
        return False

    async def _give_up(self, number: int, reason: str) -> None:
        self._landing(number).remove()
        await self._put(replace(self.files[number], done=True, problem=reason))

    async def _put(self, file: File) -> None:
        self.files[file.number] = file
        await self.scene.write(lambda: self.scene.jobs.put_files(self.job, [file]))

    # -- loading

    async def _load(self, number: int) -> None:
        scene, file = self.scene, self.files[number]
        spec = scene.tenant.ehr.sync.bulk
        if not self._path(number).exists():
            await self._put(replace(file, fetched=False))
            return
        loader = Loader(
            scene.store,
            scene.lease,
            scene.run,
            self.job,
            file,
            self._path(number),
            whose=Whose(self.job.types, {*self.job.patients, *scene.patients}),
            longest=spec.max_line_mb * _MB,
            now=scene.clock.now,
        )
        with loader:
            while not loader.ended:
                scene.go_on()
                counts = await scene.write(loader.batch)
                self.files[number] = loader.file
                scene.outcome.counts += counts
                scene.on_page(Query(NOBODY, file.type), counts, False)  # noqa: FBT003 - not its end
        await self._loaded(number, loader)

    async def _loaded(self, number: int, loader: Loader) -> None:
        """A file after its last line: it is done, or fetched once more."""
        scene, told, file = self.scene, loader.told, finished(loader)
        self._remark(told)
        if file.problem is not None and told.torn and file.again == 0:
            self._landing(number).remove()
            anew = replace(file, fetched=False, done=False, problem=None, again=1, loaded=0)
            await self._put(anew)
            return
        file = await self._judged(file, told)
        await scene.write(lambda: self._end(file))
        self.files[number] = file
        self._landing(number).remove()
        scene.on_page(Query(NOBODY, file.type), Counts(pages=1), True)  # noqa: FBT003 - its end

    def _end(self, file: File) -> None:
        scene, done = self.scene, Counts(pages=1)
        with scene.store.fenced(scene.lease) as db:
            put_file(db, self.job, file)
            add_counts(db, scene.run, NOBODY, file.type, done)
        scene.outcome.counts += done

    def _remark(self, told: Loaded) -> None:
        self._resources += told.resources
        self._old += told.old
        notes = self.scene.outcome.notes
        for at, often in told.notes.items():
            notes[at] = notes.get(at, 0) + often
        self.scene.gone.extend(told.gone)

    async def _judged(self, file: File, told: Loaded) -> File:
        """Read what is named as deleted although it came: only a read tells."""
        scene = self.scene
        if not told.doubtful:
            return file
        read = await read_absent(scene.reader, told.doubtful)
        gone = tuple(Gone(each.held, "was deleted after it was exported") for each in read.gone)
        now = scene.clock.now()
        await scene.write(lambda: mark_gone(scene.store, scene.lease, gone, now, scene.run))
        scene.gone.extend(gone)
        scene.outcome.counts += Counts(deleted=len(gone))
        if not read.unclear:
            return file
        unclear = f"{len(read.unclear)} deletions could be neither confirmed nor denied"
        return replace(file, problem=unclear if file.problem is None else file.problem)
