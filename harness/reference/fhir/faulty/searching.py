"""Faults of search and paging."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from harness.reference.fhir.bundle import Searchset
from harness.reference.fhir.dates import DateCriterion, interval
from harness.reference.fhir.matching import Criterion
from harness.reference.fhir.outcome import refused
from harness.reference.fhir.paging import Page
from harness.reference.fhir.parameters import PARAMETERS
from harness.reference.fhir.quantities import Measured
from harness.reference.fhir.query import DEFAULT_COUNT, Query
from harness.reference.fhir.reach import Reach
from harness.reference.fhir.store import Store
from harness.reference.fhir.stored import Stored
from harness.reference.fhir.values import Token

Has = Callable[[str], bool]

INDEX_DELAY: Final = timedelta(seconds=30)
A_DAY: Final = timedelta(days=1)
UNARCHIVED: Final = timedelta(hours=1)
DROPPED_EVERY: Final = 3
INTERNAL_BASE: Final = "http://fhir-backend.example.net:8080/r4"
_OF_ONE_READER: Final = ("page-cursor-works-once", "page-cursor-bound-to-token")
_SPENT: Final[set[tuple[str, int]]] = set()
_READERS: Final[dict[str, str | None]] = {}
"""Names of snapshots are random, so instances share these without meeting in them."""
_TOKENS: Final = {"code", "category"}
_OFFSET: Final = re.compile(r"(?<=:\d\d)[+-]\d\d:\d\d$")
_EDGES: Final = {"le": "lt", "ge": "gt"}
_FIRST: Final = {"Patient", "Observation"}
_OWNING: Final = {"_id", "patient", "subject", "target"}
_IGNORED: Final = {
    "search-ignores-category": "category",
    "search-ignores-code": "code",
    "search-ignores-date": "date",
    "search-ignores-last-updated": "_lastUpdated",
    "search-ignores-status": "status",
}


def pairs(has: Has, given: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Alters names and values of a search before they are read."""
    if has("search-ignores-modifiers"):
        given = [(name if name[:1] == "_" else name.partition(":")[0], to) for name, to in given]
    if has("search-ignores-offset"):
        given = [(name, _OFFSET.sub("Z", to) if name == "date" else to) for name, to in given]
    return given


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
    if has("search-looks-at-patient-alone") and asked.resource_type not in _FIRST:
        criteria = [one for one in criteria if one.parameter.name in _OWNING]
    for fault, alter in _ALTERED.items():
        if has(fault):
            criteria = [alter(one) for one in criteria]
    return shape(has, replace(asked, criteria=criteria))


def shape(has: Has, asked: Query) -> Query:
    """Alters how the answer is to look."""
    if has("sort-ignored"):
        asked = replace(asked, sort=())
    if has("count-ignored"):
        asked = replace(asked, count=DEFAULT_COUNT)
    if has("include-brings-nothing"):
        asked = replace(asked, includes=[])
    if has("elements-ignored"):
        asked = replace(asked, elements=())
    return asked


def is_strict(has: Has, preference: str) -> bool:
    """Whether what is not supported is refused (`Prefer: handling=strict`)."""
    if has("prefer-strict-ignored"):
        return False
    parts = preference.replace(";", ",").split(",")
    return any(one.strip().lower() == "handling=strict" for one in parts)


def matches(has: Has, asked: Query, found: list[Stored], now: datetime) -> list[Stored]:
    """Alters what a search finds."""
    dated = any(one.parameter.name == "date" for one in asked.criteria)
    if has("visible-after-delay"):
        found = [one for one in found if one.last_updated <= now - INDEX_DELAY]
    if has("search-drops-matches") and not dated:
        found = [
            one
            for index, one in enumerate(found)
            if (index + 1) % DROPPED_EVERY or one.last_updated > now - UNARCHIVED
        ]
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


def shares_pages(has: Has) -> bool:
    """Whether equal searches share their pages."""
    return not any(has(each) for each in _OF_ONE_READER)


