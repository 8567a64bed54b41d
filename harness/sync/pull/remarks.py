"""What a page gives reason to remark on, for the account of the run."""

from __future__ import annotations

from harness.config.ehr import Strategy
from harness.sync.answers.answer import Page
from harness.sync.answers.oddities import ODD, odd_among
from harness.sync.asking.marks import TRUSTED_LAG
from harness.sync.asking.strategy import Plan
from harness.sync.model import Cursor, Query
from harness.sync.order import Outcome
from harness.sync.pull.chase import Chased


def remark(
    outcome: Outcome,
    plan: Plan,
    query: Query,
    page: Page,
    here: Cursor,
    chased: Chased,
    body: bytes,
) -> None:
    """Note what the EHR said, and a bound that it did not keep.

    Args:
        outcome: where notes go.
        plan: what was asked.
        query: what the page belongs to.
        page: what came.
        here: where the query stands after it.
        chased: what came of its references.
        body: the page as it was sent.
    """
    for note in page.notes:
        outcome.note(query.type, note)
    for type_, note in chased.notes:
        outcome.note(type_, note)
    for each in odd_among(page.received, body):
        outcome.note(each.type, ODD)
    way, since = plan.way(query.type), here.asked_from
    if since is None or way.strategy is not Strategy.LAST_UPDATED:
        return
    stamps = (each.last_updated for each in page.received if each.type == query.type)
    if any(stamp is not None and stamp < since - TRUSTED_LAG for stamp in stamps):
        outcome.unhonoured.add(query.type)
        outcome.note(query.type, "was asked for what is new, and older ones came")
