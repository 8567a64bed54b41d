"""FHIR R4, Search, "_lastUpdated", and RESTful API, "history": what changed is found.

http://hl7.org/fhir/R4/search.html#lastUpdated
"""

from __future__ import annotations

import pytest

from harness import conforms, expect, verifies
from harness.checks.acts.changes import Changes, TypeHistory

pytestmark = pytest.mark.write

FOUND = [
    pytest.param("new", marks=verifies("fhir/search/last-updated")),
    pytest.param("amended", marks=verifies("fhir/search/last-updated")),
    pytest.param("withdrawn", marks=verifies("harness/sync/withdrawn")),
]


@pytest.mark.parametrize("what", FOUND)
def test_search_for_changes_finds_what_is(changes: Changes, what: str) -> None:
    """_lastUpdated is the time of the last change, so a search by it finds each change."""
    change = changes.later(what)
    conforms(
        changes.finds(change),
        expected="the Observation as it was changed after the mark",
        actual=f"it is not among {len(changes.search.matches)} matches",
        where=changes.search.where,
    )


@verifies("harness/sync/stamps-in-order")
def test_stamps_follow_the_order_of_writes(changes: Changes) -> None:
    """A later write needs a later stamp, or a sync that goes by stamps passes it over."""
    conforms(
        not changes.backwards,
        expected="no write stamped before the one that was answered before it",
        actual=f"{changes.backwards} of {len(changes.stamps)} writes are",
        where=changes.search.where,
    )


@verifies("fhir/history/deletion")
def test_history_of_a_type_tells_deletions(type_history: TypeHistory) -> None:
    """A sync learns of a deletion by the history of the type, where a server declares that."""
    expect(type_history.exchange).status(200).that(
        type_history.tells,
        expected="an entry with request.method DELETE for the Observation that was deleted",
        actual="none in the history",
    )
