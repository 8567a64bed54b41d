"""Resources, profiles and judgements of the tests of the walk."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from harness.spec.definitions import Definitions, load
from harness.spec.definitions.model import Element, Profile
from harness.validation.findings import Finding, Severity
from harness.validation.validator import Validator

US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/"
MADE = "http://example.org/StructureDefinition/made"
OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "status": "final",
    "category": [
        {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                    "code": "vital-signs",
                }
            ]
        }
    ],
    "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
    "subject": {"reference": "Patient/1"},
    "effectiveDateTime": "2026-05-01T10:00:00Z",
    "valueQuantity": {
        "value": 72,
        "unit": "beats/minute",
        "system": "http://unitsofmeasure.org",
        "code": "/min",
    },
    "text": {
        "status": "generated",
        "div": '<div xmlns="http://www.w3.org/1999/xhtml">Heart rate 72/min</div>',
    },
}


def us_core(version: str = "6.1.0") -> Definitions:
    return load("hl7.fhir.us.core", version)


def observation(**changes: Any) -> dict[str, Any]:
    """An Observation with members changed; None leaves one out."""
    return changed(OBSERVATION, **changes)


def changed(resource: dict[str, Any], **changes: Any) -> dict[str, Any]:
    made = deepcopy(resource)
    for name, value in changes.items():
        if value is None:
            made.pop(name, None)
        else:
            made[name] = value
    return made


def declaring(resource: dict[str, Any], *profiles: str) -> dict[str, Any]:
    return changed(resource, meta={"profile": list(profiles)})


def made(root: Element, *, context: tuple[str, ...] = ()) -> Definitions:
    """US Core and one profile more, of the type that its root is named after."""
    known = us_core()
    base = f"http://hl7.org/fhir/StructureDefinition/{root.name}"
    profile = Profile(MADE, "1.0", "Made", root.name, base, root, context)
    return Definitions(
        **{name: getattr(known, name) for name in known.__dataclass_fields__ if name != "profiles"},
        profiles={**known.profiles, MADE: profile},
    )


def errors(resource: object, definitions: Definitions | None = None) -> list[tuple[str, str]]:
    """Rule and path of each error."""
    return [(f.rule.value, f.path) for f in of(resource, definitions, Severity.ERROR)]


def of(
    resource: object,
    definitions: Definitions | None = None,
    severity: Severity = Severity.ERROR,
) -> list[Finding]:
    found = Validator(definitions or us_core()).check(resource)
    return [finding for finding in found if finding.severity is severity]
