"""A part of a resource, for `_summary` and `_elements` (FHIR R4, search, "summary").

http://hl7.org/fhir/R4/search.html#summary
"""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request

from harness.reference.fhir.elements import ELEMENTS
from harness.reference.fhir.json import dumps
from harness.reference.fhir.outcome import refused
from harness.reference.fhir.stored import Stored

Json = dict[str, Any]
SUBSETTED: Final = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "SUBSETTED",
}
_ALWAYS: Final = {"resourceType", "id", "meta"}
_SUMMARIES: Final = ("true", "text", "data", "count", "false")


def shortened(request: Request, stored: Stored) -> bytes:
    """Returns a resource as JSON, with only what the query string asks for.

    Raises:
        Refused: 400; `_summary` is none of the five values, or asks only for a number.
    """
    if not request.url.query:
        return stored.body
    summary = request.query_params.get("_summary")
    if summary is not None and summary not in _SUMMARIES:
        text = f"_summary={summary}: one of {', '.join(_SUMMARIES)} expected"
        raise refused(400, "value", text)
    names = {one.strip() for one in request.query_params.get("_elements", "").split(",")} - {""}
    if summary in {None, "false", "count"} and not names:
        return stored.body
    return dumps(part(stored.resource, summary, names))


def part(resource: Json, summary: str | None, names: set[str]) -> Json:
    """Returns a part of a resource, tagged as such, with all that must stand in one.

    Args:
        resource: as it is stored.
        summary: `text` or `data`; anything else leaves the choice to `names`.
        names: the elements at the root that are asked for; empty for all.
    """
    known = ELEMENTS.get(resource["resourceType"], {})
    must = _ALWAYS | {name for name, element in known.items() if element.required}
    if summary == "text":
        kept = {name: value for name, value in resource.items() if name in must | {"text"}}
    elif summary in {"data", "true"}:
        kept = {name: value for name, value in resource.items() if name != "text"}
    else:
        kept = dict(resource)
    if names:
        wanted = must | names | {f"_{name}" for name in names}
        kept = {name: value for name, value in kept.items() if name in wanted}
    meta = kept.get("meta", {})
    return {**kept, "meta": {**meta, "tag": [*meta.get("tag", ()), SUBSETTED]}}
