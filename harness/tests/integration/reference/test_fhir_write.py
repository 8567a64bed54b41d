from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from harness.tests.integration.reference.fhir_server import Endpoint
from harness.tests.unit.reference.fhir_doubles import VITALS, weight

JSON = {"Content-Type": "application/fhir+json"}


def post(client: httpx.Client, resource: dict[str, Any], **headers: str) -> httpx.Response:
    sent = JSON | {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post("Observation", content=json.dumps(resource), headers=sent)


def put(client: httpx.Client, resource: dict[str, Any], **headers: str) -> httpx.Response:
    sent = JSON | {name.replace("_", "-"): value for name, value in headers.items()}
    url = f"Observation/{resource['id']}"
    return client.put(url, content=json.dumps(resource), headers=sent)


def count(client: httpx.Client, patient: str) -> int:
    return int(client.get(f"Observation?patient={patient}&_summary=count").json()["total"])


def test_a_create_answers_201_with_everything_a_client_needs(
    client: httpx.Client, endpoint: Endpoint, patient: str
) -> None:
    sent = weight(patient, id="chosen-by-client", meta={"versionId": "99"})
    answer = post(client, sent)
    body = answer.json()
    assert answer.status_code == 201
    assert body["id"] != "chosen-by-client"
    assert (
        answer.headers["location"]
        == f"{endpoint.ehr.fhir_base}/Observation/{body['id']}/_history/1"
    )
    assert answer.headers["etag"] == 'W/"1"'
    assert "last-modified" in answer.headers
    assert body["meta"]["versionId"] == "1"
    assert client.get(answer.headers["location"]).json() == body
    assert {name: body[name] for name in sent if name not in {"id", "meta"}} == {
        name: value for name, value in sent.items() if name not in {"id", "meta"}
    }


def test_a_decimal_comes_back_to_the_digit(client: httpx.Client, patient: str) -> None:
    text = json.dumps(weight(patient)).replace("72.5", "72.50")
    answer = client.post("Observation", content=text, headers=JSON)
    assert '"value":72.50,' in client.get(f"Observation/{answer.json()['id']}").text


@pytest.mark.parametrize(
    ("wanted", "kind"),
    [
        ("minimal", None),
        ("representation", "Observation"),
        ("OperationOutcome", "OperationOutcome"),
    ],
)
def test_prefer_return_decides_the_body(
    client: httpx.Client, patient: str, wanted: str, kind: str | None
) -> None:
    answer = post(client, weight(patient), Prefer=f"return={wanted}")
    assert answer.status_code == 201
    assert (answer.json()["resourceType"] if answer.content else None) == kind


def test_a_body_that_is_not_utf_8_is_refused(client: httpx.Client) -> None:
    answer = client.post("Observation", content=b'{"a":"\xff"}', headers=JSON)
    assert answer.status_code == 400


def test_if_none_exist_creates_finds_or_refuses(client: httpx.Client, patient: str) -> None:
    sent = weight(patient, identifier=[{"system": "urn:example", "value": "r|1"}])
    condition = r"identifier=urn:example%7Cr\%7C1"
    first = post(client, sent, If_None_Exist=condition)
    again = post(client, sent, If_None_Exist=condition)
    post(client, sent)
    many = post(client, sent, If_None_Exist=condition)
    assert [first.status_code, again.status_code, many.status_code] == [201, 200, 412]
    assert again.json()["id"] == first.json()["id"]
    assert post(client, sent, If_None_Exist="").status_code == 201
    assert post(client, sent, If_None_Exist="flavour=sweet").status_code == 400


def test_an_update_makes_the_next_version(client: httpx.Client, patient: str) -> None:
    created = post(client, weight(patient)).json()
    answer = put(client, created | {"status": "amended"}, If_Match='W/"1"')
    assert answer.status_code == 200
    assert answer.headers["etag"] == 'W/"2"'
    assert answer.json()["meta"]["lastUpdated"] > created["meta"]["lastUpdated"]
    assert client.get(f"Observation/{created['id']}").json()["status"] == "amended"
    assert client.get(f"Observation/{created['id']}/_history/1").json() == created
    history = client.get(f"Observation/{created['id']}/_history").json()
    assert history["type"] == "history"
    assert [one["request"]["method"] for one in history["entry"]] == ["PUT", "POST"]


def test_an_update_without_if_match_is_made(client: httpx.Client, patient: str) -> None:
    created = post(client, weight(patient)).json()
    answer = put(client, created | {"status": "amended"})
    assert (answer.status_code, answer.headers["etag"]) == (200, 'W/"2"')


def test_updates_that_must_not_happen_are_refused(client: httpx.Client, patient: str) -> None:
    created = post(client, weight(patient)).json()
    assert put(client, created, If_Match='W/"7"').status_code == 412
    url = f"Observation/{created['id']}"
    other = json.dumps(created | {"id": "other"})
    assert client.put(url, content=other, headers=JSON | {"If-Match": 'W/"1"'}).status_code == 400
    assert put(client, created | {"id": "unknown"}, If_Match='W/"1"').status_code == 405
    assert client.get(url).headers["etag"] == 'W/"1"'


def test_a_deleted_resource_is_gone(client: httpx.Client, patient: str) -> None:
    created = post(client, weight(patient)).json()
    before = count(client, patient)
    url = f"Observation/{created['id']}"
    assert client.delete(url).status_code == 204
    assert client.get(url).status_code == 410
    assert client.delete(url).status_code == 204
    assert count(client, patient) == before - 1
    assert client.get(f"{url}/_history/1").status_code == 200
    assert client.get(f"{url}/_history/2").status_code == 410
    assert put(client, created, If_Match='W/"2"').status_code == 410
    assert client.delete("Observation/unknown").status_code == 404


INVALID = [
    pytest.param({"status": None}, 400, "Observation.status", id="status missing"),
    pytest.param({"status": "done"}, 400, "Observation.status", id="status unknown"),
    pytest.param({"code": None}, 400, "Observation.code", id="code missing"),
    pytest.param({"subject": None}, 422, "Observation.subject", id="subject missing"),
    pytest.param({"flavour": 1}, 400, "Observation", id="element unknown"),
    pytest.param(
        {"effectiveDateTime": "2026-02-30"}, 400, "Observation.effectiveDateTime", id="no such day"
    ),
    pytest.param(
        {"effectiveDateTime": "2026-02-03T10:00:00"}, 400, "Observation.effectiveDateTime",
        id="time without zone",
    ),
    pytest.param(
        {"valueQuantity": {"unit": "kg"}}, 422, "Observation.valueQuantity.value", id="no number"
    ),
    pytest.param(
        {"valueQuantity": {"value": "72"}}, 400, "Observation.valueQuantity.value", id="text"
    ),
    pytest.param({"valueString": "72"}, 400, "Observation.value", id="two values"),
    pytest.param(
        {"subject": {"reference": "Patient/nobody"}}, 422, "Observation.subject", id="nobody"
    ),
    pytest.param(
        {"subject": {"reference": "https://other.example/Patient/1"}}, 422, "Observation.subject",
        id="subject elsewhere",
    ),
    pytest.param({"code": {}}, 400, "Observation.code", id="empty object"),
    pytest.param({"extension": [1]}, 400, "Observation.extension[0]", id="no extension"),
    pytest.param(
        {"valueQuantity": {"value": 1, "code": "kg"}}, 422, "Observation.valueQuantity.system",
        id="unit code without system",
    ),
    pytest.param(
        {"dataAbsentReason": {"text": "lost"}}, 422, "Observation", id="value and why it is absent"
    ),
    pytest.param(
        {"subject": {"display": "somebody"}}, 422, "Observation.subject", id="no reference"
    ),
    pytest.param({"category": {}}, 400, "Observation.category", id="no array"),
    pytest.param({"note": []}, 400, "Observation.note", id="empty array"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "status", "expression"), INVALID)
def test_what_is_invalid_is_refused_with_its_place_and_not_stored(
    client: httpx.Client, patient: str, changes: dict[str, Any], status: int, expression: str
) -> None:
    before = count(client, patient)
    answer = post(client, weight(patient, **changes))
    assert answer.status_code == status, answer.text
    issues = answer.json()["issue"]
    assert expression in [place for issue in issues for place in issue.get("expression", [])]
    assert count(client, patient) == before


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("{", 400),
        ("", 400),
        ("[]", 400),
        ('"text"', 400),
        ('{"resourceType":"Observation","resourceType":"Observation"}', 400),
        ('{"resourceType":"Patient"}', 400),
        ('{"resourceType":["Observation"]}', 400),
        ('{"resourceType":"Observation","status":NaN}', 400),
        ('{"resourceType":"Observation","status":"\\ud800"}', 400),
        ('{"a":' * 40 + "1" + "}" * 40, 400),
        ('{"a":' * 50_000 + "1" + "}" * 50_000, 400),
        ('{"a":"' + "x" * 1_100_000 + '"}', 413),
    ],
    ids=range(12),
)
def test_a_body_that_is_no_resource_is_refused(
    client: httpx.Client, body: str, status: int
) -> None:
    answer = client.post("Observation", content=body, headers=JSON)
    assert answer.status_code == status
    assert answer.json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize("content_type", ["application/fhir+xml", "text/plain", ""])
