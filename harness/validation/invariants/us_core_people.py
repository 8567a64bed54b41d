"""Invariants of the US Core profiles of people, organizations and coverage.

https://hl7.org/fhir/us/core/
"""

from __future__ import annotations

from typing import Any

from harness.validation.invariants.nodes import each, items
from harness.validation.invariants.scope import Scope
from harness.validation.invariants.words import (
    among,
    any_of,
    coded,
    exactly_one,
    exists,
    matches,
    some,
    table,
)
from harness.validation.values.codes import luhn

_IDENTIFIER_TYPE = "http://terminology.hl7.org/CodeSystem/v2-0203"
_DATA_ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_absence = some("extension", among("url", _DATA_ABSENT))
_NPI_DIGITS = 10


def check_digit_fits(node: Any, _: Scope) -> bool:
    """NPI check digit must be valid: Luhn, after the prefix 80840 of the United States."""
    npi = node.get("value") if node.__class__ is dict else None
    if npi.__class__ is not str or len(npi) != _NPI_DIGITS or not (npi.isascii() and npi.isdigit()):
        return True
    return luhn(f"80840{npi}")


def unknown_race_stands_alone(node: Any, _: Scope) -> bool:
    """If ASKU or UNK are present, then no other OMB race categories can be present."""
    categories = [
        each_one
        for each_one in items(node, "extension")
        if each_one.__class__ is dict and each_one.get("url") == "ombCategory"
    ]
    if len(categories) < 2:  # noqa: PLR2004 - one stands alone
        return True
    return not any(
        code in ("ASKU", "UNK")
        for category in categories
        for code in each(category, "valueCoding", "code")
    )


TRANSLATIONS = table(
    (
        (
            "(family.exists() or given.exists()) xor "
            "extension.where(url='http://hl7"
            ".org/fhir/StructureDefinition/data-absent-reason').exists()"
        ),
        exactly_one(exists("family", "given"), _absence),
    ),
    (
        (
            "(name.family.exists() or name.given.exists()) xor "
            "extension.where(url='http://hl7"
            ".org/fhir/StructureDefinition/data-absent-reason').exists()"
        ),
        exactly_one(some("name", exists("family", "given")), _absence),
    ),
    ("telecom or endpoint", exists("telecom", "endpoint")),
    ("telecom.exists() or endpoint.exists()", exists("telecom", "endpoint")),
    (
        "practitioner or organization or healthcareService or location",
        exists("practitioner", "organization", "healthcareService", "location"),
    ),
    (
        (
            "practitioner.exists() or organization.exists() or "
            "healthcareService.exists() or location.exists()"
        ),
        exists("practitioner", "organization", "healthcareService", "location"),
    ),
    ("name.exists() or relationship.exists()", exists("name", "relationship")),
    ("value.matches('^[0-9]{10}$')", matches("value", "[0-9]{10}")),
    (
        (
            "(((select(value.substring(0,1).toInteger()).select(iif($this<5, "  # codespell:ignore
            "$this*2, "
            "(($this*2)-9))))+(value.substring(1,1).toInteger())+(select(value"
            ".substring(2,1).toInteger()).select(iif($this<5, $this*2, "  # codespell:ignore
            "(($this*2)-9))))+(value.substring(3,1).toInteger())+(select(value"
            ".substring(4,1).toInteger()).select(iif($this<5, $this*2, "  # codespell:ignore
            "(($this*2)-9))))+(value.substring(5,1).toInteger())+(select(value"
            ".substring(6,1).toInteger()).select(iif($this<5, $this*2, "  # codespell:ignore
            "(($this*2)-9))))+(value.substring(7,1).toInteger())+(select(value"
            ".substring(8,1).toInteger()).select(iif($this<5, $this*2, "  # codespell:ignore
            "(($this*2)-9))))+(value.substring(9,1).toInteger()) + 24)mod 10=0)"
        ),
        check_digit_fits,
    ),
    ("value.matches('^[0-9]{2}D[0-9]{7}$')", matches("value", "[0-9]{2}D[0-9]{7}")),
    ("value.matches('^[0-9]{5}$')", matches("value", "[0-9]{5}")),
    (
        (
            "identifier.type.coding.where(system='http://terminology.hl7"
            ".org/CodeSystem/v2-0203' and code='MB').exists() or "
            "subscriberId.exists()"
        ),
        any_of(exists("subscriberId"), coded("identifier.type", _IDENTIFIER_TYPE, "MB")),
    ),
    (
        (
            "extension.where(url = 'ombCategory').value.where(code in "
            "'ASKU'|'UNK').exists() implies extension.where(url = "
            "'ombCategory').count() = 1"
        ),
        unknown_race_stands_alone,
    ),
)