def later_page(
    has: Has, wanted: Page, name: str, token: str | None, again: Callable[[], list[Stored]]
) -> Page:
    """Alters what a cursor stands for.

    Args:
        has: which faults there are.
        wanted: the page.
        name: of its snapshot.
        token: the access token of the request.
        again: searches anew.

    Raises:
        Refused: 410 or 403, as for a page that is not there or not this reader's.
    """
    at = (name, wanted.offset)
    if has("page-cursor-works-once"):
        if at in _SPENT:
            raise refused(410, "not-found", "the cursor is not known")
        _SPENT.add(at)
    if has("page-cursor-bound-to-token") and _READERS.setdefault(name, token) != token:
        raise refused(403, "forbidden", "the cursor belongs to another session")
    if has("page-offsets-are-live"):
        return replace(wanted, snapshot=replace(wanted.snapshot, matches=tuple(again())))
    return wanted


def opens_pages(has: Has) -> bool:
    """Whether whoever has the URL of a page is shown it."""
    return has("page-open-to-any-token") or has("page-open-to-anybody")


def counts_everybody(has: Has) -> bool:
    """Whether a search is counted before it is held to the patient of the token."""
    return has("total-counts-everybody")


def reach(has: Has, bound: Reach) -> Reach:
    """Alters what a condition on another resource looks at."""
    if has("chain-ignores-compartment"):
        return replace(bound, compartment=None)
    return bound


def forgets_compartment(has: Has) -> bool:
    """Whether included resources are not compared with the patient of the token."""
    return has("include-leaks-other-patient")


def strangers(has: Has, store: Store, asked: Query, shown: tuple[Stored, ...]) -> Iterator[Stored]:
    """Yields what a reverse include brings along of others, one for each match."""
    if not (asked.rev_includes and shown):
        return
    if has("revinclude-brings-siblings"):
        named = {f"{one.id}-prov" for one in shown}
        ours = store.all("Provenance", shown[0].patient)
        yield from [one for one in ours if one.id not in named][: len(shown)]
    if not has("revinclude-leaks-other-patient"):
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
    if has("search-full-url-versioned"):
        for entry in answer.entries:
            entry["fullUrl"] += "/_history/1"
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


def _with_system(one: Criterion) -> Criterion:
    if one.parameter.name not in _TOKENS:
        return one
    named = (
        replace(want, system=want.system or "") if isinstance(want, Token) else want
        for want in one.wanted
    )
    return replace(one, wanted=tuple(named))


def _at_midnight(one: Criterion) -> Criterion:
    wanted = (
        replace(want, interval=interval(f"{want.interval.start:%Y-%m-%dT%H:%M:%SZ}"))
        if isinstance(want, DateCriterion) and want.interval.end - want.interval.start >= A_DAY
        else want
        for want in one.wanted
    )
    return replace(one, wanted=tuple(wanted))


def _without_unit(one: Criterion) -> Criterion:
    wanted = (
        replace(want, system=None, code=None) if isinstance(want, Measured) else want
        for want in one.wanted
    )
    return replace(one, wanted=tuple(wanted))


def _by_day(one: Criterion) -> Criterion:
    wanted = (
        replace(want, interval=interval(f"{want.interval.start:%Y-%m-%d}"))
        if isinstance(want, DateCriterion)
        else want
        for want in one.wanted
    )
    return replace(one, wanted=tuple(wanted))


def _inverted_edge(one: Criterion) -> Criterion:
    shifted = (
        replace(want, prefix=_EDGES.get(want.prefix, want.prefix))
        if isinstance(want, DateCriterion)
        else want
        for want in one.wanted
    )
    return replace(one, wanted=tuple(shifted))


_ALTERED: Final[dict[str, Callable[[Criterion], Criterion]]] = {
    "search-ignores-code-system": _without_system,
    "search-date-prefix-inverted-edge": _inverted_edge,
    "search-takes-first-of-or": lambda one: replace(one, wanted=one.wanted[:1]),
    "search-ignores-not": lambda one: replace(one, negated=False),
    "search-ignores-unit": _without_unit,
    "search-date-truncated-to-day": _by_day,
    "search-token-needs-system": _with_system,
    "search-day-taken-for-midnight": _at_midnight,
}
"""What makes another condition of each condition."""
