"""Handlers of operations: Patient/$everything and Observation/$lastn (FHIR R4).

http://hl7.org/fhir/R4/patient-operation-everything.html,
http://hl7.org/fhir/R4/observation-operation-lastn.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from harness.reference.fhir.context import Context, access_of
from harness.reference.fhir.dates import criterion
from harness.reference.fhir.faulty import operating as faulty
from harness.reference.fhir.matching import Criterion, search_values
from harness.reference.fhir.outcome import Refused, refused
from harness.reference.fhir.paging import LIFETIME, Page, Snapshot
from harness.reference.fhir.parameters import PARAMETERS, Parameter
from harness.reference.fhir.query import read
from harness.reference.fhir.reach import Reach
from harness.reference.fhir.resources import RESOURCES
from harness.reference.fhir.searches import answer, find, later_page, parameters
from harness.reference.fhir.stored import Stored

LASTN: Final = "Observation/$lastn"
_CARE_DATES: Final = (
    "date", "period", "authoredon", "authored", "occurrence", "effective", "onset-date",
    "recorded-date", "recorded", "sent", "start-date", "when-handed-over",
)  # fmt: skip
"""Search parameters that say when care took place; of each type the first that it has."""


async def everything(context: Context, request: Request, resource_type: str) -> Response:
    """Answers `GET [base]/Patient/[id]/$everything`, and without an id for a token of one patient.

    What no scope of the token permits is left out, as a search would leave it out.
    """
    access, base = access_of(request), context.instance.fhir_base
    access = faulty.access(context.instance.has, access, request.path_params.get("id"))
    request.state.access = access
    own = Reach.of(access, resource_type, "r", base)
    patient = request.path_params.get("id", own.compartment)
    if patient is None:
        raise refused(400, "required", "the token is not bound to one patient; name one")
    path = f"Patient/{patient}/$everything"
    pairs = parameters(request.url.query)
    page = later_page(context, pairs, path, own.compartment)
    if page:
        return answer(context, request, *page)
    known = context.store.current("Patient", patient)
    if known is None or known.deleted or not own.covers(known, context.now):
        raise refused(404, "not-found", f"there is no Patient/{patient}")
    query = read("Patient", [one for one in pairs if one[0] == "_count"], base, strict=True)
    query = replace(query, resource_type=path, used=pairs)
    found = list(_record(context, request, known, pairs))
    found = faulty.everything(context.instance.has, context.store, found, patient)
    snapshot = Snapshot(query, tuple(found), own.compartment, context.now + LIFETIME)
    return answer(context, request, None, Page(snapshot, 0, query.count))


async def last_n(context: Context, request: Request, resource_type: str) -> Response:
    """Answers `GET [base]/Observation/$lastn`: the latest of each code; one, or `max` of them."""
    reach = Reach.of(access_of(request), resource_type, "s", context.instance.fhir_base)
    pairs = parameters(request.url.query)
    page = later_page(context, pairs, LASTN, reach.compartment)
    if page:
        return answer(context, request, *page)
    most = _most(dict(pairs).get("max"))
    asked = [one for one in pairs if one[0] != "max"]
    query = read(resource_type, asked, context.instance.fhir_base, strict=True)
    if not query.named_patients() and reach.compartment is None:
        raise refused(400, "required", "$lastn needs patient or subject")
    found = find(context, reach, replace(query, sort=("-date",)))
    kept = faulty.latest(context.instance.has, found, _latest(found, most))
    query = replace(query, resource_type=LASTN, used=pairs)
    snapshot = Snapshot(query, tuple(kept), reach.compartment, context.now + LIFETIME)
    return answer(context, request, None, Page(snapshot, 0, query.count))


def _latest(found: list[Stored], most: int) -> list[Stored]:
    """Returns the first ones of each code, the newest being first in `found`."""
    groups: dict[object, list[Stored]] = {}
    code = PARAMETERS["Observation"]["code"]
    for one in found:
        tokens = search_values(one, code)
        text = one.resource.get("code", {}).get("text")
        groups.setdefault(tokens[0] if tokens else text, []).append(one)
    return [one for group in groups.values() for one in group[:most]]


def _most(text: str | None) -> int:
    if text is None:
        return 1
    if not re.fullmatch(r"[1-9]\d{0,5}", text, re.ASCII):
        raise refused(400, "value", f"max={text}: a whole number above 0 expected")
    return int(text)


def _record(
    context: Context, request: Request, known: Stored, pairs: list[tuple[str, str]]
) -> Iterator[Stored]:
    """Yields the patient, all in the compartment, and what that refers to outside of it."""
    given = dict(pairs)
    types = set(given["_type"].split(",")) if "_type" in given else set(RESOURCES)
    unknown = sorted(types - set(RESOURCES))
    if unknown:
        raise refused(400, "value", f"_type={unknown[0]}: no resource type of this server")
    wanted = [_criterion("_lastUpdated", f"ge{given['_since']}")] if "_since" in given else []
    bounds = (("ge", given.get("start")), ("le", given.get("end")))
    period = [f"{prefix}{text}" for prefix, text in bounds if text]
    referred: dict[str, None] = {}
    for resource_type in ("Patient", *(one for one in RESOURCES if one != "Patient")):
        covers = _permitted(context, request, resource_type)
        if covers is None or resource_type not in types:
            continue
        care = _care_date(resource_type)
        dated = [
            replace(_criterion("_lastUpdated", text), parameter=care) for text in period if care
        ]
        for one in context.store.shelf(resource_type, known.id).resources:
            if one.patient != known.id or not covers(one):
                continue
            if all(each.matches(one, context.now) for each in wanted) and all(
                each.matches(one, context.now) or not search_values(one, each.parameter)
                for each in dated
            ):
                referred |= _references(one)
                yield one
    yield from _outside(context, request, referred, types)


def _outside(
    context: Context, request: Request, referred: dict[str, None], types: set[str]
) -> Iterator[Stored]:
    """Yields what belongs to nobody and is referred to, such as Practitioners."""
    for reference in referred:
        resource_type, _, resource_id = reference.partition("/")
        covers = _permitted(context, request, resource_type) if resource_type in types else None
        found = context.store.current(resource_type, resource_id) if covers else None
        if found and covers and found.patient is None and not found.deleted and covers(found):
            yield found


def _references(stored: Stored) -> dict[str, None]:
    found: dict[str, None] = {}
    for parameter in PARAMETERS[stored.resource_type].values():
        if parameter.kind == "reference":
            for target in search_values(stored, parameter):
                found[f"{target.resource_type}/{target.resource_id}"] = None
    return found


def _permitted(
    context: Context, request: Request, resource_type: str
) -> Callable[[Stored], bool] | None:
    """Returns whether a resource of a type may be shown; None if none may."""
    access = access_of(request)
    permission = "s" if access.allows(resource_type, "s") else "r"
    try:
        reach = Reach.of(access, resource_type, permission, context.instance.fhir_base)
    except Refused:
        return None
    return lambda stored: reach.covers(stored, context.now)


def _care_date(resource_type: str) -> Parameter | None:
    known = PARAMETERS[resource_type]
    found = (known[name] for name in _CARE_DATES if name in known)
    return next((one for one in found if one.kind == "date"), None)


def _criterion(name: str, text: str) -> Criterion:
    try:
        return Criterion(PARAMETERS["Patient"][name], (criterion(text.replace(" ", "+")),))
    except ValueError as problem:
        raise refused(400, "value", f"{text[2:]}: {problem}") from None
