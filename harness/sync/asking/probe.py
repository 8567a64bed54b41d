"""Whether an EHR honours `_lastUpdated`, found out by asking and not by what it declares.

A bound in the far future must yield nothing, and a bound in the far past must not hide anything.
What cannot be proven, such as for a patient without data, stays open: it is read by date or whole,
and asked about again at the next run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import islice

from harness.errors import HarnessError
from harness.sync.access.granted import NotGranted
from harness.sync.answers.answer import Answer, Failed, Page, read_answer
from harness.sync.asking.strategy import Plan
from harness.sync.model import Query
from harness.sync.order import Reader

CENTURY = 100
PAST = "ge1900-01-01T00:00:00Z"
MOST_PARTS = 3
_ABOUT_THE_SEARCH = frozenset({400, 405, 422, 501})


async def honours(
    reader: Reader, plan: Plan, patients: Mapping[str, str], now: Callable[[], datetime]
) -> dict[str, bool]:
    """Whether `_lastUpdated` narrows a search, by type; types without a proof are left out.

    Args:
        reader: asks.
        plan: what a search of each type needs besides.
        patients: by type, one that probably has data of it.
        now: harness clock.
    """
    found: dict[str, bool] = {}
    for type_, patient in patients.items():
        for query in islice(plan.queries([patient], [type_]), MOST_PARTS):
            try:
                honoured = await _honoured(reader, plan, query, now)
            except NotGranted:
                break
            except HarnessError:
                return found  # the pull that follows meets the same, and says so
            if honoured is not None:
                found[type_] = honoured
                break
    return found


async def _honoured(
    reader: Reader, plan: Plan, query: Query, now: Callable[[], datetime]
) -> bool | None:
    future = f"gt{now().year + CENTURY}-01-01T00:00:00Z"
    answer = await _ask(reader, plan, query, future, now)
    if isinstance(answer, Failed) and answer.needs is None and answer.status in _ABOUT_THE_SEARCH:
        return False
    if not isinstance(answer, Page):
        return None
    if _holds_something(answer):
        return False
    answer = await _ask(reader, plan, query, PAST, now)
    return True if isinstance(answer, Page) and _holds_something(answer) else None


async def _ask(
    reader: Reader, plan: Plan, query: Query, bound: str, now: Callable[[], datetime]
) -> Answer:
    parameters = (*plan.parameters(query, None), ("_lastUpdated", bound))
    exchange = await reader.first(query.type, parameters)
    return read_answer(exchange, query, first=True, now=now())


def _holds_something(page: Page) -> bool:
    return bool(page.received or page.foreign or page.unusable)
