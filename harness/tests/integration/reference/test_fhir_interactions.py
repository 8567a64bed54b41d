"""Patch, conditional writes, further types, histories and the smaller words of the protocol."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from harness.tests.integration.reference.fhir_server import Endpoint
from harness.tests.unit.reference.fhir_doubles import VITALS, weight

Json = dict[str, Any]
FHIR = {"Content-Type": "application/fhir+json"}
PATCH = {"Content-Type": "application/json-patch+json"}
AMEND = [{"op": "replace", "path": "/status", "value": "amended"}]


def post(client: httpx.Client, resource: Json, **headers: str) -> httpx.Response:
    url = resource["resourceType"]
    return client.post(url, content=json.dumps(resource), headers=FHIR | headers)


def created(client: httpx.Client, patient: str, **changes: Any) -> Json:
    answer = post(client, weight(patient, **changes))
    assert answer.status_code == 201
    return dict(answer.json())


def patch(client: httpx.Client, path: str, operations: Any, **headers: str) -> httpx.Response:
    return client.patch(path, content=json.dumps(operations), headers=PATCH | headers)


def issue(answer: httpx.Response) -> Json:
    return dict(answer.json()["issue"][0])


def named(value: str) -> list[Json]:
    return [{"system": "urn:example", "value": value}]


# --- patch --------------------------------------------------------------------------------------


def test_a_patch_makes_the_next_version_to_the_digit(client: httpx.Client, patient: str) -> None:
    sent = json.dumps(weight(patient)).replace("72.5", "72.50")
    first = client.post("Observation", content=sent, headers=FHIR).json()
    path = f"Observation/{first['id']}"
    answer = patch(client, path, AMEND, **{"If-Match": 'W/"1"'})
    assert (answer.status_code, answer.headers["etag"]) == (200, 'W/"2"')
    now = client.get(path)
    assert now.json()["status"] == "amended"
    assert '"value":72.50' in now.text
    assert patch(client, path, AMEND).json()["meta"]["versionId"] == "3"


@pytest.mark.parametrize(
    ("operations", "headers", "status", "code"),
    [
        (AMEND, {"If-Match": 'W/"9"'}, 412, "conflict"),
        ([{"op": "test", "path": "/status", "value": "x"}, *AMEND], {}, 422, "processing"),
        ([{"op": "remove", "path": "/nothing"}], {}, 422, "processing"),
        ([{"op": "replace", "path": "/id", "value": "mine"}], {}, 422, "business-rule"),
        ([{"op": "replace", "path": "", "value": 1}], {}, 422, "business-rule"),
        ([{"op": "replace", "path": "/status", "value": "done"}], {}, 400, "code-invalid"),
        ([{"op": "remove", "path": "/code"}], {}, 400, "required"),
        ([{"op": "remove", "path": "/subject"}], {}, 422, "required"),
        ({"op": "remove"}, {}, 400, "structure"),
        (AMEND, {"Content-Type": "application/fhir+json"}, 415, "not-supported"),
    ],
)
def test_a_patch_that_must_not_happen_is_refused(
    client: httpx.Client, patient: str, operations: Any, headers: Json, status: int, code: str
) -> None:
    path = f"Observation/{created(client, patient)['id']}"
    answer = patch(client, path, operations, **headers)
    assert (answer.status_code, issue(answer)["code"]) == (status, code)
    assert client.get(path).json()["meta"]["versionId"] == "1"


def test_a_patch_keeps_to_the_patient_and_the_scopes(endpoint: Endpoint, patient: str) -> None:
    everybody, other = endpoint.client(), endpoint.ehr.store.patient_ids()[1]
    mine = f"Observation/{created(everybody, patient)['id']}"
    theirs = f"Observation/{created(everybody, other)['id']}"
    bound = endpoint.client("patient/Observation.u", patient=patient)
    assert patch(bound, mine, AMEND).status_code == 200
    assert patch(bound, theirs, AMEND).status_code == 404
    move = [{"op": "replace", "path": "/subject/reference", "value": f"Patient/{other}"}]
    assert patch(bound, mine, move).status_code == 403
    reader = endpoint.client("patient/Observation.rs", patient=patient)
    assert patch(reader, mine, AMEND).status_code == 403


# --- conditional update and delete --------------------------------------------------------------


def test_a_conditional_update_creates_updates_or_refuses(
    client: httpx.Client, patient: str
) -> None:
    sent, url = weight(patient, identifier=named("put")), "Observation?identifier=urn:example|put"
    answers = [client.put(url, content=json.dumps(sent), headers=FHIR) for _ in range(2)]
    assert [one.status_code for one in answers] == [201, 200]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    assert answers[1].json()["meta"]["versionId"] == "2"
    wrong = client.put(url, content=json.dumps(sent | {"id": "other"}), headers=FHIR)
    assert wrong.status_code == 400
    created(client, patient, identifier=named("put"))
    many = client.put(url, content=json.dumps(sent), headers=FHIR)
    assert (many.status_code, issue(many)["code"]) == (412, "multiple-matches")
    assert client.put("Observation", content=json.dumps(sent), headers=FHIR).status_code == 400
    mine = json.dumps(weight(patient, id="chosen"))
    none = client.put("Observation?identifier=none", content=mine, headers=FHIR)
    assert none.status_code == 405


def test_a_conditional_delete_takes_one_and_no_more(client: httpx.Client, patient: str) -> None:
    url = "Observation?identifier=urn:example|delete"
    first = created(client, patient, identifier=named("delete"))
    second = created(client, patient, identifier=named("delete"))
    assert client.delete(url).status_code == 412
    client.delete(f"Observation/{second['id']}")
    assert client.delete(url).status_code == 204
    assert client.get(f"Observation/{first['id']}").status_code == 410
    assert client.delete(url).status_code == 204
    assert client.delete("Observation").status_code == 400


def test_a_condition_needs_a_search_scope(endpoint: Endpoint, patient: str) -> None:
    writer = endpoint.client("patient/Observation.cud", patient=patient)
    assert writer.delete("Observation?identifier=a").status_code == 403


# --- further types ------------------------------------------------------------------------------

ACTIVE = "http://terminology.hl7.org/CodeSystem/condition-clinical"


def resources(patient: str) -> dict[str, Json]:
    """A small one of each type that clients may write, besides Observation."""
    belongs = {"reference": f"Patient/{patient}"}
    status = {"coding": [{"system": ACTIVE, "code": "active"}]}
    code = {"text": "something"}
    found: dict[str, Json] = {
        "Condition": {"clinicalStatus": status, "code": code, "subject": belongs},
        "AllergyIntolerance": {"clinicalStatus": status, "code": code, "patient": belongs},
        "Device": {"status": "active", "patient": belongs},
        "MedicationRequest": {
            "status": "active",
            "intent": "order",
            "medicationCodeableConcept": code,
            "subject": belongs,
        },
        "DocumentReference": {
            "status": "current",
            "subject": belongs,
            "content": [{"attachment": {"contentType": "text/plain", "data": "YQ=="}}],
        },
        "DiagnosticReport": {"status": "final", "code": code, "subject": belongs},
        "Provenance": {
            "target": [{"reference": f"Observation/{patient}-bp-1"}],
            "recorded": "2026-11-20T08:00:00Z",
            "agent": [{"who": belongs}],
        },
    }
    return {kind: {"resourceType": kind, **rest} for kind, rest in found.items()}


def served(endpoint: Endpoint, patient: str) -> list[Json]:
    declared = endpoint.client().get("metadata").json()["rest"][0]["resource"]
    writable = {one["type"] for one in declared if {"code": "create"} in one["interaction"]}
    writable -= {"Observation", "Subscription"}  # each has tests of its own
    known = resources(patient)
    assert writable <= known.keys()
    assert len(writable) >= 4
    return [known[kind] for kind in sorted(writable)]


def test_every_writable_type_is_written_read_and_deleted(
    endpoint: Endpoint, client: httpx.Client, patient: str
) -> None:
    for resource in served(endpoint, patient):
        answer = post(client, resource)
        assert answer.status_code == 201, answer.text
        path = f"{resource['resourceType']}/{answer.json()['id']}"
        assert client.get(path).json() == answer.json()
        changed = json.dumps(answer.json() | {"language": "en"})
        assert client.put(path, content=changed, headers=FHIR).status_code == 200
        assert client.delete(path).status_code == 204
        assert client.get(path).status_code == 410


def test_every_writable_type_keeps_to_the_patient(endpoint: Endpoint, patient: str) -> None:
    other = endpoint.ehr.store.patient_ids()[1]
    bound = endpoint.client("patient/*.c", patient=patient)
    for resource in served(endpoint, patient):
        assert post(bound, resource).status_code == 201
    for resource in served(endpoint, other):
        answer = post(bound, resource)
        assert (answer.status_code, answer.json()["issue"][0]["code"]) == (403, "forbidden")
    nobodys = {"resourceType": "Device", "status": "active"}
    assert post(bound, nobodys).status_code == 403
    assert post(endpoint.client(), nobodys).status_code == 201


@pytest.mark.parametrize(
    ("kind", "changes", "status", "expression"),
    [
        ("Condition", {"subject": None}, 400, "Condition.subject"),
        ("Condition", {"subject": {"display": "x"}}, 422, "Condition.subject"),
        ("Condition", {"onsetString": 1}, 400, "Condition.onsetString"),
        ("Condition", {"abatementString": "x"}, 422, "Condition.clinicalStatus"),
        ("AllergyIntolerance", {"clinicalStatus": None}, 422, "AllergyIntolerance.clinicalStatus"),
        ("AllergyIntolerance", {"category": ["x"]}, 400, "AllergyIntolerance.category"),
        ("Device", {"status": "broken"}, 400, "Device.status"),
        ("Provenance", {"target": []}, 400, "Provenance.target"),
        ("Provenance", {"target": [{"reference": "Device/no"}]}, 422, "Provenance.target[0]"),
    ],
)
def test_a_refusal_names_the_element(
    client: httpx.Client, patient: str, kind: str, changes: Json, status: int, expression: str
) -> None:
    resource = {**resources(patient)[kind], **changes}
    answer = post(client, {name: one for name, one in resource.items() if one is not None})
    assert answer.status_code == status
    assert issue(answer)["expression"] == [expression]


def test_a_patient_cannot_be_written(client: httpx.Client, patient: str) -> None:
    resource = client.get(f"Patient/{patient}").json()
    assert post(client, resource).status_code == 405


# --- history ------------------------------------------------------------------------------------


def history(client: httpx.Client, path: str) -> Json:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    bundle = dict(answer.json())
    assert bundle["type"] == "history"
    return bundle


def pages(client: httpx.Client, path: str) -> list[Json]:
    """All entries of a history, over its pages."""
    bundle = history(client, path)
    found = list(bundle.get("entry", []))
    while following := [one["url"] for one in bundle["link"] if one["relation"] == "next"]:
        bundle = history(client, following[0])
        found += bundle["entry"]
    assert len(found) == bundle["total"]
    return found


def test_a_history_is_paged_and_starts_with_the_newest(client: httpx.Client, patient: str) -> None:
    path = f"Observation/{created(client, patient)['id']}"
    for _ in range(4):
        patch(client, path, AMEND)
    client.delete(path)
    found = pages(client, f"{path}/_history?_count=2")
    assert [one["response"]["etag"] for one in found] == [f'W/"{n}"' for n in range(6, 0, -1)]
    methods = [one["request"]["method"] for one in found]
    assert methods == ["DELETE", "PUT", "PUT", "PUT", "PUT", "POST"]
    assert "resource" not in found[0]


def test_since_leaves_out_what_is_older(
    endpoint: Endpoint, client: httpx.Client, patient: str
) -> None:
    path = f"Observation/{created(client, patient)['id']}"
    endpoint.ehr.clock.advance(3600)
    second = patch(client, path, AMEND).json()["meta"]["lastUpdated"]
    assert history(client, f"{path}/_history?_since={second}")["total"] == 1
    third = created(client, patient)
    assert [
        one["resource"]["id"] for one in pages(client, f"Observation/_history?_since={second}")
    ] == [third["id"], path.removeprefix("Observation/")]
    whole = pages(client, f"_history?_since={second}")
    assert whole[0]["fullUrl"].rpartition("/")[2] == third["id"]
    assert client.get(f"{path}/_history?_since=yesterday").status_code == 400


def test_the_history_of_a_type_has_all_versions_of_one_patient(
    endpoint: Endpoint, patient: str
) -> None:
    bound = endpoint.client("patient/*.rs", patient=patient)
    made = created(endpoint.client(), patient)
    other = created(endpoint.client(), endpoint.ehr.store.patient_ids()[1])
    found = pages(bound, "Observation/_history?_count=200")
    ids = [one["fullUrl"].rpartition("/")[2] for one in found]
    assert made["id"] in ids
    assert other["id"] not in ids
    store = endpoint.ehr.store
    assert len(ids) == sum(
        len(store.versions("Observation", one.id)) for one in store.all("Observation", patient)
    )
    stamps = [one["response"]["lastModified"] for one in found]
    assert stamps == sorted(stamps, reverse=True)


def test_a_history_of_many_needs_a_search_scope(endpoint: Endpoint, patient: str) -> None:
    reader = endpoint.client("patient/Observation.r", patient=patient)
    assert reader.get("Observation/_history").status_code == 403
    assert reader.get("_history").status_code == 403
    assert reader.get(f"Observation/{patient}-bp-1/_history").status_code == 200
    searcher = endpoint.client("patient/Encounter.s", patient=patient)
    kinds = {one["resource"]["resourceType"] for one in pages(searcher, "_history?_count=200")}
    assert kinds == {"Encounter"}


def test_a_page_of_a_history_serves_nobody_else(endpoint: Endpoint, patient: str) -> None:
    bundle = history(endpoint.client(), "Observation/_history?_count=2")
    following = next(one["url"] for one in bundle["link"] if one["relation"] == "next")
    bound = endpoint.client("patient/*.rs", patient=patient)
    assert bound.get(following).status_code == 403
    elsewhere = following.replace("Observation/_history", "Observation")
    assert endpoint.client().get(elsewhere).status_code == 403


# --- operations ---------------------------------------------------------------------------------


def everything(client: httpx.Client, path: str) -> list[Json]:
    bundle = client.get(path).json()
    found = [one["resource"] for one in bundle["entry"]]
    while following := [one["url"] for one in bundle["link"] if one["relation"] == "next"]:
        bundle = client.get(following[0]).json()
        found += [one["resource"] for one in bundle["entry"]]
    assert len(found) == bundle["total"]
    return found


def test_everything_is_the_record_and_whom_it_names(endpoint: Endpoint, patient: str) -> None:
    client, store = endpoint.client(), endpoint.ehr.store
    found = everything(client, f"Patient/{patient}/$everything?_count=200")
    assert found[0]["id"] == patient
    keys = [(one["resourceType"], one["id"]) for one in found]
    assert len(keys) == len(set(keys))
    for kind in ("Observation", "Encounter", "Device", "Condition", "Provenance"):
        owned = {one.id for one in store.all(kind, patient) if one.patient == patient}
        assert owned <= {resource_id for each, resource_id in keys if each == kind}
    assert "Practitioner" in {kind for kind, _ in keys}
    others = {one for one in store.patient_ids() if one != patient}
    assert not any(other in resource_id for other in others for _, resource_id in keys)


def test_everything_can_be_narrowed(endpoint: Endpoint, client: httpx.Client, patient: str) -> None:
    record = f"Patient/{patient}/$everything"
    types = {one["resourceType"] for one in everything(client, f"{record}?_type=Encounter,Device")}
    assert types == {"Encounter", "Device"}
    visits = everything(client, f"{record}?_type=Encounter")
    start = max(one["period"]["start"] for one in visits)[:10]
    assert len(everything(client, f"{record}?_type=Encounter&start={start}")) == 1
    assert len(everything(client, f"{record}?_type=Encounter&end={start[:4]}-01-01")) < len(visits)
    made = created(client, patient)
    changed = everything(client, f"{record}?_since={made['meta']['lastUpdated']}")
    assert [one["id"] for one in changed] == [made["id"]]
    assert client.get(f"{record}?_type=Nothing").status_code == 400
    assert client.get(f"{record}?start=soon").status_code == 400


def test_everything_keeps_to_scopes_and_patient(endpoint: Endpoint, patient: str) -> None:
    other = endpoint.ehr.store.patient_ids()[1]
    bound = endpoint.client("patient/Patient.r", patient=patient)
    assert {one["resourceType"] for one in everything(bound, "Patient/$everything")} == {"Patient"}
    assert bound.get(f"Patient/{other}/$everything").status_code == 404
    vitals = endpoint.client(
        "patient/Patient.r", f"patient/Observation.rs?category={VITALS}", patient=patient
    )
    found = everything(vitals, f"Patient/{patient}/$everything?_count=200")
    assert {one["resourceType"] for one in found} == {"Patient", "Observation"}
    assert endpoint.client().get("Patient/$everything").status_code == 400
    assert endpoint.client("system/Device.rs").get("Patient/$everything").status_code == 403


def test_lastn_has_the_latest_of_each_code(client: httpx.Client, patient: str) -> None:
    query = f"Observation/$lastn?patient={patient}&category=vital-signs"
    for most in (1, 3):
        found = everything(client, f"{query}&max={most}&_count=200")
        groups: dict[str, list[str]] = {}
        for one in found:
            code = one["code"]["coding"][0]["code"]
            groups.setdefault(code, []).append(one["effectiveDateTime"])
        assert len(groups) > 3
        assert max(map(len, groups.values())) == most
    newest = everything(client, f"{query}&code=29463-7")[0]
    search = f"Observation?patient={patient}&code=29463-7&_sort=-date&_count=1"
    assert client.get(search).json()["entry"][0]["resource"] == newest
    assert client.get("Observation/$lastn").status_code == 400
    assert client.get(f"{query}&max=0").status_code == 400


# --- the smaller words --------------------------------------------------------------------------


def test_head_and_options_are_answered(client: httpx.Client, patient: str) -> None:
    read, head = client.get(f"Patient/{patient}"), client.head(f"Patient/{patient}")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == read.headers["content-length"]
    assert head.headers["etag"] == read.headers["etag"]
    options = client.options("Observation")
    assert (options.status_code, options.headers["allow"]) == (
        204,
        "DELETE, GET, HEAD, OPTIONS, POST, PUT",
    )
    assert client.options("nothing").status_code == 404


def test_a_part_of_a_resource_can_be_read(client: httpx.Client, patient: str) -> None:
    path = f"Observation/{patient}-bp-1"
    some = client.get(path, params={"_elements": "component"}).json()
    assert set(some) == {"resourceType", "id", "meta", "status", "code", "component"}
    assert some["meta"]["tag"][-1]["code"] == "SUBSETTED"
    assert "tag" not in client.get(path).json()["meta"]
    assert client.get(path, params={"_summary": "some"}).status_code == 400
    text = client.get(path, params={"_summary": "text"}).json()
    assert {"id", "status", "code"} <= set(text) <= {
        "resourceType", "id", "meta", "text", "status", "code",
    }  # fmt: skip


def test_a_delete_can_be_told(client: httpx.Client, patient: str) -> None:
    path = f"Observation/{created(client, patient)['id']}"
    answer = client.delete(path, headers={"Prefer": "return=OperationOutcome"})
    assert (answer.status_code, answer.json()["resourceType"]) == (200, "OperationOutcome")


def test_the_compartment_of_a_patient_is_searched(client: httpx.Client, patient: str) -> None:
    within = client.get(f"Patient/{patient}/Encounter").json()
    assert within["total"] == client.get(f"Encounter?patient={patient}").json()["total"] > 0
