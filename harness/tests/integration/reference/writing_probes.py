"""Probes of the faults of writing that a gateway has: each sees what its cause says."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx

from harness.tests.unit.reference.fhir_doubles import weight

if TYPE_CHECKING:
    from harness.tests.integration.reference.test_fhir_faults import Probe

Json = dict[str, Any]
HEADERS = {"Content-Type": "application/fhir+json"}
LONG = "x" * 1_200_000


def _body(probe: Probe, body: str, content_type: str = HEADERS["Content-Type"]) -> httpx.Response:
    return probe.client.post("Observation", content=body, headers={"Content-Type": content_type})


def _put(probe: Probe, resource: Json, place: str, if_match: str | None = None) -> httpx.Response:
    headers = HEADERS | ({"If-Match": if_match} if if_match else {})
    body = json.dumps(resource)
    return probe.client.put(f"Observation/{place}", content=body, headers=headers)


def _again(probe: Probe, if_match: str | None) -> httpx.Response:
    """An update of something new, with this If-Match."""
    resource = probe.created()
    return _put(probe, resource | {"status": "amended"}, resource["id"], if_match)


def _found(probe: Probe, resource: Json) -> bool:
    return bool(probe.search(f"_id={resource['id']}").get("entry"))


def _gone(probe: Probe) -> Json:
    resource = probe.created()
    probe.client.delete(f"Observation/{resource['id']}")
    return resource


def _updated(probe: Probe) -> Json:
    resource = probe.created()
    _put(probe, resource | {"status": "amended"}, resource["id"])
    return resource


def _history(probe: Probe, resource: Json) -> list[Json]:
    return list(probe.get(f"Observation/{resource['id']}/_history").json()["entry"])


def _version(probe: Probe, resource: Json, version: str) -> httpx.Response:
    return probe.get(f"Observation/{resource['id']}/_history/{version}")


def _vague(probe: Probe) -> bool:
    issue = probe.post(status="done").json()["issue"][0]
    return "expression" not in issue and "status" not in issue["diagnostics"]


def _raced(probe: Probe) -> bool:
    resource = probe.created()
    with ThreadPoolExecutor(2) as threads:
        both = list(threads.map(lambda _: _put(probe, resource, resource["id"], 'W/"1"'), range(2)))
    return [each.status_code for each in both] == [200, 200]


def _stored_though_stale(probe: Probe) -> bool:
    resource = probe.created()
    refused = _put(probe, resource | {"status": "amended"}, resource["id"], 'W/"9"')
    stored = probe.get(f"Observation/{resource['id']}").json()
    return refused.status_code == 412 and stored["status"] == "amended"


def _dropped(probe: Probe) -> bool:
    resource = _updated(probe)
    return bool(probe.get(f"Observation/{resource['id']}").json()["status"] == "final")


def _bounded(probe: Probe) -> bool:
    first = probe.created()
    for _ in range(20):
        probe.post()
    return not _found(probe, first)


def _hidden(probe: Probe) -> bool:
    resource = probe.created()
    other = probe.endpoint.client()
    tokens = probe.endpoint.tokens
    name = next(reversed(tokens))
    tokens[name] = type(tokens[name])("another", *_rest(tokens[name]))
    return other.get(f"Observation/{resource['id']}").status_code == 404


def _rest(access: Any) -> tuple[Any, ...]:
    return access.scopes, access.patient, access.fhir_user, access.expires_at


def _laboratory(probe: Probe, category: str) -> int:
    scope = f"patient/Observation.crs?category={category}"
    client = probe.endpoint.client(scope, patient=probe.patient)
    body = json.dumps(weight(probe.patient))
    return client.post("Observation", content=body, headers=HEADERS).status_code


def _subject(probe: Probe) -> int:
    client = probe.endpoint.client("patient/*.cruds", patient=probe.patient)
    body = json.dumps(weight(probe.patient, subject={"reference": "Patient/none"}))
    return client.post("Observation", content=body, headers=HEADERS).status_code


def _half_patched(probe: Probe) -> bool:
    resource = probe.created()
    operations = [
        {"op": "replace", "path": "/status", "value": "amended"},
        {"op": "test", "path": "/status", "value": "final"},
    ]
    probe.client.patch(
        f"Observation/{resource['id']}",
        content=json.dumps(operations),
        headers={"Content-Type": "application/json-patch+json"},
    )
    return bool(probe.get(f"Observation/{resource['id']}").json()["status"] == "amended")


def _transaction(probe: Probe) -> httpx.Response:
    request = {"method": "POST", "url": "Observation"}
    entry = {"resource": weight(probe.patient), "request": request}
    body = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
    return probe.client.post("", content=json.dumps(body), headers=HEADERS)


def _twice(probe: Probe) -> str:
    return json.dumps(weight(probe.patient)).replace("{", '{"status": "amended", ', 1)


def _change_of_another(probe: Probe) -> bool:
    resource = probe.created()
    other = probe.endpoint.ehr.store.patient_ids()[1]
    client = probe.endpoint.client("patient/*.cruds", patient=other)
    return client.delete(f"Observation/{resource['id']}").status_code == 204


WRITING: dict[str, Callable[[Probe], bool]] = {
    "create-needs-encounter": lambda p: p.post().status_code == 422,
    "location-without-version": lambda p: "_history" not in p.post().headers["location"],
    "location-outside-the-base": lambda p: "/r4/" not in p.post().headers["location"],
    "create-keeps-client-meta": lambda p: (
        p.created(meta={"versionId": "77"})["meta"]["versionId"] == "77"
    ),
    "last-updated-in-local-time": lambda p: (
        p.created()["meta"]["lastUpdated"] < p.endpoint.ehr.clock.now().isoformat()[:13]
    ),
    "read-without-etag": lambda p: "etag" not in p.get(f"Patient/{p.patient}").headers,
    "create-adds-interpretation": lambda p: "interpretation" in p.created(),
    "decimals-shortened": lambda p: (
        "72.0" not in p.get(f"Observation/{p.created(valueQuantity={'value': 72.0})['id']}").text
    ),
    "details-dropped": lambda p: "method" not in p.created(method={"text": "cuff"}),
    "input-repaired": lambda p: p.post(status="done").status_code == 201,
    "code-not-required": lambda p: p.post(code=None).status_code == 201,
    "subject-from-token": lambda p: _subject(p) == 201,
    "type-from-url": lambda p: p.post(resourceType="Patient").status_code == 201,
    "parse-error-answers-500": lambda p: _body(p, "{").status_code == 500,
    "duplicate-member-wins": lambda p: _body(p, _twice(p)).status_code == 201,
    "content-type-ignored": lambda p: (
        _body(p, json.dumps(weight(p.patient)), "text/plain").status_code == 201
    ),
    "large-body-answers-500": lambda p: p.post(note=[{"text": LONG}]).status_code == 500,
    "refusal-without-outcome": lambda p: "html" in p.post(status="done").headers["content-type"],
    "refusal-without-element": _vague,
    "future-time-clamped": lambda p: (
        p.created(effectiveDateTime="2099-01-01")["effectiveDateTime"] < "2099"
    ),
    "unknown-device-dropped": lambda p: (
        "device" not in p.created(device={"reference": "Device/none"})
    ),
    "strong-etag-ignored": lambda p: _again(p, '"9"').status_code == 200,
    "strong-etag-refused": lambda p: _again(p, '"1"').status_code == 412,
    "if-match-compared-as-text": lambda p: _again(p, 'W/"1"').status_code == 412,
    "if-match-compared-early": _raced,
    "stale-update-stored-anyway": _stored_though_stale,
    "blind-update-dropped": _dropped,
    "update-takes-any-id": lambda p: (
        _put(p, weight(p.patient, id="mine"), p.created()["id"]).status_code == 200
    ),
    "update-creates-unknown": lambda p: (
        _put(p, weight(p.patient, id="none"), "none").status_code == 201
    ),
    "update-keeps-status": _dropped,
    "patch-half-applied": _half_patched,
    "transaction-answered-as-batch": lambda p: _transaction(p).json()["type"] == "batch-response",
    "delete-blocked-by-audit": lambda p: (
        p.client.delete(f"Observation/{p.created()['id']}").status_code == 409
    ),
    "delete-again-answers-500": lambda p: (
        p.client.delete(f"Observation/{_gone(p)['id']}").status_code == 500
    ),
    "delete-only-hides": lambda p: _found(p, _gone(p)),
    "delete-purges-versions": lambda p: _version(p, _gone(p), "1").status_code == 404,
    "vread-unknown-gives-newest": lambda p: _version(p, p.created(), "9").status_code == 200,
    "vread-counts-from-zero": lambda p: _version(p, p.created(), "1").status_code == 404,
    "history-without-request": lambda p: "request" not in _history(p, p.created())[0],
    "history-oldest-first": lambda p: (
        _history(p, _updated(p))[0]["resource"]["meta"]["versionId"] == "1"
    ),
    "history-omits-deletions": lambda p: len(_history(p, _gone(p))) == 1,
    "search-forgets-updated": lambda p: not _found(p, _updated(p)),
    "search-index-bounded": _bounded,
    "writes-of-others-hidden": _hidden,
    "letters-lost": lambda p: "?" in p.created(note=[{"text": "größer"}])["note"][0]["text"],
    "compartment-ignored-on-change": _change_of_another,
    "granular-scope-ignored-on-write": lambda p: _laboratory(p, "laboratory") == 201,
    "granular-scope-refuses-writes": lambda p: _laboratory(p, "vital-signs") == 403,
}