def test_other_content_types_answer_415(
    client: httpx.Client, patient: str, content_type: str
) -> None:
    headers = {"Content-Type": content_type}
    body = json.dumps(weight(patient))
    assert client.post("Observation", content=body, headers=headers).status_code == 415


def test_a_patient_token_writes_for_its_patient_alone(endpoint: Endpoint, patient: str) -> None:
    other = endpoint.ehr.store.patient_ids()[1]
    client = endpoint.client("patient/Observation.cruds", patient=patient)
    assert post(client, weight(patient)).status_code == 201
    refused = post(client, weight(other))
    assert refused.status_code == 403
    assert refused.json()["issue"][0]["expression"] == ["Observation.subject"]
    theirs = post(endpoint.client(), weight(other)).json()
    assert put(client, theirs, If_Match='W/"1"').status_code == 405
    assert client.delete(f"Observation/{theirs['id']}").status_code == 404
    assert client.get(f"Observation/{theirs['id']}/_history/1").status_code == 404
    assert endpoint.client().get(f"Observation/{theirs['id']}").status_code == 200


def test_an_update_cannot_move_an_observation_to_another_patient(
    endpoint: Endpoint, patient: str
) -> None:
    other = endpoint.ehr.store.patient_ids()[1]
    client = endpoint.client("patient/Observation.cruds", patient=patient)
    created = post(client, weight(patient)).json()
    moved = created | {"subject": {"reference": f"Patient/{other}"}}
    assert put(client, moved, If_Match='W/"1"').status_code == 403


