"""Exports over sockets: kick-off, status, manifest, files, end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from harness.tests.integration.reference.fhir_server import Endpoint, FhirServer, serving

Json = dict[str, Any]
ASYNC = {"Accept": "application/fhir+json", "Prefer": "respond-async"}
GROUP = "Group/monitored-at-home/$export"


@pytest.fixture(scope="module")
def server() -> Iterator[FhirServer]:
    with serving() as running:
        yield running


@pytest.fixture
def endpoint(server: FhirServer) -> Endpoint:
    return server.endpoint()


@pytest.fixture
def client(endpoint: Endpoint) -> httpx.Client:
    return endpoint.client("system/*.rs")


def kick_off(client: httpx.Client, path: str = GROUP, **query: str) -> str:
    answer = client.get(path, params=query, headers=ASYNC)
    assert answer.status_code == 202, answer.text
    return answer.headers["content-location"]


def manifest_of(client: httpx.Client, path: str = GROUP, **query: str) -> Json:
    answer = client.get(kick_off(client, path, **query))
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def lines(client: httpx.Client, manifest: Json, section: str = "output") -> list[Json]:
    return [
        json.loads(line)
        for one in manifest[section]
        for line in client.get(one["url"]).text.splitlines()
    ]


def test_an_export_of_a_group_holds_the_records_of_its_members(
    client: httpx.Client, endpoint: Endpoint
) -> None:
    manifest = manifest_of(client)
    store = endpoint.ehr.store
    members = store.patient_ids()[:3]
    truth = {
        one.reference
        for kind in {one["type"] for one in manifest["output"]}
        for one in store.all(kind)
        if one.patient in (None, *members)
    }
    found = [f"{one['resourceType']}/{one['id']}" for one in lines(client, manifest)]
    assert len(found) == len(set(found))
    assert set(found) == truth
    assert manifest["error"] == []
    assert manifest["requiresAccessToken"] is True
    assert manifest["request"] == f"{endpoint.ehr.fhir_base}/{GROUP}"


def test_each_file_has_lines_of_its_type_and_as_many_as_the_manifest_says(
    client: httpx.Client,
) -> None:
    for one in manifest_of(client)["output"]:
        answer = client.get(one["url"])
        assert answer.headers["content-type"] == "application/fhir+ndjson"
        found = [json.loads(line) for line in answer.text.splitlines()]
        assert len(found) == one["count"]
        assert {line["resourceType"] for line in found} == {one["type"]}
        assert answer.content.endswith(b"}\n")


def test_an_export_ends_with_a_delete_and_then_is_unknown(client: httpx.Client) -> None:
    location = kick_off(client)
    file = client.get(location).json()["output"][0]["url"]
    assert client.get(file).status_code == 200
    assert client.delete(location).status_code == 202
    for url in (location, file):
        answer = client.get(url)
        assert answer.status_code == 404
        assert answer.json()["resourceType"] == "OperationOutcome"
    assert client.delete(location).status_code == 404
