"""Pulls what is new, page by page, fairly among patients, until done or told to stop.

Everyone gets one page of everything before anyone gets more; see `frontier`. A page is committed
whole. What goes wrong with one query leaves a gap and does not stop the others; what goes wrong
with the host stops the run, which then says what is missing and when to come back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TypeVar

from harness.errors import HarnessError, HostileInput
from harness.http.clock import Clock
from harness.http.exchange import Exchange
from harness.sync.answers.answer import Failed, Moved, Page, Refused, SessionGone, read_answer
from harness.sync.asking.strategy import Plan
from harness.sync.model import Counts, Gap, Lease, PageDone, Query
from harness.sync.order import Keeper, Key, Order, Outcome, Reader
from harness.sync.pull.ascending import EXPIRED, Ascent
from harness.sync.pull.chase import Chased, Chaser
from harness.sync.pull.doubt import Doubts
from harness.sync.pull.frontier import Frontier
from harness.sync.pull.ladder import Ladder
from harness.sync.pull.offsets import linked
from harness.sync.pull.remarks import remark
from harness.sync.pull.steps import Step
from harness.sync.pull.trouble import Trouble
from harness.sync.store.store import LeaseLost
from harness.sync.store.writer import Writer

T = TypeVar("T")

RESTARTS = 2
"""How often one query may start again within a run because its paging session expired."""

STRANGE_TRIES = 1
"""How often a page that is no FHIR is asked for again; a proxy's word may be over by then."""


