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
from harness.sync.answers import Failed, Moved, Page, Refused, SessionGone, read_answer
from harness.sync.model import Counts, Gap, Lease, PageDone, Query
from harness.sync.order import Keeper, Order, Outcome, Reader
from harness.sync.steps import Step
from harness.sync.store import LeaseLost
from harness.sync.strategy import Plan

T = TypeVar("T")

RESTARTS = 2
"""How often one query may start again within a run because its paging session expired."""

UNREACHABLE_IN_A_ROW = 3
"""Then the host is taken for down, and the run stops knocking."""

REFUSED_IN_A_ROW = 3
"""Refusals, each after all retries and a pause, until the run gives up for now."""

FIXED_WINDOW = 60.0
"""Seconds of pause after such a refusal: eClinicalWorks blocks until the minute turns, unasked."""

BOUND_REFUSED = frozenset({400, 422, 501})
"""How a server refuses a search parameter; without the bound it may answer."""

COME_BACK = timedelta(hours=1)
"""When to return to a host that did not say when."""


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
        plan: what to ask.
        clock: time and waiting.
        pause: holds back the whole host for so many seconds.
        on_page: told after every commit: the query, what changed, whether the query has ended.
    """

    def __init__(
        self,
        store: Keeper,
        lease: Lease,
        *,
        reader_of: Callable[[str], Reader],
        plan: Plan,
        clock: Clock,
        pause: Callable[[float], None],
        on_page: Callable[[Query, Counts, bool], None] | None = None,
    ) -> None:
        self._store = store
        self._lease = lease
        self._reader_of = reader_of
        self._plan = plan
        self._clock = clock
        self._pause = pause
        self._on_page = on_page or (lambda _query, _counts, _ended: None)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._outcome = Outcome()
        self._trouble = _Trouble()
        self._lost: LeaseLost | None = None

    @property
    def plan(self) -> Plan:
        """What is asked, with the needs that turned up."""
        return self._plan

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
        queries = tuple(self._plan.queries(patients, order.types))
        queue = deque(await self._write(lambda: [self._step(query) for query in queries]))
        async with asyncio.TaskGroup() as group:
            for _ in range(min(order.concurrency, len(queue))):
                group.create_task(self._work(order, queue))
        for step in queue:
            self._gap(step, f"not asked to its end: {self._outcome.stopped}")

    def _step(self, query: Query) -> Step:
        cursor = self._store.cursor(query)
        return Step(query, self._store.watermark(query), cursor, resumed=cursor is not None)

    async def _work(self, order: Order, queue: deque[Step]) -> None:
        """Take steps from the front, put what goes on at the back: round robin by pages."""
        while queue and self._outcome.stopped is None:
            step = queue.popleft()
            try:
                again = await self._ask(order, step)
            except LeaseLost as lost:
                self._lost = lost
                self.stop(lost.message)
                return
            queue.extend(again)

    async def _ask(self, order: Order, step: Step) -> tuple[Step, ...]:
        """Ask for one page and see to it; the steps to go on with, if there are any."""
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

    async def _send(self, reader: Reader, step: Step) -> Exchange:
        if step.cursor is not None:
            return await reader.next(step.cursor.url)
        parameters = self._plan.parameters(step.query, self._asked_from(step))
        return await reader.first(step.query.type, parameters)

    def _asked_from(self, step: Step) -> datetime | None:
        if step.unbounded:
            return None
        return self._plan.asked_from(step.query, step.watermark, self._clock.now())

    async def _answered(self, order: Order, step: Step, exchange: Exchange) -> tuple[Step, ...]:
        first = step.cursor is None
        answer = read_answer(exchange, step.query, first=first, now=self._clock.now())
        if isinstance(answer, Refused):
            return self._refusal(order, step, answer)
        self._trouble.refused = 0
        if isinstance(answer, SessionGone):
            return await self._restart(step)
        if isinstance(answer, Moved):
            return self._gap(step, "the patient was merged into another")
        if isinstance(answer, Failed):
            return await self._failed(order, step, answer)
        return await self._keep(order, step, answer, exchange)

    async def _failed(self, order: Order, step: Step, failed: Failed) -> tuple[Step, ...]:
        """A query that the EHR does not answer: ask otherwise where that may help."""
        query, first = step.query, step.cursor is None
        if first and failed.needs is not None:
            steps = await self._needing(order, step, failed.needs)
            if steps:
                return steps
        if first and failed.status in BOUND_REFUSED and self._asked_from(step) is not None:
            self._note(query, "refused a lower bound, so everything was read")
            return (step.again(unbounded=True),)
        # A page that an earlier run already stopped at may be gone in words of its own.
        if step.cursor is not None and step.cursor.run != order.run:
            return await self._restart(step)
        return self._gap(step, failed.reason)

    async def _needing(self, order: Order, step: Step, need: str) -> tuple[Step, ...]:
        """The same query with what the EHR says that it needs; none where it had that already."""
        query = step.query
        if query.part or step.restarts:
            return ()
        if query.type not in self._outcome.needs:
            plan = self._plan.needing(query.type, need, order.spec)
            if plan.way(query.type) == self._plan.way(query.type):
                return ()
            self._plan = plan
            self._outcome.needs[query.type] = need
            self._note(query, f"is searched by {need} only; what has none cannot be found")
        queries = tuple(self._plan.queries([query.patient], [query.type]))
        steps = await self._write(lambda: [self._step(each) for each in queries])
        return tuple(replace(each, restarts=1) for each in steps)

    def _note(self, query: Query, note: str) -> None:
        at = (query.type, note)
        self._outcome.notes[at] = self._outcome.notes.get(at, 0) + 1

    async def _keep(
        self, order: Order, step: Step, page: Page, exchange: Exchange
    ) -> tuple[Step, ...]:
        """Commit a page, with the cursor to the next one or, after the last, the watermark."""
        for note in page.notes:
            self._note(step.query, note)
        here = step.advanced(page, exchange, self._asked_from(step), order.run)
        flaw = step.flaw(page)
        done = PageDone(step.query, page.received, self._clock.now())
        if flaw is None and page.next is not None:
            done = replace(done, cursor=here)
        elif flaw is None:
            done = replace(done, watermark=step.completed(here))
        counts = await self._write(lambda: self._store.commit(self._lease, order.run, done))
        self._outcome.counts += counts
        ended = done.watermark is not None and not step.resumed
        if ended and here.asked_from is None:
            self._outcome.whole.add(step.query)
        self._on_page(step.query, counts, ended)
        if flaw is not None:
            return self._gap(step, flaw)
        if page.next is not None:
            return (step.following(here, page),)
        return (Step(step.query, done.watermark, None),) if step.resumed else ()

    async def _restart(self, step: Step) -> tuple[Step, ...]:
        await self._write(lambda: self._store.forget_cursor(self._lease, step.query))
        if step.restarts == RESTARTS:
            return self._gap(step, f"the paging session expired {RESTARTS + 1} times")
        return (step.again(),)

    def _refusal(self, order: Order, step: Step, refused: Refused) -> tuple[Step, ...]:
        """The host refused for load: wait if that helps within this run, else stop it."""
        if refused.seconds is not None and refused.seconds > order.max_wait:
            at = self._clock.now() + timedelta(seconds=refused.seconds)
            self.stop(f"the EHR asks to wait {refused.seconds:.0f} s", at)
            return (step,)
        now, trouble = self._clock.monotonic(), self._trouble
        if now < trouble.paused_until:
            return (step,)  # asked before the pause began: the same incident
        trouble.refused += 1
        if trouble.refused == REFUSED_IN_A_ROW:
            self.stop("the EHR keeps refusing for load", self._clock.now() + COME_BACK)
            return (step,)
        trouble.paused_until = now + FIXED_WINDOW
        self._pause(FIXED_WINDOW)
        return (step,)

    def _no_answer(self, step: Step, reader: Reader, error: HarnessError) -> tuple[Step, ...]:
        """A request that ended without an answer: what that means for the rest."""
        if isinstance(error, Throttled):
            wait = COME_BACK if error.retry_after is None else timedelta(seconds=error.retry_after)
            self.stop(error.message, self._clock.now() + wait)
            return (step,)
        if isinstance(error, (OAuthError, GrantLost, UsageError)):
            self._trouble.no_grant[id(reader)] = f"no access token: {error}"
            return self._gap(step, f"no access token: {error}")
        if isinstance(error, EhrUnreachable):
            self._trouble.unreachable += 1
            if self._trouble.unreachable == UNREACHABLE_IN_A_ROW:
                self.stop(f"the EHR does not answer: {error.message}")
        return self._gap(step, error.message)

    def _gap(self, step: Step, reason: str) -> tuple[Step, ...]:
        """Give a query up for this run; there is no step to go on with."""
        self._outcome.gaps.append(Gap(step.query, reason))
        return ()

    async def _write(self, action: Callable[[], T]) -> T:
        """Use the store in its one thread; a commit that began is finished even when cancelled."""
        return await asyncio.get_running_loop().run_in_executor(self._writer, action)
