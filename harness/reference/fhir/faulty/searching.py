"""Faults of search and paging."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from harness.reference.fhir.bundle import Searchset
from harness.reference.fhir.dates import DateCriterion
from harness.reference.fhir.matching import Criterion, Token
from harness.reference.fhir.outcome import refused
from harness.reference.fhir.paging import Page
from harness.reference.fhir.parameters import PARAMETERS
from harness.reference.fhir.query import Query
from harness.reference.fhir.store import Store
from harness.reference.fhir.stored import Stored

Has = Callable[[str], bool]

INDEX_DELAY: Final = timedelta(seconds=30)
DROPPED_EVERY: Final = 3
INTERNAL_BASE: Final = "http://fhir-backend.example.net:8080/r4"
_EDGES: Final = {"le": "lt", "ge": "gt"}
_IGNORED: Final = {
    "search-ignores-category": "category",
    "search-ignores-code": "code",
    "search-ignores-date": "date",
    "search-ignores-last-updated": "_lastUpdated",
}


def query(has: Has, asked: Query, method: str, compartment: str | None) -> Query:
    """Alters what is searched for."""
    ignored = {name for fault, name in _IGNORED.items() if has(fault)}
    if has("search-ignores-patient") and compartment is None:
        ignored |= {"patient", "subject"}
    if has("post-search-differs") and method == "POST":
        ignored.add("category")
    criteria = [one for one in asked.criteria if one.parameter.name not in ignored]
    if has("patient-id-not-searched") and asked.resource_type == "Patient":
        criteria = [_by_identifier(one) for one in criteria]
    if has("patient-reference-not-understood") and _typed_patient(asked):
        criteria = [
            _unfindable(one) if one.parameter.name == "patient" else one for one in criteria
        ]
    if has("search-ignores-code-system"):
        criteria = [_without_system(one) for one in criteria]
    if has("search-date-prefix-inverted-edge"):
        criteria = [_inverted_edge(one) for one in criteria]
    return replace(asked, criteria=criteria)


def matches(has: Has, found: list[Stored], now: datetime) -> list[Stored]:
    """Alters what a search finds."""
    if has("visible-after-delay"):
        found = [one for one in found if one.last_updated <= now - INDEX_DELAY]
    if has("search-drops-matches"):
        found = [one for index, one in enumerate(found) if (index + 1) % DROPPED_EVERY]
    return found


def page(has: Has, wanted: Page) -> tuple[Stored, ...]:
    """Returns the matches that stand on a page.

    Raises:
        Refused: 500, on the second page.
    """
    if not wanted.offset:
        return wanted.matches
    if has("page-two-answers-500"):
        raise refused(500, "exception", "the cursor could not be read")
    if has("page-two-repeats-page-one"):
        return replace(wanted, offset=0).matches
    if has("page-two-drops-entry"):
        return wanted.matches[1:]
    return wanted.matches


def forgets_compartment(has: Has) -> bool:
    """Whether included resources are not compared with the patient of the token."""
    return has("include-leaks-other-patient")


def strangers(has: Has, store: Store, asked: Query, shown: tuple[Stored, ...]) -> Iterator[Stored]:
    """Yields what a reverse include brings along of another patient, one for each match."""
    if not (asked.rev_includes and shown and has("revinclude-leaks-other-patient")):
        return
    own = {one.patient for one in shown}
    other = next((each for each in store.patient_ids() if each not in own), None)
    found = [one for one in store.all("Provenance", other) if one.patient == other]
    yield from found[: len(shown)]


def bundle(has: Has, answer: Searchset, base: str, offset: int) -> None:
    """Alters the Bundle before it is sent."""
    if has("search-answers-collection"):
        answer.type = "collection"
    if has("search-total-wrong") and answer.total is not None:
        answer.total += 1
    if has("search-omits-full-url"):
        for entry in answer.entries:
            del entry["fullUrl"]
    if has("next-link-loops") and offset:
        answer.next_link = answer.self_link
    if has("next-link-foreign-host") and answer.next_link:
        answer.next_link = answer.next_link.replace(base, INTERNAL_BASE)
    if has("search-omits-self-link"):
        answer.self_link = None


def search_headers(has: Has) -> dict[str, str]:
    """Returns headers that replace those of a search response."""
    return {"Content-Type": "text/plain; charset=utf-8"} if has("search-as-plain-json") else {}


def _by_identifier(one: Criterion) -> Criterion:
    if one.parameter.name != "_id":
        return one
    return replace(one, parameter=PARAMETERS["Patient"]["identifier"])


def _typed_patient(asked: Query) -> bool:
    """Whether the value of `patient` is a reference and no bare id."""
    return any(name == "patient" and "/" in value for name, value in asked.used)


def _unfindable(one: Criterion) -> Criterion:
    return replace(one, wanted=())


def _without_system(one: Criterion) -> Criterion:
    if one.parameter.name != "code":
        return one
    bare = (replace(want, system=None) if isinstance(want, Token) else want for want in one.wanted)
    return replace(one, wanted=tuple(bare))


def _inverted_edge(one: Criterion) -> Criterion:
    shifted = (
        replace(want, prefix=_EDGES.get(want.prefix, want.prefix))
        if isinstance(want, DateCriterion)
        else want
        for want in one.wanted
    )
    return replace(one, wanted=tuple(shifted))
