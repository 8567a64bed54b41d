"""Reads a kick-off request: parameters of its URL, or of a Parameters resource in its body.

http://hl7.org/fhir/uv/bulkdata/STU2/export.html#query-parameters. What is not supported is
refused, or left out and told of under `Prefer: handling=lenient`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from starlette.requests import Request

from harness.reference.access import Access
from harness.reference.bulk.asked import Asked, Level
from harness.reference.bulk.faulty import asking as faulty
from harness.reference.bulk.filters import read_filters
from harness.reference.bulk.lenience import Lenience
from harness.reference.bulk.rosters import Roster
from harness.reference.fhir.asof import AsOf
from harness.reference.fhir.body import read_parameters
from harness.reference.fhir.context import Context, access_of
from harness.reference.fhir.dates import interval
from harness.reference.fhir.formats import preferences
from harness.reference.fhir.outcome import Refused, refused
from harness.reference.fhir.reach import ROSTERS, Reach, forbidden
from harness.reference.fhir.resources import RESOURCES
from harness.reference.fhir.searches import parameters
from harness.reference.fhir.shared import NOBODYS

FORMATS: Final = {"application/fhir+ndjson", "application/ndjson", "ndjson"}
KNOWN: Final = {"_outputFormat", "_since", "_type", "_typeFilter", "_elements", "patient"}
_TRANSPORT: Final = {"_format", "_pretty"}
_INSTANT: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII
)


async def read(context: Context, request: Request, level: Level, view: AsOf) -> Asked:
    """Returns what is asked for.

    Args:
        context: of the interface.
        request: the kick-off.
        level: of the URL.
        view: the store at the transaction time.

    Raises:
        Refused: 400, 403, 404, 413, 415.
    """
    has, base = context.instance.has, context.instance.fhir_base
    access = _system_access(faulty.access(has, access_of(request)))
    lenience = Lenience(lenient="handling=lenient" in preferences(request))
    lenience = faulty.lenience(has, lenience)
    group = request.path_params.get("id", "")
    roster = Roster.of(view, group) if level is Level.GROUP else None
    given = await _given(request, lenience)
    faulty.require_types(has, given["_type"])
    _require_format(given["_outputFormat"], faulty.formats(has, FORMATS))
    types = faulty.types(has, _types(level, given["_type"], lenience), _served(level))
    reaches = _reaches(access, types, base, named=bool(given["_type"]))
    since = _since(given["_since"])
    patients = _patients(level, view, roster, given["patient"], lenience)
    asked = Asked(
        level=level,
        url=context.url(f"{_path(level, group)}$export{_query(request)}"),
        reaches=reaches,
        since=since,
        patients=patients,
        newcomers=_newcomers(context, roster, since, patients),
        filters=read_filters(given["_typeFilter"], reaches, base, lenience),
        elements=_elements(given["_elements"], reaches, lenience),
        warnings=tuple(lenience.warnings),
    )
    return faulty.heard(has, asked, roster.members if roster else None)


async def _given(request: Request, lenience: Lenience) -> dict[str, list[str]]:
    """Returns the values of each known parameter, of the URL and of the body together."""
    pairs = parameters(request.url.query)
    if any(name == "patient" for name, _ in pairs):
        lenience.object_to("patient is a parameter of POST requests only")
        pairs = [pair for pair in pairs if pair[0] != "patient"]
    if request.method == "POST":
        pairs += await read_parameters(request)
    given: dict[str, list[str]] = {name: [] for name in KNOWN}
    for name, value in pairs:
        if name in KNOWN and value:
            given[name].append(value)
        elif name not in KNOWN | _TRANSPORT:
            lenience.object_to(f"{name} is not supported")
    return given


def _path(level: Level, group: str) -> str:
    return {Level.SYSTEM: "", Level.PATIENT: "Patient/", Level.GROUP: f"Group/{group}/"}[level]


def _query(request: Request) -> str:
    return f"?{request.url.query}" if request.url.query else ""


def _newcomers(
    context: Context, roster: Roster | None, since: datetime | None, patients: frozenset[str] | None
) -> frozenset[str]:
    """Returns who is told of whatever `since` says, since they joined the Group later."""
    if roster is None or since is None or not context.instance.bulk.options.backfill:
        return frozenset()
    return roster.newcomers(since) & (roster.members if patients is None else patients)


def _system_access(access: Access) -> Access:
    """Returns what a token may do by its scopes of the level system, which alone count here."""
    scopes = tuple(one for one in access.scopes if one.startswith("system/"))
    if not scopes:
        raise forbidden("an export needs scopes of the level system")
    return replace(access, scopes=scopes)


def _split(values: Sequence[str]) -> list[str]:
    """Returns what stands between the commas; a parameter that is repeated counts as one."""
    return list(dict.fromkeys(one.strip() for value in values for one in value.split(",")))


def _require_format(values: Sequence[str], known: set[str]) -> None:
    for value in values:
        # A + in a URL is a blank, and clients do forget to escape it.
        if value.replace(" ", "+") not in known:
            wanted = ", ".join(sorted(known))
            raise refused(400, "not-supported", f"_outputFormat={value}: one of {wanted} expected")


def _since(values: Sequence[str]) -> datetime | None:
    if not values:
        return None
    text = values[-1].replace(" ", "+")
    if len(values) > 1 or not _INSTANT.fullmatch(text):
        raise refused(400, "value", f"_since={text}: one instant with its zone expected")
    try:
        return interval(text).start
    except ValueError as problem:
        raise refused(400, "value", f"_since={text}: {problem}") from None


def _served(level: Level) -> set[str]:
    """Returns the types that an export can hold."""
    return set(RESOURCES) if level is Level.SYSTEM else set(RESOURCES) - ROSTERS


def _types(level: Level, values: Sequence[str], lenience: Lenience) -> set[str]:
    """Returns the types that are wanted: those that are named, or all."""
    served = _served(level)
    named = _split(values)
    for one in named:
        if one not in served:
            lenience.object_to(f"_type={one}: no resource type that this export has")
    if named and level is not Level.SYSTEM and set(named) <= NOBODYS:
        lenience.object_to(f"_type={','.join(named)}: none of these types belongs to a patient")
    return served & set(named) if named else served


def _reaches(access: Access, types: set[str], base: str, *, named: bool) -> dict[str, Reach]:
    """Returns what the token reaches, by type, in the order of the server.

    Raises:
        Refused: 403; a type that is named is not covered, or none is.
    """
    reaches: dict[str, Reach] = {}
    missing: Refused | None = None
    for kind in (one for one in RESOURCES if one in types):
        try:
            Reach.of(access, kind, "r", base)
            reaches[kind] = Reach.of(access, kind, "s", base)
        except Refused as why:
            missing = why
            if named:
                raise
    if missing and not reaches:
        raise missing
    return reaches


def _patients(
    level: Level, view: AsOf, roster: Roster | None, values: Sequence[str], lenience: Lenience
) -> frozenset[str] | None:
    if values and level is Level.SYSTEM:
        lenience.object_to("patient does not apply to an export of the system")
        return None
    if not values:
        return roster.members if roster else None
    named = {value.rpartition("Patient/")[2] for value in values}
    for one in sorted(named):
        versions = view.versions("Patient", one)
        there = versions and not versions[-1].deleted
        if not there or (roster and one not in roster.members):
            lenience.object_to(f"patient=Patient/{one}: no such patient here", code="not-found")
            named.discard(one)
    return frozenset(named)


def _elements(
    values: Sequence[str], reaches: dict[str, Reach], lenience: Lenience
) -> dict[str, frozenset[str]]:
    """Returns the elements that are wanted by type; one without a type holds for all."""
    wanted: dict[str, set[str]] = {}
    for one in _split(values):
        kind, dot, name = one.rpartition(".")
        if dot and kind not in reaches:
            lenience.object_to(f"_elements={one}: {kind} is not exported")
            continue
        for each in [kind] if dot else reaches:
            wanted.setdefault(each, set()).add(name)
    return {kind: frozenset(names) for kind, names in wanted.items()}
