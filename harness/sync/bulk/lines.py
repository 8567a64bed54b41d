"""What one line of an export is: a resource of one of the tenant's patients, or why it is none.

What names no patient (Practitioner, Location, Medication) belongs to nobody, and is kept: an export
holds it because resources of its patients refer to it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from harness.sync.answers.answer import received_of
from harness.sync.answers.told import told_by_object
from harness.sync.model import Received

NOBODY = ""
"""The patient of what belongs to none."""

_MOSTLY = ("subject", "patient")
"""Members that name the patient."""

_OTHERWISE = {
    "Coverage": ("beneficiary",),
    "Task": ("for",),
    "ResearchSubject": ("individual",),
    "Person": (),
    "Provenance": ("target",),
    "AuditEvent": ("entity",),
}
"""The same, of types where they are others."""

_DEEPEST = 5


@dataclass(frozen=True, slots=True)
class Kept:
    """A resource to be stored."""

    patient: str
    received: Received


@dataclass(frozen=True, slots=True)
class Left:
    """A resource that is none of this tenant's. `why` is one line without ids."""

    type: str
    why: str


@dataclass(frozen=True, slots=True)
class Bad:
    """No resource. `why` is one line without ids."""

    why: str


def read_line(data: bytes, types: Collection[str], patients: Collection[str]) -> Kept | Left | Bad:
    """What a line is.

    Args:
        data: its bytes, without line end.
        types: what the tenant syncs.
        patients: whose data it syncs.
    """
    resource = parsed(data)
    if isinstance(resource, Bad):
        return resource
    received = received_of(told_by_object(resource), data)
    if received is None:
        return Bad("has no type and id")
    if received.type not in types:
        return Left(received.type, "came although it was not asked for")
    named = sorted(set(_patients(resource, received)))
    ours = next((each for each in named if each in patients), None if named else NOBODY)
    if ours is None:
        return Left(received.type, "belongs to patients of others")
    return Kept(ours, received)


def parsed(data: bytes) -> dict[str, Any] | Bad:
    """A line as a JSON object."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return Bad("is no JSON")
    return value if isinstance(value, dict) else Bad("is no object")


def deletions(bundle: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each (type, id) that a Bundle of a `deleted` file names.

    https://hl7.org/fhir/uv/bulkdata/STU2/export.html#response---output-manifest
    """
    entries = bundle.get("entry")
    for entry in entries if isinstance(entries, list) else []:
        request = entry.get("request") if isinstance(entry, dict) else None
        if not isinstance(request, dict) or request.get("method") != "DELETE":
            continue
        url = request.get("url")
        kind, _, id_ = url.rpartition("/") if isinstance(url, str) else ("", "", "")
        type_ = kind.rpartition("/")[2]
        if type_ and id_:
            yield type_, id_


def _patients(resource: dict[str, Any], received: Received) -> Iterator[str]:
    """Ids of the patients that a resource says it is about."""
    if received.type == "Patient":
        yield received.id
        return
    for member in _OTHERWISE.get(received.type, _MOSTLY):
        yield from _referred(resource.get(member), _DEEPEST)


def _referred(value: object, depth: int) -> Iterator[str]:
    if isinstance(value, list) and depth:
        for each in value:
            yield from _referred(each, depth - 1)
    elif isinstance(value, dict):
        target = value.get("reference")
        if isinstance(target, str):
            kind, _, id_ = target.partition("/_history/")[0].rpartition("/")
            if id_ and (kind == "Patient" or kind.endswith("/Patient")):
                yield id_
        elif "what" in value:
            yield from _referred(value["what"], depth - 1)
