"""What a fullUrl may look like: the definition and the comment of Bundle.entry.fullUrl."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from harness.checks.found import Found
from harness.http.exchange import Exchange, Headers, Request, Response


def found(**entry: Any) -> Found:
    resource = {"resourceType": "Observation", "id": "7"}
    body = {
        "resourceType": "Bundle",
        "type": "searchset",
        "entry": [{"resource": resource} | entry],
    }
    response = Response(200, Headers(), json.dumps(body).encode())
    page = Exchange(1, "a", Request("GET", "https://x/y"), response, datetime.now(UTC), 0.1)
    return Found((), (page,), (resource,), "complete")


@pytest.mark.parametrize(
    "full_url",
    [
        "https://ehr.example/r4/Observation/7",
        "urn:uuid:7c8e4f0e-54a1-4d09-9d3b-1e0f3a8e4b55",
        "https://ehr.example/get?record=7",
    ],
)
def test_a_full_url_may_be_a_url_of_the_resource_or_of_no_interaction(full_url: str) -> None:
    assert not found(fullUrl=full_url).entries_without_full_url


@pytest.mark.parametrize(
    "full_url",
    [
        None,
        "Observation/7",
        "https://ehr.example/r4/Observation/8",
        "https://ehr.example/r4/Observation/17",
        "https://ehr.example/r4/Observation/7/_history/1",
    ],
)
def test_a_full_url_is_absolute_and_names_that_resource_and_no_version(
    full_url: str | None,
) -> None:
    assert found(fullUrl=full_url).entries_without_full_url == 1


def test_an_outcome_needs_no_full_url() -> None:
    assert not found(search={"mode": "outcome"}).entries_without_full_url


@pytest.mark.parametrize(
    "reference", ["Patient/p", "https://x/r4/Patient/p", "Patient/p/_history/3"]
)
def test_a_match_may_name_its_patient_by_any_reference(reference: str) -> None:
    match = {"resourceType": "Observation", "id": "7", "subject": {"reference": reference}}
    replace(found(), parameters=(("patient", "p"),), matches=(match,)).expect_precise()
