"""What comes along with the matches of a search: `_include` and `_revinclude`.

FHIR R4, search, "including other resources": http://hl7.org/fhir/R4/search.html#include
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from harness.reference.fhir.asked import MOST_LINKS, Inclusion, Query
from harness.reference.fhir.matching import search_values
from harness.reference.fhir.parameters import Parameter
from harness.reference.fhir.store import Store
from harness.reference.fhir.stored import Stored

MOST_INCLUDED = 1000
Referring = Mapping[tuple[str | None, str | None], list[Stored]]
"""From type and id to what refers to them."""


def along(
    store: Store,
    query: Query,
    page: Iterable[Stored],
    patient: str | None,
    permitted: Callable[[Stored], bool],
) -> Iterator[Stored]:
    """Yields what comes along with a page, each resource once; at most `MOST_INCLUDED`.

    Args:
        store: where.
        query: what was searched for.
        page: the matches on the page.
        patient: the only one whose data may be seen; None for all.
        permitted: whether a resource may be shown; from others no reference is followed either.

    Raises:
        TooBroad: there are too many patients to look at each.
    """
    page = list(page)
    seen = {stored.reference for stored in page}
    for number in range(MOST_LINKS):
        again = number > 0
        fresh = []
        for stored in _round(store, query, page, patient, again=again):
            if stored.reference in seen or stored.deleted or len(seen) > MOST_INCLUDED:
                continue
            seen.add(stored.reference)
            if permitted(stored):
                fresh.append(stored)
        yield from fresh
        page = fresh
        if not page:
            return


def _round(
    store: Store, query: Query, page: list[Stored], patient: str | None, *, again: bool
) -> Iterator[Stored]:
    """Yields what the resources refer to, and what refers to them."""
    for wanted in query.includes:
        if wanted.iterate or not again:
            yield from _referred(store, wanted, page)
    for wanted in query.rev_includes:
        if wanted.iterate or not again:
            yield from _referring(store, wanted, page, patient)


def _referred(store: Store, wanted: Inclusion, page: list[Stored]) -> Iterator[Stored]:
    for stored in page:
        if stored.resource_type != wanted.source:
            continue
        for target in search_values(stored, wanted.parameter):
            if target.resource_id and wanted.target in (None, target.resource_type):
                found = store.current(target.resource_type, target.resource_id)
                if found:
                    yield found


def _referring(
    store: Store, wanted: Inclusion, page: list[Stored], patient: str | None
) -> Iterator[Stored]:
    # What refers to the data of a patient belongs to the same one.
    for owner in dict.fromkeys(stored.patient or patient for stored in page):
        shelf = store.shelf(wanted.source, owner)
        index: Referring = shelf.learnt(
            ("referring", wanted.name), lambda resources: _index(resources, wanted.parameter)
        )
        for stored in page:
            fits = wanted.target in (None, stored.resource_type)
            if fits and (stored.patient or patient) == owner:
                yield from index.get((stored.resource_type, stored.id), ())


def _index(resources: Iterable[Stored], parameter: Parameter) -> Referring:
    index: dict[tuple[str | None, str | None], list[Stored]] = {}
    for stored in resources:
        for target in search_values(stored, parameter):
            index.setdefault((target.resource_type, target.resource_id), []).append(stored)
    return index
