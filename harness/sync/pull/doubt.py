"""Whether pages held every match that the EHR counts.

`Bundle.total` may be absent, estimated, or count OperationOutcomes, so it never ends a search. But
where it is larger than what came, matches may have slipped between pages that shifted, or the pages
may have no links. Reading once more tells: what comes in addition was lost, and if nothing does,
the count is what is wrong. https://hl7.org/fhir/R4/http.html#paging
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from enum import Enum

from harness.sync.answers.answer import Page
from harness.sync.model import Query
from harness.sync.order import Outcome
from harness.sync.pull.steps import Step

STIRRED = "changed whenever its pages were read; a full reading finds what may have slipped"


class Doubt(Enum):
    """What to make of a count that is larger than what came."""

    NONE = "all came"
    READ_AGAIN = "it may be that matches slipped between pages"
    WRONG_COUNT = "reading again brought nothing more"
    SLIPPING = "pages keep losing matches"
    CUT = "the only page is full, and has no next link"


def doubt(step: Step, page: Page, came: int, page_size: int | None) -> Doubt:
    """What `page`, the last one of a query, tells.

    Args:
        step: the query.
        page: its last page.
        came: matches that came on all of its pages, each once.
        page_size: the `_count` that was asked for; None if none was.
    """
    single = step.cursor is None
    if page.total is None or page.total <= (max(came, page.entries) if single else came):
        return Doubt.NONE
    if step.counted is None:
        return Doubt.READ_AGAIN
    if came > step.counted:
        return Doubt.SLIPPING
    full = page_size is None or page.entries >= page_size
    return Doubt.CUT if single and full and page.entries else Doubt.WRONG_COUNT


class Doubts:
    """What became of doubts in one pull.

    Args:
        outcome: where remarks go.
        seen: ids of a query's patient and type that a run has seen.
    """

    def __init__(
        self, outcome: Outcome, seen: Callable[[Query, int], Awaitable[frozenset[str]]]
    ) -> None:
        self._outcome = outcome
        self._seen = seen
        self._uncounted: set[str] = set()

    async def settle(self, step: Step, page: Page, run: int) -> tuple[Step | None, str | None]:
        """What a last page means when the EHR counts more: read again, a gap, or neither."""
        query, total = step.query, page.total
        if total is None or step.resumed:
            return self._unsettled(step), None
        if step.cursor is None and total <= page.entries:
            return None, None
        seen = await self._seen(query, run)
        came = len(seen | {each.id for each in page.received if each.type == query.type})
        found = doubt(step, page, came, step.asked_count)
        if found is Doubt.NONE or (found is Doubt.READ_AGAIN and query.type in self._uncounted):
            return None, None
        if found is Doubt.READ_AGAIN:
            return replace(step.again(), counted=came), None
        if found is Doubt.WRONG_COUNT:
            self._uncounted.add(query.type)
            self._outcome.note(query.type, "the EHR counts more matches than it shows")
            return None, None
        hint = "; see [sync] offset in the EHR file" if found is Doubt.CUT else ""
        return None, f"the EHR counts {total} matches and shows {came}: {found.value}{hint}"

    def _unsettled(self, step: Step) -> Step | None:
        """Read again, once, what changed amid pages that nobody counts."""
        if step.resumed or not step.stirred:
            return None
        if step.counted is None:
            return replace(step.again(), counted=0)
        self._outcome.note(step.query.type, STIRRED)
        return None
