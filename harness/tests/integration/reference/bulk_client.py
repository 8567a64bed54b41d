"""What tests of Bulk Data do over and over: start an export, get its manifest and its lines."""

from __future__ import annotations

import json
from typing import Any

import httpx

from harness.tests.integration.reference.fhir_server import Endpoint

Json = dict[str, Any]
ASYNC = {"Accept": "application/fhir+json", "Prefer": "respond-async"}
GROUP = "Group/monitored-at-home/$export"
ALL = "Group/all-patients/$export"
WAITS = 202


def ask(client: httpx.Client, path: str = GROUP, **query: str | list[str]) -> httpx.Response:
    """Asks for an export."""
    return client.get(path, params=query, headers=ASYNC)


def post(
    client: httpx.Client, path: str = GROUP, /, *, prefer: str = "", **values: str | list[str]
) -> httpx.Response:
    """Asks for an export with a Parameters resource; what holds a slash is a reference."""
    listed = [
        (name, one)
        for name, value in values.items()
        for one in ([value] if isinstance(value, str) else value)
    ]
    parameter = [
        {"name": name, "valueReference": {"reference": value}}
        if name == "patient"
        else {"name": name, "valueString": value}
        for name, value in listed
    ]
    headers = ASYNC | {"Content-Type": "application/fhir+json"}
    headers["Prefer"] += f", {prefer}" if prefer else ""
    body = {"resourceType": "Parameters", "parameter": parameter}
    return client.post(path, content=json.dumps(body), headers=headers)


def location(answer: httpx.Response) -> str:
    """Where the status is."""
    assert answer.status_code == WAITS, answer.text
    return answer.headers["content-location"]


def manifest(client: httpx.Client, answer: httpx.Response) -> Json:
    """The manifest of an export that was asked for."""
    done = client.get(location(answer))
    assert done.status_code == httpx.codes.OK, done.text
    return dict(done.json())


def export(client: httpx.Client, path: str = GROUP, **query: str | list[str]) -> Json:
    """The manifest of an export."""
    return manifest(client, ask(client, path, **query))


def lines(client: httpx.Client, found: Json, section: str = "output") -> list[Json]:
    """All lines of a section of a manifest."""
    return [
        json.loads(line)
        for one in found[section]
        for line in client.get(one["url"]).raise_for_status().text.splitlines()
    ]


def references(client: httpx.Client, found: Json) -> list[str]:
    """What a manifest's output holds, as references."""
    return [f"{one['resourceType']}/{one['id']}" for one in lines(client, found)]


def truth(endpoint: Endpoint, *kinds: str, members: int = 3) -> set[str]:
    """What the first patients and nobody own, as references."""
    store = endpoint.ehr.store
    owners = (None, *store.patient_ids()[:members])
    return {one.reference for kind in kinds for one in store.all(kind) if one.patient in owners}
