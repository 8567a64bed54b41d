"""FHIR primitives as JSON Schema, narrower than the types where that is simpler or quicker.

A regular expression takes a nanosecond and more for each byte, many times what other keywords take.
So what characters strings must not have is seen from the whole text at once (`reading.is_plain`);
codes have no space within, which the engine sees without one; and well-known URIs are named.
Regular expressions run in a linear engine, which has no look-around; so what is rare is left
out instead: leap days, years outside 1000 to 2999, URIs that begin with `ur` but for some URNs.
JSON Schema takes 1.0 for an integer, which FHIR does not: a keyword of our own tells them apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Schema = dict[str, Any] | bool

REFUSED: Final = False
"""The schema of what is left to the exact checker."""

INTEGER: Final = "fhirInteger"
"""A keyword of our own: a number written without a fraction."""

_LARGEST = 2**31 - 1

_DAY = (
    "[12][0-9]{3}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
_MONTH = "[12][0-9]{3}(?:-(?:0[1-9]|1[0-2]))?"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?"
_ZONE = "(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_OID = r"urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+"
_URI = (
    r"(?:[^u\x00-\x20]|u[^r\x00-\x20])[^\x00-\x20]*"
    rf"|urn:[^ou\x00-\x20][^\x00-\x20]*|{_OID}"
)
_WELL_KNOWN = (
    "http://loinc.org",
    "http://snomed.info/sct",
    "http://unitsofmeasure.org",
    "http://www.nlm.nih.gov/research/umls/rxnorm",
    "http://terminology.hl7.org/CodeSystem/observation-category",
    "http://terminology.hl7.org/CodeSystem/v3-ActReason",
    "http://terminology.hl7.org/CodeSystem/v2-0203",
    "http://hl7.org/fhir/sid/icd-10-cm",
    "http://hl7.org/fhir/sid/us-npi",
)


def matching(pattern: str) -> dict[str, Any]:
    """A string that is all of a pattern."""
    return {"type": "string", "pattern": f"^(?:{pattern})$"}


def _whole(least: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": _LARGEST, INTEGER: True}


_TEXT: Final[Schema] = {"type": "string", "minLength": 1}

FORMS: Final[list[Schema]] = [
    {"enum": list(_WELL_KNOWN)},
    {"pattern": "^http", "format": "uri"},
    matching(_URI),
]
"""URIs, what is most frequent first."""
_ANY_URI: Final[Schema] = {"type": "string", "anyOf": FORMS}

PRIMITIVES: Final[Mapping[str, Schema]] = {
    "base64Binary": matching(
        "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)"
    ),
    "boolean": {"type": "boolean"},
    "canonical": _ANY_URI,
    "code": {"type": "string", "minLength": 1, "pattern": r"^\S*$"},
    "date": matching(f"{_DAY}|{_MONTH}"),
    "dateTime": matching(f"{_DAY}(?:T{_TIME}{_ZONE})?|{_MONTH}"),
    "decimal": {"type": "number"},
    "id": matching(r"[A-Za-z0-9\-.]{1,64}"),
    "instant": matching(f"{_DAY}T{_TIME}{_ZONE}"),
    "integer": _whole(-_LARGEST - 1),
    "markdown": _TEXT,
    "oid": matching(_OID),
    "positiveInt": _whole(1),
    "string": _TEXT,
    "time": matching(_TIME),
    "unsignedInt": _whole(0),
    "uri": _ANY_URI,
    "url": _ANY_URI,
    "uuid": matching("urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    "xhtml": {"type": "string", "format": "fhir-xhtml"},
}
"""By type."""
