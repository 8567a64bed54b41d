"""Pulls what is new, page by page, fairly among patients, until done or told to stop.

Patients go in batches, and within a batch round robin by pages: each patient gets a first page of
each type before any gets a second. One page is one commit. What goes wrong with one query leaves a
gap and does not stop the others; what goes wrong with the host stops the run, which then says what
is missing and when to come back.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from harness.errors import (
    EhrUnreachable,
    GrantLost,
    HarnessError,
    OAuthError,
    Throttled,
    UsageError,
)
from harness.http.clock import Clock
from harness.http.exchange import Exchange
from harness.sync.answers import Failed, Page, Refused, SessionGone, read_answer
from harness.sync.model import Counts, Cursor, Gap, Lease, Query, Watermark
from harness.sync.order import Order, Outcome, Reader
from harness.sync.store import LeaseLost, PageDone, Store
from harness.sync.strategy import LastUpdated, advance, believable, latest, server_start

T = TypeVar("T")

RESTARTS = 2
"""How often one query may start again within a run because its paging session expired."""

EMPTY_PAGES = 10
"""Empty pages with a next link in a row; some servers send a few, a loop sends no end of them."""

UNREACHABLE_IN_A_ROW = 3
"""Then the host is taken for down, and the run stops knocking."""

REFUSED_IN_A_ROW = 3
"""Refusals, each after all retries and a pause, until the run gives up for now."""

FIXED_WINDOW = 60.0
"""Seconds of pause after such a refusal: eClinicalWorks blocks until the minute turns, unasked."""

COME_BACK = timedelta(hours=1)
"""When to return to a host that did not say when."""


@dataclass(frozen=True, slots=True)
class _Step:
    """A query on its way: where it is, and what guards it against going round in circles.

    One that goes on at the cursor of an earlier run is `resumed`: at its end it reaches up to the
    start of that run only, so it is asked once more.
    """

    query: Query
    watermark: Watermark | None
    cursor: Cursor | None
    visited: set[str] = field(default_factory=set)
    empty: int = 0
    restarts: int = 0
    resumed: bool = False


@dataclass(slots=True)
class _Trouble:
    """What goes wrong with the host, counted until something goes right again."""

    unreachable: int = 0
    refused: int = 0
    paused_until: float = 0.0
    no_grant: dict[int, str] = field(default_factory=dict)


class Pull:
    """One pull of one tenant, under a lease.

    Args:
        store: where pages go; used from one thread of this pull only.
        lease: checked with every commit.
        reader_of: which reader may see a patient.
        strategy: what to ask.
        clock: time and waiting.
        pause: holds back the whole host for so many seconds.
        on_page: told after every commit: the query, what changed, whether the query has ended.
    """

    def __init__(
        self,
        store: Store,
        lease: Lease,
        *,
        reader_of: Callable[[str], Reader],
        strategy: LastUpdated,
        clock: Clock,
        pause: Callable[[float], None],
        on_page: Callable[[Query, Counts, bool], None] | None = None,
    ) -> None:
        self._store = store
        self._lease = lease
        self._reader_of = reader_of
        self._strategy = strategy
        self._clock = clock
        self._pause = pause
        self._on_page = on_page or (lambda _query, _counts, _ended: None)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._outcome = Outcome()
        self._trouble = _Trouble()
        self._lost: LeaseLost | None = None

    def stop(self, reason: str, come_back: datetime | None = None) -> None:
        """Finish the pages under way, and ask for no more."""
        if self._outcome.stopped is None:
            self._outcome.stopped = reason
            self._outcome.come_back = come_back

    async def run(self, order: Order) -> Outcome:
        """Pull until done or stopped.

        Raises:
            LeaseLost: another process took over; what was committed before stays.
        """
        try:
            for start in range(0, len(order.patients), order.batch_size):
                await self._batch(order, order.patients[start : start + order.batch_size])
        finally:
            self._writer.shutdown(wait=True)
        if self._lost is not None:
            raise self._lost
        return self._outcome

    async def _batch(self, order: Order, patients: Sequence[str]) -> None:
        queries = tuple(self._strategy.queries(patients, order.types))
        queue = deque(await self._write(lambda: [self._step(query) for query in queries]))
        async with asyncio.TaskGroup() as group:
            for _ in range(min(order.concurrency, len(queue))):
                group.create_task(self._work(order, queue))
        for step in queue:
            self._gap(step, f"not asked to its end: {self._outcome.stopped}")

    def _step(self, query: Query) -> _Step:
        cursor = self._store.cursor(query)
        return _Step(query, self._store.watermark(query), cursor, resumed=cursor is not None)

    async def _work(self, order: Order, queue: deque[_Step]) -> None:
        """Take steps from the front, put what goes on at the back: round robin by pages."""
        while queue and self._outcome.stopped is None:
            step = queue.popleft()
            try:
                again = await self._ask(order, step)
            except LeaseLost as lost:
                self._lost = lost
                self.stop(lost.message)
                return
            if again is not None:
                queue.append(again)

    async def _ask(self, order: Order, step: _Step) -> _Step | None:
        """Ask for one page and see to it; the step to go on with, if there is one."""
        reader = self._reader_of(step.query.patient)
        if (refusal := self._trouble.no_grant.get(id(reader))) is not None:
            return self._gap(step, refusal)
        began = self._clock.monotonic()
        try:
            exchange = await self._send(reader, step)
        except HarnessError as error:
            return self._no_answer(step, reader, error)
        finally:
            self._outcome.seconds += self._clock.monotonic() - began
        self._trouble.unreachable = 0
        return await self._answered(order, step, exchange)

    async def _send(self, reader: Reader, step: _Step) -> Exchange:
        if step.cursor is not None:
            return await reader.next(step.cursor.url)
        parameters = self._strategy.parameters(step.query, self._asked_from(step))
        return await reader.first(step.query.type, parameters)

    def _asked_from(self, step: _Step) -> datetime | None:
        return self._strategy.asked_from(step.watermark.mark if step.watermark else None)

    async def _answered(self, order: Order, step: _Step, exchange: Exchange) -> _Step | None:
        first = step.cursor is None
        answer = read_answer(exchange, step.query, first=first, now=self._clock.now())
        if isinstance(answer, Refused):
            return self._refusal(order, step, answer)
        self._trouble.refused = 0
        if isinstance(answer, SessionGone):
            return await self._restart(step)
        if isinstance(answer, Failed):
            # A page that an earlier run already stopped at may be gone in words of its own.
            stale = step.cursor is not None and step.cursor.run != order.run
            return await self._restart(step) if stale else self._gap(step, answer.reason)
        return await self._keep(order, step, answer, exchange)

    async def _keep(
        self, order: Order, step: _Step, page: Page, exchange: Exchange
    ) -> _Step | None:
        """Commit a page, with the cursor to the next one or, after the last, the watermark."""
        for note in page.notes:
            at = (step.query.type, note)
            self._outcome.notes[at] = self._outcome.notes.get(at, 0) + 1
        here = self._advanced(order, step, page, exchange)
        flaw = _flaw(step, page)
        done = PageDone(step.query, page.received, self._clock.now())
        if flaw is None and page.next is not None:
            done = replace(done, cursor=here)
        elif flaw is None:
            before = step.watermark.mark if step.watermark else None
            mark = advance(before, here.started, here.newest)
            done = replace(done, watermark=Watermark(step.query, mark, here.started))
        counts = await self._write(lambda: self._store.commit(self._lease, order.run, done))
        self._outcome.counts += counts
        ended = done.watermark is not None and not step.resumed
        self._on_page(step.query, counts, ended)
        if flaw is not None:
            return self._gap(step, flaw)
        if page.next is not None:
            return _following(step, here, page)
        return _Step(step.query, done.watermark, None) if step.resumed else None

    def _advanced(self, order: Order, step: _Step, page: Page, exchange: Exchange) -> Cursor:
        """Where the query is after `page`."""
        before = step.cursor
        if before is None:
            began = server_start(page.server_time, exchange.seconds, exchange.started_at)
            before = Cursor("", self._asked_from(step), began, None, 0, order.run)
        seen = believable((each.last_updated for each in page.received), before.started)
        return replace(
            before,
            url=page.next or "",
            newest=latest(before.newest, seen),
            pages=before.pages + 1,
            run=order.run,
        )

    async def _restart(self, step: _Step) -> _Step | None:
        await self._write(lambda: self._store.forget_cursor(self._lease, step.query))
        if step.restarts == RESTARTS:
            return self._gap(step, f"the paging session expired {RESTARTS + 1} times")
        return _Step(step.query, step.watermark, None, restarts=step.restarts + 1)

    def _refusal(self, order: Order, step: _Step, refused: Refused) -> _Step:
        """The host refused for load: wait if that helps within this run, else stop it."""
        if refused.seconds is not None and refused.seconds > order.max_wait:
            at = self._clock.now() + timedelta(seconds=refused.seconds)
            self.stop(f"the EHR asks to wait {refused.seconds:.0f} s", at)
            return step
        now, trouble = self._clock.monotonic(), self._trouble
        if now < trouble.paused_until:
            return step  # asked before the pause began: the same incident
        trouble.refused += 1
        if trouble.refused == REFUSED_IN_A_ROW:
            self.stop("the EHR keeps refusing for load", self._clock.now() + COME_BACK)
            return step
        trouble.paused_until = now + FIXED_WINDOW
        self._pause(FIXED_WINDOW)
        return step

    def _no_answer(self, step: _Step, reader: Reader, error: HarnessError) -> _Step | None:
        """A request that ended without an answer: what that means for the rest."""
        if isinstance(error, Throttled):
            wait = COME_BACK if error.retry_after is None else timedelta(seconds=error.retry_after)
            self.stop(error.message, self._clock.now() + wait)
            return step
        if isinstance(error, (OAuthError, GrantLost, UsageError)):
            self._trouble.no_grant[id(reader)] = f"no access token: {error}"
            return self._gap(step, f"no access token: {error}")
        if isinstance(error, EhrUnreachable):
            self._trouble.unreachable += 1
            if self._trouble.unreachable == UNREACHABLE_IN_A_ROW:
                self.stop(f"the EHR does not answer: {error.message}")
        return self._gap(step, error.message)

    def _gap(self, step: _Step, reason: str) -> _Step | None:
        """Give a query up for this run; there is no step to go on with."""
        self._outcome.gaps.append(Gap(step.query, reason))
        return None

    async def _write(self, action: Callable[[], T]) -> T:
        """Use the store in its one thread; a commit that began is finished even when cancelled."""
        return await asyncio.get_running_loop().run_in_executor(self._writer, action)


def _following(step: _Step, here: Cursor, page: Page) -> _Step:
    empty = 0 if page.received else step.empty + 1
    step.visited.add(here.url)
    return replace(step, cursor=here, empty=empty)


def _flaw(step: _Step, page: Page) -> str | None:
    """Why a page, though kept, does not let its query go on or end well."""
    if page.foreign:
        return f"{page.foreign} entries belong to another patient; they were not stored"
    if page.unusable:
        return f"{page.unusable} entries have no resource with a type and an id"
    if page.next is None:
        return None
    if page.next in step.visited or (step.cursor and page.next == step.cursor.url):
        return "the next links go round in a circle"
    if not page.received and step.empty + 1 >= EMPTY_PAGES:
        return f"{EMPTY_PAGES} empty pages in a row, each with a next link"
    return None
