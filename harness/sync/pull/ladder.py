"""How a search that an EHR refuses is put otherwise: one rung for each thing that it may mind.

It may need a parameter, not know a category, refuse the page size, or refuse a lower bound. What is
found out holds for every query that follows, and is in the outcome to be remembered.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from harness.config.ehr import SyncSpec
from harness.sync.answers.answer import Failed
from harness.sync.asking.strategy import Plan
from harness.sync.model import Query
from harness.sync.order import Outcome
from harness.sync.pull.steps import Step

BOUND_REFUSED = frozenset({400, 422, 501})
"""How a server refuses a search parameter; without it, it may answer."""


@dataclass(frozen=True, slots=True)
class Otherwise:
    """What to ask in the place of a query that was refused: steps, or queries with new parts."""

    steps: tuple[Step, ...] = ()
    queries: tuple[Query, ...] = ()


NOTHING_LEFT = Otherwise()


@dataclass(slots=True)
class Ladder:
    """The plan of a pull, which changes with what the EHR turns out to mind.

    Attributes:
        plan: what to ask.
        outcome: where notes go, and what is worth remembering.
        taken: whether a page came to a request that had the `_count` of the plan.
    """

    plan: Plan
    outcome: Outcome
    taken: bool = False

    def climb(
        self, step: Step, failed: Failed, asked_from: datetime | None, spec: SyncSpec
    ) -> Otherwise | None:
        """What to ask instead of a first page that was refused; None where nothing is left to try.

        Args:
            step: the query that was refused.
            failed: how.
            asked_from: the lower bound that it was asked with.
            spec: the EHR file's categories and dates.
        """
        if failed.needs is not None:
            return self._needing(step, failed.needs, spec)
        if failed.refuses == "category" and step.query.part:
            return self._without_category(step.query)
        if failed.refuses == "_count":
            return self._smaller(step)
        return self._barer(step, asked_from) if failed.status in BOUND_REFUSED else None

    def _barer(self, step: Step, asked_from: datetime | None) -> Otherwise | None:
        """Without an order, a lower bound, `_count`: the EHR does not say what it minds.

        An order goes first, because without it the query begins anew, from its watermark.
        """
        if self.plan.ascends(step.query.type):
            self.unsorted(step.query.type)
            return Otherwise((step.again(),))
        if asked_from is not None:
            self.outcome.note(step.query.type, "refused a lower bound, so everything was read")
            return Otherwise((step.again(unbounded=True),))
        if self.plan.page_size is not None and not (self.taken or step.uncounted):
            return Otherwise((step.again(uncounted=True),))
        return None

    def sorts(self, type_: str, *, honoured: bool) -> None:
        """Whether the EHR sorts a type by `_lastUpdated`."""
        self.plan = self.plan.sorting(type_, honoured=honoured)
        self.outcome.orders[type_] = honoured

    def unsorted(self, type_: str) -> None:
        """Ask for a type in ascending order no more."""
        if self.plan.ascends(type_):
            self.outcome.note(type_, "does not keep the order that was asked for")
        self.sorts(type_, honoured=False)

    def _needing(self, step: Step, need: str, spec: SyncSpec) -> Otherwise | None:
        """The same query with what the EHR says that it needs; None where it had that already."""
        query = step.query
        if query.part or step.restarts:
            return None
        if query.type not in self.outcome.needs:
            plan = self.plan.needing(query.type, need, spec)
            if plan.way(query.type) == self.plan.way(query.type):
                return None
            self.plan = plan
            self.outcome.needs[query.type] = need
            note = f"is searched by {need} only; what has none cannot be found"
            self.outcome.note(query.type, note)
        return Otherwise(queries=tuple(self.plan.queries([query.patient], [query.type])))

    def _without_category(self, query: Query) -> Otherwise | None:
        """Ask for a category no more that the EHR does not know, unless the EHR file names it."""
        way = self.plan.way(query.type)
        if query.part not in way.parts:
            return NOTHING_LEFT
        if not way.guessed or len(way.parts) == 1:
            return None
        self.plan = self.plan.without(query.type, query.part)
        known = self.outcome.unknown.get(query.type, frozenset())
        self.outcome.unknown[query.type] = known | {query.part}
        self.outcome.note(query.type, f"the EHR does not know the category {query.part}")
        return NOTHING_LEFT

    def _smaller(self, step: Step) -> Otherwise | None:
        """With half the page size, as often as it takes, and in the end with none."""
        size = self.plan.page_size
        if size is None or step.uncounted:
            return None
        if step.asked_count == size:
            smaller = size // 2 or None
            self.plan = replace(self.plan, page_size=smaller)
            self.outcome.page_size = smaller
            self.outcome.note(step.query.type, f"refused a page size of {size}")
        return Otherwise((step,))