def test_a_read_scope_does_not_write(endpoint: Endpoint, patient: str) -> None:
    client = endpoint.client("patient/Observation.rs", patient=patient)
    assert post(client, weight(patient)).status_code == 403
    assert client.delete("Observation/1").status_code == 403


def test_a_granular_scope_writes_its_category_alone(endpoint: Endpoint, patient: str) -> None:
    client = endpoint.client(f"patient/Observation.c?category={VITALS}", patient=patient)
    assert post(client, weight(patient)).status_code == 201
    assert post(client, weight(patient, category=None)).status_code == 403


def test_a_granular_scope_touches_its_category_alone(endpoint: Endpoint, patient: str) -> None:
    client = endpoint.client(f"patient/Observation.ud?category={VITALS}", patient=patient)
    lab = endpoint.ehr.store.current("Observation", f"{patient}-glucose-1")
    assert lab
    assert put(client, lab.resource, If_Match='W/"1"').status_code == 403
    assert client.delete(lab.reference).status_code == 403


def test_if_match_guards_a_delete(client: httpx.Client, patient: str) -> None:
    url = f"Observation/{post(client, weight(patient)).json()['id']}"
    assert client.delete(url, headers={"If-Match": 'W/"2"'}).status_code == 412
    assert client.delete(url, headers={"If-Match": 'W/"1"'}).status_code == 204


def test_a_read_that_changes_nothing_answers_304(client: httpx.Client, patient: str) -> None:
    created = post(client, weight(patient))
    url = f"Observation/{created.json()['id']}"
    same = client.get(url, headers={"If-None-Match": created.headers["etag"]})
    since = client.get(url, headers={"If-Modified-Since": created.headers["last-modified"]})
    other = client.get(url, headers={"If-None-Match": 'W/"9"'})
    assert [same.status_code, since.status_code, other.status_code] == [304, 304, 200]
