"""What can be asked of an export, and how it is refused."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from harness.tests.integration.reference.bulk_client import (
    ASYNC,
    GROUP,
    ask,
    export,
    lines,
    location,
    manifest,
    post,
    references,
)
from harness.tests.integration.reference.fhir_server import Endpoint, FhirServer

LENIENT = ASYNC | {"Prefer": "respond-async, handling=lenient"}


@pytest.fixture(scope="module")
def endpoint(server: FhirServer) -> Endpoint:
    # Most tests only start exports, which nobody ends.
    return server.endpoint(seconds=0, expiry=1_000_000)


@pytest.fixture
def client(server: FhirServer) -> httpx.Client:
    return server.endpoint().client()


def code_of(answer: httpx.Response) -> tuple[int, str]:
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome"
    return answer.status_code, outcome["issue"][0]["code"]


@pytest.mark.parametrize("missing", ["Prefer", "Accept"])
def test_both_headers_are_required(client: httpx.Client, missing: str) -> None:
    headers = {name: value for name, value in ASYNC.items() if name != missing}
    assert code_of(client.get(GROUP, headers=headers)) == (400, "required")


def test_who_looks_at_the_headers_alone_starts_nothing(server: FhirServer) -> None:
    client = server.endpoint(one_at_a_time=True).client()
    assert client.head(GROUP, headers=ASYNC).status_code == 405
    assert ask(client).status_code == 202


@pytest.mark.parametrize("path", ["$export", "Patient/$export", GROUP])
def test_an_export_is_started_by_get_and_by_post(client: httpx.Client, path: str) -> None:
    for answer in (ask(client, path), post(client, path, _type="Patient")):
        assert answer.status_code == 202
        assert answer.headers["content-location"].startswith("http://")
        assert client.delete(location(answer)).status_code == 202


@pytest.mark.parametrize("name", ["application/fhir+ndjson", "application/ndjson", "ndjson"])
def test_the_format_has_three_names(client: httpx.Client, name: str) -> None:
    assert ask(client, _outputFormat=name).status_code == 202
    assert post(client, _outputFormat=name).status_code == 202


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"_outputFormat": "text/csv"}, "not-supported"),
        ({"_since": "2026-01-01"}, "value"),
        ({"_since": "2026-01-01T00:00:00"}, "value"),
        ({"_since": "2026-02-30T00:00:00Z"}, "value"),
        ({"_since": ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]}, "value"),
        ({"_type": "Patient,Pacient"}, "not-supported"),
        ({"_type": "Organization,Practitioner"}, "not-supported"),
        ({"_type": "Group"}, "not-supported"),
        ({"patient": "Patient/1"}, "not-supported"),
        ({"includeAssociatedData": "LatestProvenanceResources"}, "not-supported"),
        ({"_until": "2026-01-01T00:00:00Z"}, "not-supported"),
        ({"_typeFilter": "Observation?colour=red"}, "not-supported"),
        ({"_typeFilter": "Observation?_sort=date"}, "not-supported"),
        ({"_typeFilter": "Observation?patient.name=x"}, "not-supported"),
        ({"_typeFilter": "Observation?date=soon"}, "not-supported"),
        ({"_typeFilter": "Nothing?code=x"}, "not-supported"),
        ({"_type": "Patient", "_typeFilter": "Observation?code=x"}, "not-supported"),
        ({"_type": "Patient", "_elements": "Observation.code"}, "not-supported"),
    ],
)
def test_what_is_not_supported_is_refused(
    client: httpx.Client, query: dict[str, Any], code: str
) -> None:
    assert code_of(ask(client, **query)) == (400, code)


@pytest.mark.parametrize(
    "query",
    [
        {"_type": "Patient,Pacient"},
        {"_type": "Patient", "_until": "2026-01-01T00:00:00Z"},
        {"_type": "Patient", "_typeFilter": "Observation?code=x"},
        {"_type": "Patient", "includeAssociatedData": "LatestProvenanceResources"},
    ],
)
def test_a_lenient_client_gets_the_rest_and_is_told_what_was_left_out(
    client: httpx.Client, query: dict[str, str]
) -> None:
    found = manifest(client, client.get(GROUP, params=query, headers=LENIENT))
    assert [one["type"] for one in found["output"]] == ["Patient"]
    (outcome,) = lines(client, found, "error")
    assert outcome["issue"][0]["severity"] == "warning"


def test_types_that_are_all_left_out_leave_nothing(client: httpx.Client) -> None:
    found = manifest(client, client.get(f"{GROUP}?_type=Pacient", headers=LENIENT))
    assert found["output"] == []
    assert len(found["error"]) == 1


def test_a_repeated_type_counts_as_one_with_commas(client: httpx.Client) -> None:
    found = export(client, _type=["Patient", "Condition,Goal"])
    assert {one["type"] for one in found["output"]} == {"Patient", "Condition", "Goal"}
    posted = manifest(client, post(client, _type=["Patient", "Goal"]))
    assert {one["type"] for one in posted["output"]} == {"Patient", "Goal"}


def test_a_plus_that_nobody_escaped_is_understood(client: httpx.Client) -> None:
    query = "_outputFormat=application/fhir+ndjson&_since=2020-01-01T00:00:00+01:00"
    answer = client.get(f"{GROUP}?{query}", headers=ASYNC)
    assert manifest(client, answer)["request"].endswith(f"{GROUP}?{query}")


def test_a_type_filter_is_a_search_and_several_are_alternatives(
    client: httpx.Client, server: FhirServer
) -> None:
    wanted = "Observation?code=29463-7,Observation?code=8867-4&status=final"
    found = lines(client, export(client, _type="Observation,Goal", _typeFilter=wanted))
    codes = {one["code"]["coding"][0]["code"] for one in found if "code" in one}
    assert codes == {"29463-7", "8867-4"}
    assert {one["resourceType"] for one in found} == {"Observation", "Goal"}
    either = "Observation?code=29463-7,8867-4"
    again = lines(client, export(client, _type="Observation", _typeFilter=either))
    assert {one["code"]["coding"][0]["code"] for one in again} == codes


def test_elements_are_left_out_with_a_mark(client: httpx.Client) -> None:
    found = export(client, _type="Patient,Goal", _elements="Patient.gender,subject")
    for one in lines(client, found):
        assert one["meta"]["tag"][-1]["code"] == "SUBSETTED"
        if one["resourceType"] == "Patient":
            assert set(one) == {"resourceType", "id", "meta", "gender"}
        else:
            assert "subject" in one
            assert "startDate" not in one


def test_a_post_may_name_patients(client: httpx.Client, endpoint: Endpoint) -> None:
    mine, other, outside = (endpoint.ehr.store.patient_ids()[one] for one in (0, 1, 5))
    answer = post(client, patient=[f"Patient/{mine}", f"Patient/{other}"], _type="Patient")
    assert set(references(client, manifest(client, answer))) == {
        f"Patient/{mine}",
        f"Patient/{other}",
    }
    assert code_of(post(client, patient=f"Patient/{outside}")) == (400, "not-found")
    assert code_of(post(client, patient="Patient/nobody")) == (400, "not-found")
    assert code_of(post(client, "$export", patient=f"Patient/{mine}")) == (400, "not-supported")
    lenient = post(
        client,
        prefer="handling=lenient",
        patient=[f"Patient/{mine}", f"Patient/{outside}"],
        _type="Patient",
    )
    found = manifest(client, lenient)
    assert references(client, found) == [f"Patient/{mine}"]
    assert len(lines(client, found, "error")) == 1


def test_the_request_of_a_post_is_told_without_its_parameters(client: httpx.Client) -> None:
    found = manifest(client, post(client, _type="Patient"))
    assert found["request"] == f"{client.base_url}{GROUP}"


@pytest.mark.parametrize(
    "body",
    [
        {"resourceType": "Patient"},
        {"resourceType": "Parameters", "parameter": [{"name": "_type"}]},
        {"resourceType": "Parameters", "parameter": [{"valueString": "Patient"}]},
        {"resourceType": "Parameters", "parameter": [{"name": "_type", "valueInteger": 1}]},
        {"resourceType": "Parameters", "parameter": ["_type"]},
        {"resourceType": "Parameters", "parameter": "_type"},
    ],
)
def test_a_body_that_is_no_parameters_is_refused(client: httpx.Client, body: Any) -> None:
    headers = ASYNC | {"Content-Type": "application/fhir+json"}
    answer = client.post(GROUP, content=json.dumps(body), headers=headers)
    assert code_of(answer)[0] == 400


def test_an_unknown_group_is_not_found(client: httpx.Client) -> None:
    assert code_of(ask(client, "Group/nobody/$export")) == (404, "not-found")


def test_scopes_bound_what_is_exported(endpoint: Endpoint) -> None:
    client = endpoint.client("system/Patient.read", "system/Goal.rs")
    found = export(client)
    assert {one["type"] for one in found["output"]} == {"Patient", "Goal"}
    assert code_of(ask(client, _type="Patient,Condition")) == (403, "forbidden")
    assert code_of(ask(endpoint.client("system/Patient.c"))) == (403, "forbidden")


def test_granular_scopes_bound_what_is_exported(endpoint: Endpoint) -> None:
    category = "http://terminology.hl7.org/CodeSystem/observation-category|laboratory"
    client = endpoint.client(f"system/Observation.rs?category={category}")
    found = lines(client, export(client))
    assert found
    assert all("laboratory" in json.dumps(one["category"]) for one in found)


def test_tokens_of_a_person_start_no_export(endpoint: Endpoint) -> None:
    patient = endpoint.ehr.store.patient_ids()[0]
    tokens = [endpoint.client("patient/*.rs", patient=patient), endpoint.client("user/*.rs")]
    for client in tokens:
        for path in ("$export", "Patient/$export", GROUP):
            assert code_of(ask(client, path)) == (403, "forbidden")
