"""All that is queued, to the EHR: patients side by side, the writes of each in their order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from harness.http.clock import Clock
from harness.sync.outbox.courier import Courier
from harness.sync.outbox.line import Line
from harness.sync.outbox.model import Entry, Halt, Op, State, Waiting

REFILL = 1.0
"""Seconds between two looks at what other processes submitted, while there is work."""

SILENCE = 5
"""Requests in a row without an answer, after which the host is taken to be down."""
LONGEST_HOLD = 300.0


@dataclass(slots=True)
class Delivery:
    """Delivers until nothing is left that can be, or for as long as it is told to stay.

    Args:
        courier: brings single entries.
        clock: harness clock.
        concurrency: how many patients at once.
        patience: seconds that it may wait for what is not due yet; None: it stays until stopped.
        poll: seconds between two looks at the store while it stays and nothing is open.
        on_settled: told of each entry that is confirmed or dead.
    """

    courier: Courier
    clock: Clock
    concurrency: int = 4
    patience: float | None = 10.0
    poll: float = 0.25
    on_settled: Callable[[Entry], None] = lambda _entry: None
    reason: str | None = None
    """Why it is held up, or ended with open entries; None where nothing held it up."""
    held_until: datetime | None = None
    """When the EHR may be asked again, if it is left alone for now."""
    _line: Line = field(default_factory=Line)
    _tasks: dict[asyncio.Task[None], Sequence[Waiting]] = field(default_factory=dict)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _stopped: bool = False
    _error: BaseException | None = None
    _holds: int = 0
    _filled: float = float("-inf")

    def stop(self, reason: str) -> None:
        """Begin nothing more; what is under way ends first."""
        self._stopped = True
        self.reason = self.reason or reason
        self.wake()

    def wake(self) -> None:
        """Something was submitted."""
        self._filled = float("-inf")
        self._woken.set()

    async def run(self) -> None:
        """Deliver.

        Raises:
            HarnessError: the grant is lost, or a file has to be mended; entries stay open.
        """
        try:
            while True:
                self._woken.clear()
                if not self._stopped:
                    self._refill()
                    self._start()
                if not await self._wait():
                    break
        finally:
            for task in self._tasks:
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks)
        if self._error is not None:
            raise self._error

    def _refill(self) -> None:
        now = self.clock.monotonic()
        if not self._tasks or now - self._filled >= REFILL:
            self._line.refill(self.courier.box.waiting())
            self._filled = now

    def _start(self) -> None:
        now = self.clock.now()
        if self.held_until is not None:
            if now < self.held_until:
                return
            self.held_until = None
        free = self.concurrency - len(self._tasks)
        size = self.courier.abilities.batch
        ready = self._line.take(now, free * size) if free > 0 else []
        alone = [[each] for each in ready if size == 1 or not each.fresh]
        fresh = [each for each in ready if size > 1 and each.fresh]
        for group in [*alone, *(fresh[at : at + size] for at in range(0, len(fresh), size))]:
            self._tasks[asyncio.create_task(self._carry(group))] = group

    async def _carry(self, group: Sequence[Waiting]) -> None:
        found = [self.courier.box.entry(each.id) for each in group]
        entries = [each for each in found if each is not None and each.is_open]
        if len(entries) > 1:
            await self.courier.carry_batch(entries)
        elif entries:
            await self.courier.carry(entries[0])

    async def _wait(self) -> bool:
        """Until something ends, is due or comes; False where there is nothing to wait for."""
        seconds = self._seconds()
        if seconds is None and not self._tasks:
            return False
        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._woken.wait())]
        if seconds is not None:
            waits.append(asyncio.ensure_future(self.clock.sleep(max(0.0, seconds))))
        try:
            await asyncio.wait([*self._tasks, *waits], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
                with suppress(asyncio.CancelledError):
                    await each
        for task in [each for each in self._tasks if each.done()]:
            self._ended(task, self._tasks.pop(task))
        return True

    def _seconds(self) -> float | None:
        """How long to wait for what is not under way; None: not at all."""
        if self._stopped or len(self._tasks) >= self.concurrency:
            return None
        now = self.clock.now()
        due = self._line.next_at()
        if self.held_until is not None and len(self._line):
            due = max(self.held_until, due or self.held_until)
        seconds = None if due is None else (due - now).total_seconds()
        if self.patience is None:
            return self.poll if seconds is None else min(self.poll, seconds)
        if seconds is None or seconds > self.patience:
            return None
        return seconds

    def _ended(self, task: asyncio.Task[None], group: Sequence[Waiting]) -> None:
        """Take in how a group of entries stands; the store knows, whatever the task says."""
        for waiting in group:
            entry = self.courier.box.entry(waiting.id)
            if entry is not None and entry.is_open:
                self._line.back(waiting, _waiting(entry))
                continue
            self._line.back(waiting, None)
            if entry is not None:
                self.on_settled(entry)
        error = None if task.cancelled() else task.exception()
        if error is None:
            self._holds = 0
            if self.courier.wire.silent >= SILENCE:
                self._hold(Halt("the EHR does not answer", 5.0))
        elif isinstance(error, Halt):
            self._hold(error)
            self._error = self._error or error.error
        else:
            self._error = self._error or error
        if self._error is not None:
            # What is under way may end: to cut it off would leave it uncertain.
            self.stop(str(self._error))

    def _hold(self, halt: Halt) -> None:
        """Leave the host alone; longer each time, where it does not say how long."""
        self.reason = halt.reason
        if halt.seconds is None:
            return
        seconds = max(halt.seconds, min(LONGEST_HOLD, halt.seconds * 2.0**self._holds))
        if self.held_until is None:
            self._holds += 1
        until = self.clock.now() + timedelta(seconds=seconds)
        self.held_until = max(until, self.held_until or until)


def _waiting(entry: Entry) -> Waiting:
    fresh = entry.op is Op.CREATE and entry.state is State.QUEUED
    return Waiting(entry.place, entry.id, entry.patient, entry.next_at, fresh)
