from __future__ import annotations

from typing import Any

import pytest

from harness.reference.fhir.query import read
from harness.reference.fhir.stored import Stored
from harness.tests.unit.reference.fhir_doubles import NOW, weight

BASE = "https://ehr.example.org/r4"
PERSON = {
    "resourceType": "Patient",
    "name": [{"family": "Núñez Smith-Jones", "given": ["Zoë", "Ann"], "prefix": ["Dr."]}],
    "identifier": [{"system": "urn:mrn", "value": "7"}],
    "gender": "female",
    "birthDate": "1950-05-06",
}


def found(resource: dict[str, Any], name: str, value: str) -> bool:
    resource_type = resource["resourceType"]
    stored = Stored(resource_type, "1", "1", NOW, resource, None)
    query = read(resource_type, [(name, value)], BASE, strict=True)
    return all(one.matches(stored, NOW) for one in query.criteria)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("family", "nunez", True),
        ("family", "jones", True),
        ("family", "ones", False),
        ("family:contains", "ones", True),
        ("family:exact", "Núñez Smith-Jones", True),
        ("family:exact", "núñez smith-jones", False),
        ("given", "ZOE", True),
        ("given", "smith", False),
        ("name", "ann", True),
        ("name", "dr", True),
        ("name", "x,ann", True),
        ("identifier", "urn:mrn|7", True),
        ("identifier", "urn:other|7", False),
        ("identifier", "|7", False),
        ("identifier", "urn:mrn|", True),
        ("gender", "female", True),
        ("gender", "http://hl7.org/fhir/administrative-gender|female", True),
        ("gender:not", "female", False),
        ("gender:not", "male", True),
        ("birthdate", "1950-05", True),
        ("birthdate", "ge1951", False),
        ("birthdate:missing", "false", True),
        ("birthdate:missing", "true", False),
    ],
)
def test_patients_are_found_by(name: str, value: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    assert found(PERSON, name, value) is expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("code", "29463-7", True),
        ("code", "29463", False),
        ("code", "8867-4,http://loinc.org|29463-7", True),
        ("code", "|29463-7", False),
        ("code", "http://loinc.org|", True),
        ("category", "vital-signs", True),
        ("category", "laboratory", False),
        ("status", "http://hl7.org/fhir/observation-status|final", True),
        ("status", "urn:x|final", False),
        ("patient", "7", True),
        ("patient", f"{BASE}/Patient/7", True),
        ("patient", "https://elsewhere.example/Patient/7", False),
        ("subject", "Patient/7", True),
        ("subject", "Group/7", False),
        ("device", "7-scale", True),
        ("encounter:missing", "true", True),
        ("date", "2026-11-20", True),
    ],
)
def test_observations_are_found_by(name: str, value: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    assert found(weight("7"), name, value) is expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("value-quantity", "72.5||kg", True),
        ("code-value-quantity", "http://loinc.org|29463-7$gt70", True),
        ("code-value-quantity", "29463-7$gt80", False),
        ("code-value-quantity", "8867-4$gt70", False),
        ("patient:identifier", "urn:mrn|7", False),
        ("_profile", "http://hl7.org/fhir/us/core/StructureDefinition/us-core-body-weight", False),
        ("_profile:missing", "true", True),
        ("status:not", "final,amended", False),
        ("status:not", "cancelled", True),
    ],
)
def test_observations_are_also_found_by(name: str, value: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    assert found(weight("7"), name, value) is expected


def test_a_reference_is_found_by_the_identifier_that_it_carries() -> None:
    subject = {"identifier": {"system": "urn:mrn", "value": "7"}}
    assert found(weight("7", subject=subject), "patient:identifier", "urn:mrn|7")
    assert not found(weight("7", subject=subject), "patient:identifier", "urn:mrn|8")
    assert not found(weight("7", subject=subject), "patient", "7")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("url", "https://x.org/a/b", True),
        ("url", "https://x.org/a", False),
        ("url:below", "https://x.org/a", True),
        ("url:below", "https://x.org/a/b", True),
        ("url:below", "https://x.org/a/bc", False),
        ("url:above", "https://x.org/a/b/c", True),
        ("url:above", "https://x.org/a", False),
    ],
)
def test_uris_are_found_by(name: str, value: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    form = {"resourceType": "Questionnaire", "url": "https://x.org/a/b"}
    assert found(form, name, value) is expected


@pytest.mark.parametrize("element", [None, 7, "x", [], {"coding": "x"}, [{"coding": [None]}]])
def test_malformed_elements_match_nothing(element: object) -> None:
    assert not found(weight("7", code=element or "x"), "code", "29463-7")
