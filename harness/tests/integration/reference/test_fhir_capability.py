"""The CapabilityStatement against what the server really does."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fhir.resources.R4B.capabilitystatement import CapabilityStatement

from harness.tests.integration.reference.fhir_server import Endpoint, FhirServer

Json = dict[str, Any]
SAMPLES = {
    "token": "x",
    "date": "ge2020-01-01",
    "string": "x",
    "reference": "x",
    "quantity": "ge1",
    "uri": "x",
    "composite": "x$1",
}


@pytest.fixture(scope="module")
def endpoint(server: FhirServer) -> Endpoint:
    return server.endpoint()


@pytest.fixture(scope="module")
def client(endpoint: Endpoint) -> httpx.Client:
    return endpoint.client()


@pytest.fixture(scope="module")
def statement(client: httpx.Client) -> Json:
    answer = client.get("metadata", headers={"Authorization": ""})
    assert answer.status_code == 200
    return dict(answer.json())


def test_it_is_a_capability_statement_of_r4(statement: Json, endpoint: Endpoint) -> None:
    CapabilityStatement.model_validate(statement)
    assert statement["fhirVersion"] == "4.0.1"
    assert statement["kind"] == "instance"
    assert statement["implementation"]["url"] == endpoint.ehr.fhir_base


def test_it_names_the_oauth_endpoints_and_smart(statement: Json, endpoint: Endpoint) -> None:
    security = statement["rest"][0]["security"]
    assert security["service"][0]["coding"][0]["code"] == "SMART-on-FHIR"
    uris = {one["url"]: one["valueUri"] for one in security["extension"][0]["extension"]}
    assert uris == {name: endpoint.ehr.oauth(name) for name in ("authorize", "token", "manage")}


def test_every_declared_search_parameter_is_understood(
    statement: Json, client: httpx.Client
) -> None:
    for resource in statement["rest"][0]["resource"]:
        for parameter in resource.get("searchParam", []):
            answer = client.get(
                resource["type"],
                params={parameter["name"]: SAMPLES[parameter["type"]]},
                headers={"Prefer": "handling=strict"},
            )
            assert answer.status_code == 200, (resource["type"], parameter, answer.text)


def test_every_declared_include_is_understood(statement: Json, client: httpx.Client) -> None:
    strict = {"Prefer": "handling=strict"}
    for resource in statement["rest"][0]["resource"]:
        asked = [("_include", one) for one in resource.get("searchInclude", [])]
        asked += [("_revinclude", one) for one in resource.get("searchRevInclude", [])]
        for pair in asked:
            answer = client.get(
                resource["type"], params=dict([pair, ("_count", "1")]), headers=strict
            )
            assert answer.status_code == 200, answer.text


def test_every_declared_profile_is_carried_by_some_resource(
    statement: Json, endpoint: Endpoint
) -> None:
    for resource in statement["rest"][0]["resource"]:
        stored = endpoint.ehr.store.all(resource["type"])
        carried = {url for one in stored for url in one.resource["meta"].get("profile", ())}
        assert set(resource.get("supportedProfile", ())) == carried


def test_what_is_not_declared_is_not_routed(statement: Json, client: httpx.Client) -> None:
    declared = {
        one["type"]: {each["code"] for each in one["interaction"]}
        for one in statement["rest"][0]["resource"]
    }
    for resource_type, codes in declared.items():
        for code, method, path in (
            ("create", "POST", resource_type),
            ("update", "PUT", f"{resource_type}/1"),
            ("patch", "PATCH", f"{resource_type}/1"),
            ("delete", "DELETE", f"{resource_type}/1"),
        ):
            answer = client.request(method, path, json={})
            assert (answer.status_code == 405) == (code not in codes)


def test_bulk_data_export_is_declared_where_it_is_served(
    statement: Json, client: httpx.Client
) -> None:
    assert statement["instantiates"] == [
        "http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data"
    ]
    (rest,) = statement["rest"]
    at_system = {one["name"]: one["definition"] for one in rest["operation"]}
    by_type = {
        one["type"]: each["definition"]
        for one in rest["resource"]
        for each in one.get("operation", [])
        if each["name"] == "export"
    }
    stem = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/"
    assert at_system == {"export": f"{stem}export"}
    assert by_type == {"Patient": f"{stem}patient-export", "Group": f"{stem}group-export"}
    for path in ("$export", "Patient/$export", "Group/all-patients/$export"):
        assert client.get(path).status_code == 400  # it wants its headers, so it is there
