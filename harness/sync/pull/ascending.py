"""Searches in ascending order of `_lastUpdated`: what came of one is all that there is up to there.

So a search whose paging session expires goes on where it was, instead of at its beginning. It is
only asked for where sessions were seen to expire: next links that never do may count matches anew
for each page, and there an order that moves what changes to the end loses what stood behind it.
Whether the EHR sorts is found out by asking for both orders, and checked with every page.
https://hl7.org/fhir/R4/search.html#_sort
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import pairwise

from harness.errors import HarnessError
from harness.sync.answers.answer import Failed, Page, read_answer
from harness.sync.asking.strategy import SORT, Plan
from harness.sync.model import Cursor, Query, Received
from harness.sync.order import NEVER, Reader
from harness.sync.pull.ladder import Ladder
from harness.sync.pull.steps import Step

EXPIRED = frozenset({200, 404, 410})
"""How a server says that a session expired (200: Epic's code). A 400 may mean that it counts
matches anew for each page, and only so far."""

REFUSED = frozenset({400, 405, 422, 501})


@dataclass(slots=True)
class Ascent:
    """What a pull knows of order.

    Attributes:
        ladder: its plan, with the types that are asked for in order.
        now: harness clock.
        tried: types that were asked about in this run.
    """

    ladder: Ladder
    now: Callable[[], datetime]
    tried: set[str] = field(default_factory=set)

    async def learn(self, step: Step, reader: Reader) -> None:
        """Find out whether the EHR sorts a type, a paging session of which has expired."""
        plan, type_ = self.ladder.plan, step.query.type
        if type_ in plan.orders or type_ in self.tried or not plan.by_last_updated(type_):
            return
        self.tried.add(type_)
        honoured = await sorts(reader, plan, step.query, self.now)
        if honoured is not None:
            self.ladder.sorts(type_, honoured=honoured)

    def after(self, step: Step, page: Page, here: Cursor) -> Cursor:
        """The cursor after a page of a search in order, with `reached` None if it is not kept.

        Args:
            step: the query, with the cursor of the page.
            page: what came.
            here: the cursor to the next one.
        """
        plan, type_, there = self.ladder.plan, step.query.type, None
        if plan.by_last_updated(type_) and plan.orders.get(type_, True):
            before = here.reached or here.asked_from or NEVER
            there = reached(before, page.received, type_, here.started - plan.overlap)
        if there is None:
            self.ladder.unsorted(type_)
        return replace(here, reached=there)

    def again(self, step: Step) -> Step | None:
        """`step` from where its pages held everything; None if it has to begin anew.

        A restart that gains ground does not count as one.
        """
        cursor, plan = step.cursor, self.ladder.plan
        if not plan.ascends(step.query.type) or cursor is None:
            return None
        if cursor.reached is None or cursor.reached - NEVER <= plan.overlap:
            return None
        begun = cursor.asked_from or NEVER
        since = max(cursor.reached - plan.overlap, begun)
        restarts = step.restarts + (since == begun)
        return replace(step.again(), since=since, restarts=restarts)


def reached(
    before: datetime, received: Iterable[Received], type_: str, changing: datetime
) -> datetime | None:
    """Up to which `lastUpdated` everything came; None if the page is not in order.

    Args:
        before: up to where the pages before it came.
        received: the page; compared to the second, because bounds and some EHRs are no finer.
        type_: what was searched for; other resources are not sorted with it.
        changing: stamps from here on may be those of changes that were made while paging, which a
            server may show in their old place: they tell nothing.
    """
    stamps = [each.last_updated for each in received if each.type == type_]
    known = [each.replace(microsecond=0) for each in stamps if each is not None]
    settled = [before, *(each for each in known if each < changing)]
    return settled[-1] if len(known) == len(stamps) and _ascend(settled) else None


async def sorts(
    reader: Reader, plan: Plan, query: Query, now: Callable[[], datetime]
) -> bool | None:
    """Whether `_sort=_lastUpdated` is honoured; None where `query` cannot prove it.

    One match for each order: the first ascending has to be older than the first descending. An EHR
    that ignores `_sort` shows the same twice; so does one that sorts each page by itself.
    """
    try:
        if (oldest := await _stamps(reader, plan, query, "_lastUpdated", now)) is None:
            return False
        if (newest := await _stamps(reader, plan, query, "-_lastUpdated", now)) is None:
            return False
    except HarnessError:
        return None  # the search that follows meets the same, and says so
    if not oldest or not newest:
        return None
    proven = _ascend(oldest) and _ascend(newest[::-1]) and oldest[-1] < newest[-1]
    return True if proven else None


def _ascend(stamps: Sequence[datetime]) -> bool:
    return all(one <= other for one, other in pairwise(stamps))


async def _stamps(
    reader: Reader, plan: Plan, query: Query, order: str, now: Callable[[], datetime]
) -> list[datetime] | None:
    """`lastUpdated` of the first matches in this order, if all have one; None if it is refused."""
    parameters = plan.parameters(query, None, counted=False)
    asked = (*parameters, (SORT, order), ("_count", "1"))
    exchange = await reader.first(query.type, asked)
    answer = read_answer(exchange, query, first=True, now=now())
    if isinstance(answer, Failed) and answer.status in REFUSED:
        return None
    if not isinstance(answer, Page):
        return []
    stamps = [each.last_updated for each in answer.received if each.type == query.type]
    known = [each for each in stamps if each is not None]
    return known if len(known) == len(stamps) else []
