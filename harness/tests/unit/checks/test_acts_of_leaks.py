"""What counts as another patient's data, and what a Provenance refers to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.checks.acts.included import targets
from harness.checks.acts.leaks import about_others
from harness.http.clock import ManualClock
from harness.http.exchange import Exchange, Headers, Request, Response

BASE = "https://ehr.example/r4"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ([{"reference": "Observation/1"}], {"Observation/1"}),
        ([{"reference": "https://ehr.example/r4/Observation/1/_history/2"}], {"Observation/1"}),
        ([{"reference": "urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7"}], set()),
        ([{"identifier": {"value": "1"}}, "none", {"reference": 1}], set()),
        ({"reference": "Observation/1"}, set()),
    ],
)
def test_what_provenance_refers_to_is_read_tolerantly(target: Any, expected: set[str]) -> None:
    assert targets({"resourceType": "Provenance", "target": target}) == expected


def bundle(*resources: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "entry": [{"resource": each} for each in resources]}


OWN = {"resourceType": "Observation", "id": "1", "subject": {"reference": "Patient/own"}}
OTHERS = {"resourceType": "Observation", "id": "2", "subject": {"reference": "Patient/other"}}
LINKED = {"reference": f"{BASE}/Patient/own"}
ALLERGY = {"resourceType": "AllergyIntolerance", "patient": {"reference": f"{BASE}/Patient/other"}}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"resourceType": "Patient", "id": "other"}, 1),
        ({"resourceType": "Patient", "id": "own"}, 0),
        (OTHERS, 1),
        (bundle(OWN, OTHERS, ALLERGY), 2),
        (bundle(bundle(OWN, OTHERS), {"resourceType": "Patient", "id": "other"}), 2),
        (bundle(bundle(bundle(bundle(OTHERS)))), 0),
        ({**OTHERS, "performer": [{"reference": "Patient/own"}]}, 0),
        ({"resourceType": "Patient", "id": "other", "link": [{"other": LINKED}]}, 0),
        ({"resourceType": "Observation", "subject": {"reference": "Group/1"}}, 0),
        ({"resourceType": "Observation", "subject": {"display": "somebody"}}, 0),
        ({"resourceType": "OperationOutcome"}, 0),
        ([], 0),
    ],
)
def test_what_belongs_to_another_patient_is_counted(body: Any, expected: int) -> None:
    request = Request("GET", f"{BASE}/Observation", Headers(()))
    response = Response(200, Headers(()), json.dumps(body).encode())
    exchange = Exchange(1, "corners", request, response, ManualClock().now(), 0.0, 1)
    assert about_others(exchange, ["own"]) == expected
