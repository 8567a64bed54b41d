"""Whether pages held every match that the EHR counts.

`Bundle.total` may be absent, estimated, or count OperationOutcomes, so it never ends a search. But
where it is larger than what came, matches may have slipped between pages that shifted, or the pages
may have no links. Reading once more tells: what comes in addition was lost, and if nothing does,
the count is what is wrong. https://hl7.org/fhir/R4/http.html#paging
"""

from __future__ import annotations

from enum import Enum

from harness.sync.answers.answer import Page
from harness.sync.pull.steps import Step


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
