"""What the steps of an export share: whose it is, where it goes, how it ends early."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from harness.config.tenant import Tenant
from harness.fhir.bulk.client import BulkClient
from harness.http.clock import Clock
from harness.sync.bulk.job import Jobs
from harness.sync.deletions.gone import Gone
from harness.sync.model import Counts, Lease, Query
from harness.sync.order import Outcome, Reader
from harness.sync.store.store import Store

T = TypeVar("T")

SLICE = 5.0
"""Seconds after which whoever waits looks whether the run is to stop."""


class Halt(Exception):
    """The export goes on in the next run, or cannot be had.

    Args:
        reason: one line without ids.
        come_back: when to go on; None where nothing was said.
        refused: whether the EHR will not, or cannot, export at all.
    """

    def __init__(
        self, reason: str, come_back: datetime | None = None, *, refused: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.come_back = come_back
        self.refused = refused


class JobLost(Exception):
    """This export will never be had. `reason` is one line without ids."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True)
class Scene:
    """One run's part in an export.

    Attributes:
        tenant: whose.
        store: used in one thread, by `write`.
        lease: checked with every write.
        run: the run's row.
        client: asks.
        reader: reads single resources.
        clock: time and waiting.
        folder: for files on their way; private, and nothing else lies there.
        patients: the tenant's.
        lacks: which of some types no scope of the grant covers.
        on_page: told after every commit.
        outcome: what the run did.
        gone: what it found to be deleted.
        deadline: until when the run waits for the EHR.
    """

    tenant: Tenant
    store: Store
    lease: Lease
    run: int
    client: BulkClient
    reader: Reader
    clock: Clock
    folder: Path
    patients: tuple[str, ...]
    lacks: Callable[[Sequence[str]], tuple[str, ...]]
    on_page: Callable[[Query, Counts, bool], None]
    files: int = 0
    """How many the export has, once that is known."""
    types: tuple[str, ...] = ()
    """What is exported: the tenant's types, but those that no scope covers."""
    outcome: Outcome = field(default_factory=Outcome)
    gone: list[Gone] = field(default_factory=list)
    deadline: datetime = field(init=False)
    jobs: Jobs = field(init=False)
    writer: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        self.types = self.tenant.resources
        self.be_patient()
        self.jobs = Jobs(self.store, self.lease)
        self.writer = ThreadPoolExecutor(1, thread_name_prefix="store")

    def be_patient(self) -> None:
        """Wait from now on as long as one export may be waited for."""
        spec = self.tenant.ehr.sync.bulk
        self.deadline = self.clock.now() + timedelta(seconds=spec.wait_seconds)

    async def write(self, action: Callable[[], T]) -> T:
        """Use the store in its one thread; a commit that began is finished even when cancelled."""
        return await asyncio.get_running_loop().run_in_executor(self.writer, action)

    def go_on(self) -> None:
        """Nothing, unless the run is to stop.

        Raises:
            Halt: it is.
        """
        if self.outcome.stopped is not None:
            raise Halt(self.outcome.stopped, self.outcome.come_back)

    async def wait(self, until: datetime, what: str) -> None:
        """Wait, where that is over before the run's patience is.

        Raises:
            Halt: it is not, or the run is to stop.
        """
        if until > self.deadline and until > self.clock.now():
            raise Halt(what, until)
        await self.rest(until)

    async def rest(self, until: datetime) -> None:
        """Wait, however long the run has lasted.

        Raises:
            Halt: the run is to stop.
        """
        while (left := (until - self.clock.now()).total_seconds()) > 0:
            self.go_on()
            await self.clock.sleep(min(left, SLICE))
        self.go_on()
