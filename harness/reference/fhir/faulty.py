"""The faults of the FHIR interface: each asked for once, at the seam where it would arise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from harness.reference.fhir.bundle import Searchset
from harness.reference.fhir.matching import Criterion, Token
from harness.reference.fhir.dates import DateCriterion
from harness.reference.fhir.outcome import refused
from harness.reference.fhir.paging import Page
from harness.reference.fhir.query import Query
from harness.reference.fhir.store import Stored

Json = dict[str, Any]
Has = Callable[[str], bool]

INDEX_DELAY: Final = timedelta(seconds=30)
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
        found = [one for index, one in enumerate(found) if index % 3 != 2]
    return found


def page(has: Has, wanted: Page) -> Page:
    """Alters which matches stand on a page."""
    return wanted


def bundle(has: Has, answer: Searchset, offset: int) -> None:
    """Alters the Bundle."""


def search_headers(has: Has) -> dict[str, str]:
    """Returns headers that replace those of a search response."""
    return {"Content-Type": "text/plain; charset=utf-8"} if has("search-as-plain-json") else {}


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