class Pull:
    """One pull of one tenant, under a lease.

    Args:
        store: where pages go; used from one thread of this pull only.
        lease: checked with every commit.
        reader_of: which reader may see a patient.
        plan: what to ask.
        clock: time and waiting.
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
        on_page: Callable[[Query, Counts, bool], None] | None = None,
    ) -> None:
        self._store = store
        self._lease = lease
        self._reader_of = reader_of
        self._clock = clock
        self._on_page = on_page or (lambda _query, _counts, _ended: None)
        self._writer = Writer(lambda: store.together(lease))
        self._outcome = Outcome()
        self._ladder = Ladder(plan, self._outcome)
        self._doubts = Doubts(self._outcome, self._seen)
        self._ascent = Ascent(self._ladder, clock.now)
        self._trouble = Trouble(clock, self.stop)
        self._frontier: Frontier | None = None
        self._chaser: Chaser | None = None
        self._lost: LeaseLost | None = None

    @property
    def plan(self) -> Plan:
        """What is asked, with what turned up on the way."""
        return self._ladder.plan

    def stop(self, reason: str, come_back: datetime | None = None) -> None:
        """Finish the pages under way, and ask for no more."""
        if self._outcome.stopped is None:
            self._outcome.stopped = reason
            self._outcome.come_back = come_back
        if self._frontier is not None:
            self._frontier.close()

    async def run(self, order: Order) -> Outcome:
        """Pull until done or stopped; called again, for other patients, its outcome grows.

        Raises:
            LeaseLost: another process took over; what was committed before stays.
        """
        fresh = self.plan.queries(order.patients, order.types)
        frontier = Frontier(
            iter(fresh), partial(self._load, order), partial(self._stand, order), order.batch_size
        )
        self._frontier = frontier
        if order.spec.chase and self._chaser is None:
            self._chaser = Chaser(order.spec.chase, order.base, self._held)
        with self._writer:
            async with asyncio.TaskGroup() as group:
                if self._outcome.stopped is None:
                    for _ in range(order.concurrency):
                        group.create_task(self._work(order, frontier))
        if self._lost is not None:
            raise self._lost
        for query in frontier.rest():
            self._gap(query, f"not asked to its end: {self._outcome.stopped}")
        return self._outcome

    async def _load(self, order: Order, queries: Sequence[Query]) -> Sequence[Step]:
        """Where queries stand, as they are asked by now."""
        current = [each for query in queries for each in self.plan.current(query)]
        return await self._stand(order, current)

    async def _stand(self, order: Order, queries: Sequence[Query]) -> Sequence[Step]:
        """Where queries stand in the store."""
        return await self._write(lambda: [self._step(order, query) for query in queries])

    def _step(self, order: Order, query: Query) -> Step:
        cursor = self._store.cursor(query)
        resumed = cursor is not None and cursor.run != order.run
        return Step(query, self._store.watermark(query), cursor, resumed=resumed)

    async def _held(self, keys: Sequence[Key]) -> dict[Key, bytes]:
        return await self._write(lambda: dict(self._store.held(keys)))

    async def _seen(self, query: Query, run: int) -> frozenset[str]:
        return await self._write(lambda: self._store.seen(query, run))

    async def _work(self, order: Order, frontier: Frontier) -> None:
        while (step := await frontier.take()) is not None:
            again: Sequence[Step] = (step,)
            try:
                again = await self._ask(order, step)
            except LeaseLost as lost:
                self._lost = lost
                self.stop(lost.message)
            finally:
                frontier.done(again)

    async def _ask(self, order: Order, step: Step) -> Sequence[Step]:
        """Ask for one page and see to it; the steps to go on with, if there are any."""
        reader = self._reader_of(step.query.patient)
        if (refusal := self._trouble.no_grant.get(id(reader))) is not None:
            return self._gap(step.query, refusal)
        if step.cursor is None:
            count = None if step.uncounted else self.plan.page_size
            ordered = self.plan.ascends(step.query.type)
            step = replace(step, asked_count=count, ordered=ordered)
        began = self._clock.monotonic()
        try:
            exchange = await self._send(reader, step)
            self._outcome.seconds += self._clock.monotonic() - began
            self._trouble.unreachable = 0
            return await self._answered(order, step, exchange, reader)
        except LeaseLost:
            raise
        except HarnessError as error:
            reason = self._trouble.unanswered(error, id(reader))
            if isinstance(error, HostileInput) and step.cursor is not None:
                # A page that must not be asked for is no place to go on from.
                await self._write(lambda: self._store.forget_cursor(self._lease, step.query))
            return (step,) if reason is None else self._gap(step.query, reason)

    async def _send(self, reader: Reader, step: Step) -> Exchange:
        if step.cursor is not None:
            return await reader.next(step.cursor.url, step.query.type)
        counted = step.asked_count is not None
        asked_from = self._asked_from(step)
        parameters = self.plan.parameters(step.query, asked_from, counted=counted)
        return await reader.first(step.query.type, parameters)

    def _asked_from(self, step: Step) -> datetime | None:
        if step.unbounded or step.since is not None:
            return None if step.unbounded else step.since
        return self.plan.asked_from(step.query, step.watermark, self._clock.now())

    async def _answered(
        self, order: Order, step: Step, exchange: Exchange, reader: Reader
    ) -> Sequence[Step]:
        first = step.cursor is None
        answer = read_answer(exchange, step.query, first=first, now=self._clock.now())
        if isinstance(answer, Refused):
            self._trouble.refused(answer, order.max_wait)
            return (step,)
        self._trouble.let_through()
        if isinstance(answer, SessionGone):
            if exchange.status in EXPIRED:
                await self._ascent.learn(step, reader)
            return await self._restart(step)
        if isinstance(answer, Moved):
            return self._moved(step.query, answer)
        if isinstance(answer, Failed):
            return await self._failed(order, step, answer)
        self._trouble.strange.clear()
        self._ladder.taken = self._ladder.taken or step.asked_count is not None
        return await self._keep(order, step, answer, exchange, reader)

    async def _failed(self, order: Order, step: Step, failed: Failed) -> Sequence[Step]:
        """A query that the EHR does not answer: ask otherwise where that may help."""
        if failed.strange:
            self._trouble.no_fhir(step.query.type, order.types)
            if step.tries < STRANGE_TRIES:
                return (replace(step, tries=step.tries + 1),)
        if step.cursor is None:
            other = self._ladder.climb(step, failed, self._asked_from(step), order.spec)
            if other is not None:
                loaded = await self._load(order, other.queries) if other.queries else ()
                return (*other.steps, *(replace(each, restarts=1) for each in loaded))
        # A page that an earlier run already stopped at may be gone in words of its own.
        elif step.cursor.run != order.run:
            return await self._restart(step)
        return self._gap(step.query, failed.reason)

    def _moved(self, query: Query, moved: Moved) -> Sequence[Step]:
        """The EHR has another patient in this one's place: that one is asked for next."""
        if moved.into is None:
            return self._gap(query, "the patient was merged into another, who is not named")
        self._outcome.moved[query.patient] = moved.into
        return ()

    async def _keep(
        self, order: Order, step: Step, page: Page, exchange: Exchange, reader: Reader
    ) -> Sequence[Step]:
        """Commit a page, with the cursor to the next one or, after the last, the watermark."""
        query = step.query
        page = linked(page, step, exchange.request.url, self.plan.offset)
        chased = await self._chased(reader, query, page)
        here = step.advanced(page, exchange, self._asked_from(step), order.run)
        here = self._ascent.after(step, page, here) if step.in_order else here
        if step.stirred_by(page, exchange) and not step.stirred:
            step = replace(step, stirred=True)
        remark(self._outcome, self.plan, query, page, here, chased, exchange.body)
        flaw, dead_end = step.flaw_after(page) or chased.flaw, step.dead_end(page)
        done = PageDone(
            query,
            page.received,
            self._clock.now(),
            chased=tuple(chased.found),
            fresh=step.watermark is None and not step.resumed and not step.restarts,
        )
        ends, again = step.ends(page), None
        if dead_end is None and step.in_order and here.reached is None:
            again, flaw = step.again(), None  # what is left out may be in what was not asked for
        elif dead_end is None and not ends:
            # A page that follows a flaw has no cursor, so that a kill does not let it be forgotten.
            done = replace(done, cursor=here if flaw is None else None)
            again = step.following(here, page, flaw)
        elif dead_end is None and flaw is None:
            again, flaw = await self._doubts.settle(step, page, order.run)
            if again is None and flaw is None:
                done = replace(done, watermark=step.completed(here))
        counts = await self._write(lambda: self._store.commit(self._lease, order.run, done))
        self._outcome.counts += counts
        ended = done.watermark is not None and not step.resumed
        if ended and here.asked_from is None:
            self._outcome.whole.add(query)
        self._on_page(query, counts, ended)
        if dead_end is not None or (ends and flaw is not None):
            return self._gap(query, dead_end or flaw or "")
        if again is not None:
            return (again,)
        return (Step(query, done.watermark, None),) if step.resumed else ()

    async def _chased(self, reader: Reader, query: Query, page: Page) -> Chased:
        if self._chaser is None:
            return Chased()
        return await self._chaser.chase(reader, query, page.received)

    async def _restart(self, step: Step) -> Sequence[Step]:
        further = self._ascent.again(step)
        if further is not None and further.restarts <= RESTARTS:
            # The cursor stays until the next page takes its place: it says from where to go on.
            return (further,)
        if further is None:
            await self._write(lambda: self._store.forget_cursor(self._lease, step.query))
        if step.restarts >= RESTARTS:
            return self._gap(step.query, f"the paging session expired {RESTARTS + 1} times")
        return (step.again(),)

    def _gap(self, query: Query, reason: str) -> Sequence[Step]:
        """Give a query up for this run; there is no step to go on with."""
        self._outcome.gaps.append(Gap(query, reason))
        return ()

    async def _write(self, action: Callable[[], T]) -> T:
        """Use the store in its one thread; a commit that began is finished even when cancelled."""
        return await self._writer.do(action)
