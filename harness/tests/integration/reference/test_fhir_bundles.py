"""Batch and transaction at the base (FHIR R4, http://hl7.org/fhir/R4/http.html#transaction)."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest

from harness.tests.integration.reference.fhir_server import Endpoint
from harness.tests.unit.reference.fhir_doubles import weight

Json = dict[str, Any]
FHIR = {"Content-Type": "application/fhir+json"}
URN = "urn:uuid:5b1d1d5e-3b0c-4c39-9f13-0c2f3a4b5c6d"


def send(client: httpx.Client, kind: str, *entries: Any, **headers: str) -> httpx.Response:
    body = {"resourceType": "Bundle", "type": kind, "entry": list(entries)}
    return client.post("", content=json.dumps(body), headers=FHIR | headers)


def entry(method: str, url: str, resource: Json | None = None, **more: Any) -> Json:
    full_url = {"fullUrl": more.pop("fullUrl")} if "fullUrl" in more else {}
    content = {"resource": resource} if resource is not None else {}
    return {**full_url, **content, "request": {"method": method, "url": url, **more}}


def answers(response: httpx.Response, kind: str) -> list[Json]:
    assert response.status_code == 200, response.text
    bundle = response.json()
    assert bundle["type"] == f"{kind}-response"
    return list(bundle["entry"])


def statuses(entries: list[Json]) -> list[str]:
    return [one["response"]["status"][:3] for one in entries]


def count(client: httpx.Client, patient: str) -> int:
    return int(client.get(f"Observation?patient={patient}&_summary=count").json()["total"])


def named(value: str) -> list[Json]:
    return [{"system": "urn:example", "value": value}]


def test_each_entry_of_a_batch_stands_for_itself(client: httpx.Client, patient: str) -> None:
    old = client.post("Observation", content=json.dumps(weight(patient)), headers=FHIR).json()
    found = answers(
        send(
            client,
            "batch",
            entry("POST", "Observation", weight(patient)),
            entry("POST", "Observation", weight(patient, status="done")),
            entry("GET", f"Observation/{old['id']}"),
            entry("GET", "Observation/none"),
            entry("GET", f"Observation?patient={patient}&_count=2"),
            entry("PUT", f"Observation/{old['id']}", old | {"status": "amended"}, ifMatch='W/"1"'),
            entry("PUT", f"Observation/{old['id']}", old | {"status": "amended"}, ifMatch='W/"1"'),
            entry("DELETE", f"{client.base_url}Observation/{old['id']}"),
            entry("POST", "Nothing", {"resourceType": "Nothing"}),
            entry("FETCH", "Observation"),
            "no entry at all",
        ),
        "batch",
    )
    assert statuses(found) == [
        "201", "400", "200", "404", "200", "200", "412", "204", "404", "400", "400",
    ]  # fmt: skip
    made = found[0]["response"]
    assert client.get(made["location"]).status_code == 200
    assert made["etag"] == 'W/"1"'
    assert made["lastModified"].startswith("2026-")
    assert "resource" not in found[0]
    assert found[1]["response"]["outcome"]["issue"][0]["expression"] == ["Observation.status"]
    assert found[2]["resource"] == old
    assert len(found[4]["resource"]["entry"]) == 2
    assert found[9]["response"]["outcome"]["issue"][0]["expression"] == [
        "Bundle.entry[9].request.method"
    ]


def test_prefer_decides_what_entries_bring_back(client: httpx.Client, patient: str) -> None:
    new = entry("POST", "Observation", weight(patient))
    whole = answers(send(client, "batch", new, Prefer="return=representation"), "batch")
    assert whole[0]["resource"]["resourceType"] == "Observation"
    told = answers(send(client, "batch", new, Prefer="return=OperationOutcome"), "batch")
    assert told[0]["response"]["outcome"]["issue"][0]["severity"] == "information"


def test_every_entry_keeps_to_scopes_and_patient(endpoint: Endpoint, patient: str) -> None:
    other = endpoint.ehr.store.patient_ids()[1]
    bound = endpoint.client("patient/Observation.c", patient=patient)
    found = answers(
        send(
            bound,
            "batch",
            entry("POST", "Observation", weight(patient)),
            entry("POST", "Observation", weight(other)),
            entry("GET", f"Observation?patient={patient}"),
            entry("GET", f"Patient/{patient}"),
        ),
        "batch",
    )
    assert statuses(found) == ["201", "403", "403", "403"]
    refused = send(
        bound,
        "transaction",
        entry("POST", "Observation", weight(patient)),
        entry("POST", "Observation", weight(other)),
    )
    assert refused.status_code == 403


def test_a_transaction_is_done_as_a_whole(client: httpx.Client, patient: str) -> None:
    before = count(client, patient)
    good = entry("POST", "Observation", weight(patient))
    bad = entry("POST", "Observation", weight(patient, status="done"))
    refused = send(client, "transaction", good, bad)
    issue = refused.json()["issue"][0]
    assert refused.status_code == 400
    assert (issue["code"], issue["expression"]) == (
        "code-invalid",
        ["Bundle.entry[1].resource.status"],
    )
    assert count(client, patient) == before
    assert statuses(answers(send(client, "transaction", good, good), "transaction")) == [
        "201",
        "201",
    ]
    assert count(client, patient) == before + 2


def test_what_a_failed_transaction_did_is_nowhere(client: httpx.Client, patient: str) -> None:
    old = client.post("Observation", content=json.dumps(weight(patient)), headers=FHIR).json()
    path = f"Observation/{old['id']}"
    refused = send(
        client,
        "transaction",
        entry("PUT", path, old | {"status": "amended"}),
        entry("GET", "Observation/none"),
    )
    assert refused.status_code == 404
    assert client.get(path).json() == old
    assert client.get(f"{path}/_history").json()["total"] == 1
    assert client.get(f"Observation?_id={old['id']}").json()["entry"][0]["resource"] == old


def test_references_between_entries_become_places(client: httpx.Client, patient: str) -> None:
    panel = weight(patient, hasMember=[{"reference": URN}])
    about = {
        "resourceType": "Provenance",
        "target": [{"reference": URN}],
        "recorded": "2026-11-20T08:00:00Z",
        "agent": [{"who": {"reference": f"Patient?_id={patient}"}}],
    }
    found = answers(
        send(
            client,
            "transaction",
            entry("POST", "Provenance", about),
            entry("POST", "Observation", panel),
            entry("POST", "Observation", weight(patient), fullUrl=URN),
            Prefer="return=representation",
        ),
        "transaction",
    )
    place = f"Observation/{found[2]['resource']['id']}"
    assert found[1]["resource"]["hasMember"] == [{"reference": place}]
    assert found[0]["resource"]["target"] == [{"reference": place}]
    assert found[0]["resource"]["agent"] == [{"who": {"reference": f"Patient/{patient}"}}]
    assert client.get(place).status_code == 200


def test_a_reference_to_what_exists_under_a_condition_is_its_place(
    client: httpx.Client, patient: str
) -> None:
    scale = {
        "resourceType": "Device",
        "identifier": named("scale"),
        "patient": {"reference": f"Patient/{patient}"},
    }
    condition = "identifier=urn:example|scale"
    devices = set()
    for status in ("201", "200"):
        found = answers(
            send(
                client,
                "transaction",
                entry("POST", "Device", scale, fullUrl=URN, ifNoneExist=condition),
                entry("POST", "Observation", weight(patient, device={"reference": URN})),
                Prefer="return=representation",
            ),
            "transaction",
        )
        assert statuses(found) == [status, "201"]
        devices.add(found[1]["resource"]["device"]["reference"])
    assert len(devices) == 1
    assert client.get(devices.pop()).json()["identifier"] == named("scale")


def test_deletes_come_first_and_reads_last(client: httpx.Client, patient: str) -> None:
    old = weight(patient, identifier=named("order"))
    first = client.post("Observation", content=json.dumps(old), headers=FHIR).json()
    found = answers(
        send(
            client,
            "transaction",
            entry("GET", "Observation?identifier=urn:example|order"),
            entry("POST", "Observation", old),
            entry("DELETE", f"Observation/{first['id']}"),
        ),
        "transaction",
    )
    assert statuses(found) == ["200", "201", "204"]
    listed = [one["resource"]["id"] for one in found[0]["resource"]["entry"]]
    assert len(listed) == 1
    assert first["id"] not in listed


def test_a_patch_stands_in_a_bundle_as_binary(client: httpx.Client, patient: str) -> None:
    old = client.post("Observation", content=json.dumps(weight(patient)), headers=FHIR).json()
    path = f"Observation/{old['id']}"
    operations = json.dumps([{"op": "replace", "path": "/status", "value": "amended"}])
    binary = {
        "resourceType": "Binary",
        "contentType": "application/json-patch+json",
        "data": base64.b64encode(operations.encode()).decode(),
    }
    stale = send(client, "transaction", entry("PATCH", path, binary, ifMatch='W/"7"'))
    assert stale.status_code == 412
    done = answers(send(client, "transaction", entry("PATCH", path, binary)), "transaction")
    assert statuses(done) == ["200"]
    assert client.get(path).json()["status"] == "amended"


@pytest.mark.parametrize(
    ("bundle", "status", "expression"),
    [
        ({"type": "collection"}, 400, "Bundle.type"),
        ({"type": "batch", "entry": {}}, 400, "Bundle.entry"),
        ({"type": "batch", "entry": [{}] * 1001}, 413, "Bundle.entry"),
        ({"type": "transaction", "entry": [{}]}, 400, "Bundle.entry[0].request"),
        (
            {"type": "transaction", "entry": [entry("DELETE", "Observation/1")] * 2},
            400,
            "Bundle.entry[0]",
        ),
        (
            {
                "type": "transaction",
                "entry": [
                    entry(
                        "POST",
                        "Observation",
                        {"resourceType": "Observation", "subject": {"reference": "Patient?_id=0"}},
                    )
                ],
            },
            412,
            "Bundle.entry[0].resource",
        ),
        ({"resourceType": "Patient"}, 400, "Bundle"),
    ],
)
def test_what_cannot_be_done_at_all_is_refused(
    client: httpx.Client, bundle: Json, status: int, expression: str
) -> None:
    body = json.dumps({"resourceType": "Bundle", **bundle})
    answer = client.post("", content=body, headers=FHIR)
    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (status, [expression])


def test_a_batch_holds_no_batch(client: httpx.Client) -> None:
    inner = {"resourceType": "Bundle", "type": "batch"}
    found = answers(send(client, "batch", entry("POST", "/", inner)), "batch")
    assert statuses(found) == ["400"]


def test_an_empty_bundle_is_answered_empty(client: httpx.Client) -> None:
    for kind in ("batch", "transaction"):
        assert "entry" not in send(client, kind).json()
