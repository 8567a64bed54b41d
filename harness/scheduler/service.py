"""All tenants: which are due, each in a task of its own, until they are done or told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.config.tenant import Tenant, load_tenant
from harness.errors import HarnessError
from harness.scheduler.due import is_due
from harness.scheduler.jobs import Ended, Site, isolated
from harness.scheduler.turn import write_and_sync
from harness.sync.account import Account
from harness.sync.run import SyncRun
from harness.sync.store.places import place_of
from harness.sync.store.store import Store

TICK = 20.0
"""Seconds between two looks at what is due."""


@dataclass(slots=True)
class Service:
    """Runs what is due.

    Args:
        site: this process.
        tenants: tenant files by name; read again at each look, so that changes count.
        name_run: makes the name of a run.
        on_end: told how each job ended; writes reports.
        bound: seconds that one job may take.
    """

    site: Site
    tenants: Callable[[], Mapping[str, Path]]
    name_run: Callable[[], str]
    on_end: Callable[[Tenant | None, Ended], None]
    bound: float
    _tasks: dict[str, asyncio.Task[Ended]] = field(default_factory=dict)
    _runs: dict[str, SyncRun] = field(default_factory=dict)
    _broken: dict[str, str] = field(default_factory=dict)
    _stopping: str | None = None

    def tick(self, *, every: bool = False) -> None:
        """Start what is due and not under way; `every` starts the rest as well."""
        if self._stopping is not None:
            return
        self._forget({task for task in self._tasks.values() if task.done()})
        for name, path in self.tenants().items():
            if name not in self._tasks:
                self._consider(name, path, every=every)

    async def drain(self) -> tuple[Ended, ...]:
        """Wait until nothing is under way; how each job ended, unreadable files included."""
        ended = [Ended(name, error=error) for name, error in self._broken.items()]
        while self._tasks:
            done, _ = await asyncio.wait(self._tasks.values())
            ended += [task.result() for task in done]
            self._forget(done)
        return tuple(ended)

    def stop(self, reason: str) -> None:
        """Start nothing more; let each run finish its pages."""
        self._stopping = reason
        for run in self._runs.values():
            run.stop(reason)

    def _consider(self, name: str, path: Path, *, every: bool) -> None:
        try:
            tenant = load_tenant(str(path))
            if not every and not self._is_due(tenant):
                return
        except HarnessError as error:
            self._complain(name, str(error))
            return
        self._broken.pop(name, None)
        task = asyncio.create_task(self._job(tenant))
        self._tasks[name] = task

    def _is_due(self, tenant: Tenant) -> bool:
        place = place_of(tenant, self.site.environ)
        last = None
        if place.exists():
            with Store(place) as store:
                last = next(iter(store.runs(1)), None)
        return is_due(tenant.schedule, tenant.name, last, self.site.clock.now())

    async def _job(self, tenant: Tenant) -> Ended:
        async def job() -> Account:
            return await write_and_sync(
                tenant,
                self.site,
                self.name_run(),
                bound=self.bound,
                on_start=self._started,
            )

        ended = await isolated(tenant.name, job)
        self._runs.pop(tenant.name, None)
        try:
            self.on_end(tenant, ended)
        except OSError as error:
            said = f"its report could not be written: {error.strerror}"
            return Ended(tenant.name, ended.account, said)
        return ended

    def _started(self, run: SyncRun) -> None:
        self._runs[run.tenant.name] = run
        if self._stopping is not None:
            run.stop(self._stopping)

    def _complain(self, name: str, error: str) -> None:
        """Say once what is wrong with a tenant file, not at every tick."""
        if self._broken.get(name) != error:
            self._broken[name] = error
            self.on_end(None, Ended(name, error=error))

    def _forget(self, done: set[asyncio.Task[Ended]]) -> None:
        self._tasks = {name: task for name, task in self._tasks.items() if task not in done}
