"""FHIR R4, RESTful API, "Paging": pages hold together for as long as a sync needs to read them.

http://hl7.org/fhir/R4/http.html#paging
"""

from __future__ import annotations

import pytest

from harness import conforms, expect, verifies
from harness.checks.acts.pages import Amid, Repeated


@pytest.mark.write
@verifies("harness/sync/pages-amid-writes")
def test_pages_lose_nothing_while_others_write(paged_amid_writes: Amid) -> None:
    """What goes away on an earlier page is not to take a match off the later ones."""
    conforms(
        not paged_amid_writes.lost,
        expected="every match that was there before and was not touched",
        actual=f"{len(paged_amid_writes.lost)} of {len(paged_amid_writes.before)} missing",
        where=paged_amid_writes.pages[-1].where,
    )


@verifies("harness/sync/page-again")
def test_page_can_be_asked_for_again(page_again: Repeated) -> None:
    """A client whose answer was lost asks for the page again, and needs to get it."""
    expect(page_again).that(
        page_again.same, expected="the same page as before", actual=page_again.outcome
    )


@verifies("harness/sync/page-with-renewed-token")
def test_pages_go_on_with_a_renewed_token(page_with_renewed_token: Repeated) -> None:
    """Tokens end amid the pages of a long search; a renewed one needs to get the rest."""
    expect(page_with_renewed_token).that(
        page_with_renewed_token.same,
        expected="the same page as with the token before",
        actual=page_with_renewed_token.outcome,
    )
