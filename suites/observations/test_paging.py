"""FHIR R4, RESTful API, "Paging".

http://hl7.org/fhir/R4/http.html#paging
"""

from __future__ import annotations

from harness import applies_if, conforms, verifies
from harness.checks.acts.search_forms import FEW
from harness.checks.found import Found


@verifies("fhir/paging/next")
def test_next_links_lead_to_the_last_page(paged: Found) -> None:
    """A server that pages SHALL give next links that lead from page to page to the last one."""
    conforms(
        paged.ended == "complete",
        expected="pages until there is no next link",
        actual=paged.ended,
        where=paged.pages[-1].where,
    )


@verifies("fhir/paging/count")
def test_no_page_holds_more_than_was_asked_for(small_page: Found) -> None:
    """A server SHALL NOT return more matches on a page than _count says."""
    conforms(
        len(small_page.matches) <= FEW,
        expected=f"at most {FEW} matches on a page",
        actual=f"{len(small_page.matches)}",
        where=small_page.where,
    )


@verifies("fhir/paging/complete")
def test_pages_together_hold_each_match_once(by_code: Found, paged: Found) -> None:
    """The pages together hold every match, and no match twice."""
    applies_if(len(paged.pages) > 1, unless="the server does not page")
    paged.expect_no_duplicates()
    paged.expect_same(by_code, seen_in="the search without _count")
