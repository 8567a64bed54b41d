"""Pieces of which the synthetic resources are made (FHIR R4, datatypes)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from harness.reference.data.instants import instant
from harness.reference.data.systems import ABSENT_REASON, DATA_ABSENT
from harness.reference.data.vocabulary import SNOMED, SYNTHETIC, UCUM, Unit, loinc, profile

Json = dict[str, Any]
Code = tuple[str, str]
"""A code and what is shown to people."""


def meta(profile_name: str | None, stored: datetime) -> Json:
    """Returns the meta of version 1; `profile_name` is that of a US Core profile."""
    made: Json = {"versionId": "1", "lastUpdated": instant(stored), "security": [SYNTHETIC]}
    return made | {"profile": [profile(profile_name)]} if profile_name else made


def resource(
    resource_type: str,
    resource_id: str,
    profile_name: str | None,
    stored: datetime,
    **elements: Any,
) -> Json:
    """Returns version 1 of a resource; an element that is None is left out."""
    made: Json = {
        "resourceType": resource_type,
        "id": resource_id,
        "meta": meta(profile_name, stored),
    }
    made.update((name, value) for name, value in elements.items() if value is not None)
    return made


def coding(system: str, code: str, display: str | None = None) -> Json:
    """Returns a Coding."""
    made = {"system": system, "code": code}
    return made | {"display": display} if display else made


def concept(system: str, code: str, display: str | None = None) -> Json:
    """Returns a CodeableConcept of one coding, with the display as its text."""
    made: Json = {"coding": [coding(system, code, display)]}
    return made | {"text": display} if display else made


def in_snomed(code: Code) -> Json:
    """Returns a CodeableConcept of SNOMED CT."""
    return concept(SNOMED, *code)


def in_loinc(code: Code) -> Json:
    """Returns a CodeableConcept of LOINC."""
    return {"coding": [loinc(*code)], "text": code[1]}


def reference(target: str) -> Json:
    """Returns a Reference, such as to `Patient/1`."""
    return {"reference": target}


def quantity(value: float, unit: Unit) -> Json:
    """Returns a Quantity with its exact UCUM code; whole numbers are written without a point."""
    number = int(value) if value == int(value) else value
    return {"value": number, "unit": unit.text, "system": UCUM, "code": unit.code}


def absent(reason: str) -> Json:
    """Returns a CodeableConcept that says why there is no value (US Core, missing data)."""
    return {"coding": [coding(ABSENT_REASON, reason)], "text": reason.replace("-", " ")}


def absent_element(reason: str = "unknown") -> Json:
    """Returns what stands beside a primitive that has no value (US Core, missing data)."""
    return {"extension": [{"url": DATA_ABSENT, "valueCode": reason}]}
