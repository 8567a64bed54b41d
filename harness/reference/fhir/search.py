"""Runs a search over the store: what matches, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

from harness.reference.data.observations import kind_of
from harness.reference.data.vocabulary import CGM
from harness.reference.fhir.asked import Query
from harness.reference.fhir.dates import EARLIEST, Interval
from harness.reference.fhir.matching import Criterion, search_values
from harness.reference.fhir.parameters import PARAMETERS
from harness.reference.fhir.shelf import Shelf
from harness.reference.fhir.store import Store
from harness.reference.fhir.stored import Stored
from harness.reference.fhir.values import Token, folded

SENSED: Final = Stored("Observation", "", "", EARLIEST, kind_of(CGM), None)
"""What all Observations of continuous glucose monitors have in common."""
NEWEST_FIRST: Final = {"Observation": ("-date",), "Encounter": ("-date",)}
"""The order without `_sort`, by type; the other types by `-_lastUpdated`."""


def matches(
    store: Store,
    query: Query,
    now: datetime,
    visible: Callable[[Stored], bool] | None,
    patient: str | None,
) -> list[Stored]:
    """Returns what a search finds, in order.

    Args:
        store: where.
        query: what.
        now: the present, for the prefix `ap`.
        visible: whether the searcher may see a resource; None if all that belongs to `patient`.
        patient: look only at what belongs to this patient (or to nobody), which is faster.

    Raises:
        TooBroad: no patient is known, and there are too many to look at each.
    """
    shelf = _shelf(store, query, patient)
    in_order: Iterable[Stored] = shelf.learnt(
        ("order", query.sort), lambda resources: tuple(ordered(resources, query))
    )
    fixed = [one for one in query.criteria if one.is_fixed]
    if fixed:
        ids = frozenset.intersection(*(_matching(shelf, one, now) for one in fixed))
        if len(ids) < len(shelf):
            in_order = [stored for stored in in_order if stored.id in ids]
    for one in query.criteria:
        if not one.is_fixed:
            in_order = [stored for stored in in_order if one.matches(stored, now)]
    return list(in_order if visible is None else filter(visible, in_order))


def _matching(shelf: Shelf, criterion: Criterion, now: datetime) -> frozenset[str]:
    """Returns the ids of what a criterion finds, which no other search changes."""
    ids: frozenset[str] = shelf.learnt(
        criterion,
        lambda resources: frozenset(one.id for one in resources if criterion.matches(one, now)),
    )
    return ids


def ordered(found: Iterable[Stored], query: Query) -> list[Stored]:
    """Returns resources in the order that a query asks for, ties by id."""
    in_order = sorted(found, key=lambda stored: stored.id)
    keys = query.sort or NEWEST_FIRST.get(query.resource_type, ("-_lastUpdated",))
    for key in reversed(keys):
        parameter = PARAMETERS[query.resource_type][key.removeprefix("-")]
        descending = key.startswith("-")
        valued: list[Stored] = []
        empty: list[Stored] = []
        for stored in in_order:
            (valued if search_values(stored, parameter) else empty).append(stored)
        valued.sort(
            key=lambda stored: _sort_value(
                search_values(stored, parameter), max if descending else min
            ),
            reverse=descending,
        )
        in_order = [*valued, *empty]
    return in_order


def _shelf(store: Store, query: Query, patient: str | None) -> Shelf:
    for one in query.criteria:
        if one.parameter.name == "_id" and one.wanted and not one.negated:
            ids = {want.code for want in one.wanted if isinstance(want, Token) and want.code}
            return _by_id(store, query.resource_type, ids, patient)
    named = query.named_patients()
    months = _looks_at_sensors(query)
    if patient is not None or not named:
        return store.shelf(query.resource_type, patient, months=months)
    # Only what belongs to the patients who are named can match.
    shelves = [
        store.shelf(query.resource_type, one, months=months) for one in sorted(filter(None, named))
    ]
    if len(shelves) == 1:
        return shelves[0]
    return Shelf.of({one.id: one for shelf in shelves for one in shelf.resources}.values())


def _looks_at_sensors(query: Query) -> bool:
    """Whether anything that a sensor measured for months can match."""
    if query.resource_type != "Observation":
        return True
    same = {"code", "combo-code", "category"}
    criteria = [one for one in query.criteria if one.parameter.name in same]
    return all(one.matches(SENSED, EARLIEST) for one in criteria)


def _by_id(store: Store, resource_type: str, ids: set[str], patient: str | None) -> Shelf:
    found = (store.current(resource_type, one) for one in ids)
    return Shelf.of(
        one
        for one in found
        if one and not one.deleted and patient in (None, one.patient or patient)
    )


def _sort_value(values: tuple[Any, ...], pick: Callable[[Iterable[Any]], Any]) -> Any:
    first = values[0]
    if isinstance(first, Interval):
        return pick(value.start for value in values)
    if isinstance(first, str):
        return pick(folded(value) for value in values)
    return pick(value.code or "" for value in values)
