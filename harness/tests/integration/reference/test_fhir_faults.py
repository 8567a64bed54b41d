"""Each fault alters what its cause says, and the healthy server does not behave like that."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from harness.reference.faults import FHIR, catalogue
from harness.reference.fhir.faulty.writing import LOCAL_UNITS
from harness.tests.integration.reference.fhir_server import Endpoint, FhirServer
from harness.tests.integration.reference.record_probes import RECORDING
from harness.tests.integration.reference.search_probes import SEARCHING
from harness.tests.integration.reference.writing_probes import WRITING
from harness.tests.unit.reference.fhir_doubles import weight

Json = dict[str, Any]
HEADERS = {"Content-Type": "application/fhir+json"}


class Probe:
    """A client of one instance, with short ways to ask."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint: Endpoint = endpoint
        self.client: httpx.Client = endpoint.client()
        self.patient: str = endpoint.ehr.store.patient_ids()[0]

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.client.get(path, headers=headers)

    def search(self, query: str = "_count=20") -> Json:
        return dict(self.get(f"Observation?patient={self.patient}&{query}").json())

    def page_two(self, query: str = "_count=20") -> httpx.Response:
        return self.get(next_link(self.search(query)))

    def total(self, query: str) -> int:
        return int(self.search(f"{query}&_summary=count")["total"])

    def post(self, **changes: Any) -> httpx.Response:
        body = json.dumps(weight(self.patient, **changes))
        return self.client.post("Observation", content=body, headers=HEADERS)

    def created(self, **changes: Any) -> Json:
        body = self.post(**changes).json()
        return dict(self.get(f"Observation/{body['id']}").json())

    def put(self, resource: Json, version: str = "1") -> httpx.Response:
        return self.client.put(
            f"Observation/{resource['id']}",
            content=json.dumps(resource),
            headers=HEADERS | {"If-Match": f'W/"{version}"'},
        )

    def metadata(self) -> Json:
        return dict(self.get("metadata").json())


def links(bundle: Json) -> dict[str, str]:
    return {one["relation"]: one["url"] for one in bundle["link"]}


def next_link(bundle: Json) -> str:
    return links(bundle).get("next", "")


def names(bundle: Json) -> list[str]:
    return [one["resource"]["id"] for one in bundle["entry"]]


def _every_page(probe: Probe) -> list[str]:
    bundle = probe.search("code=29463-7")
    found = names(bundle)
    while following := next_link(bundle):
        bundle = probe.get(following).json()
        found += names(bundle)
    return found


def _drops(probe: Probe) -> bool:
    return len(_every_page(probe)) < 90


def _edge(probe: Probe) -> bool:
    moment = probe.search("code=29463-7")["entry"][0]["resource"]["effectiveDateTime"]
    exact = moment.replace("+", "%2B")
    return probe.total(f"code=29463-7&date=ge{exact}") < 1


def _foreign_code(probe: Probe) -> bool:
    return probe.total("code=http://snomed.info/sct|29463-7") > 0


def _others(probe: Probe) -> bool:
    subjects = {
        one["resource"]["subject"]["reference"] for one in probe.search("_count=200")["entry"]
    }
    mixed = probe.total("code=39156-5") > 3
    return len(subjects) > 1 or mixed


def _post_differs(probe: Probe) -> bool:
    fields = {"patient": probe.patient, "category": "laboratory", "_summary": "count"}
    posted = probe.client.post("Observation/_search", data=fields).json()
    return bool(posted["total"] != probe.total("category=laboratory"))


def _total_wrong(probe: Probe) -> bool:
    return len(_every_page(probe)) != probe.total("code=29463-7")


def _second_page_starts_late(probe: Probe) -> bool:
    first = probe.search("_count=20")
    both = names(first) + names(probe.get(next_link(first)).json())
    return both != names(probe.search("_count=40"))[: len(both)] or len(both) < 40


def _loops(probe: Probe) -> bool:
    page = probe.page_two().json()
    return next_link(page) == links(page)["self"]


def _wrong_id(probe: Probe) -> bool:
    return bool(probe.get(f"Patient/{probe.patient}").json()["id"] != probe.patient)


def _own_record_refused(probe: Probe) -> bool:
    client = probe.endpoint.client("patient/Patient.rs", patient=probe.patient)
    return client.get(f"Patient/{probe.patient}").status_code == 403


def _bound(probe: Probe) -> httpx.Client:
    """A client whose token is bound to the patient."""
    return probe.endpoint.client("patient/*.cruds", patient=probe.patient)


def _foreign_history(probe: Probe) -> bool:
    other = probe.endpoint.ehr.store.patient_ids()[1]
    return _bound(probe).get(f"Patient/{other}/_history").status_code == 200


def _includes(probe: Probe, query: str) -> set[str]:
    """Who is named by what comes along with a search."""
    bundle = _bound(probe).get(f"Observation?patient={probe.patient}&{query}").json()
    along = [one for one in bundle["entry"] if one["search"]["mode"] == "include"]
    return {who for who in probe.endpoint.ehr.store.patient_ids() if who in json.dumps(along)}


def _foreign_include(probe: Probe) -> bool:
    other = probe.endpoint.ehr.store.patient_ids()[1]
    written = probe.post(performer=[{"reference": f"Patient/{other}"}]).json()
    return other in _includes(probe, f"_id={written['id']}&_include=Observation:performer")


def _foreign_provenance(probe: Probe) -> bool:
    return _includes(probe, "_revinclude=Provenance:target&_count=20") != {probe.patient}


def _not_stored(probe: Probe) -> bool:
    answer = probe.post()
    assert answer.status_code == 201
    return probe.get(f"Observation/{answer.json()['id']}").status_code == 404


def _forgets_version(probe: Probe) -> bool:
    return "versionId" not in probe.created().get("meta", {})


def _component_dropped(probe: Probe) -> bool:
    components = [
        {"code": {"text": text}, "valueQuantity": {"value": 1}} for text in ("one", "two")
    ]
    stored = probe.created(component=components, valueQuantity=None)
    return len(stored["component"]) < 2


def _delayed(probe: Probe) -> bool:
    resource = probe.created()
    hidden = probe.total(f"_id={resource['id']}") == 0
    probe.endpoint.ehr.clock.advance(31)
    assert probe.total(f"_id={resource['id']}") == 1
    return hidden


def _updated(probe: Probe) -> tuple[Json, httpx.Response, Json]:
    before = probe.created()
    answer = probe.put(before | {"status": "amended"})
    assert answer.status_code == 200
    return before, answer, probe.get(f"Observation/{before['id']}").json()


def _update_lost(probe: Probe) -> bool:
    return bool(_updated(probe)[2]["status"] == "final")


def _version_kept(probe: Probe) -> bool:
    _, answer, after = _updated(probe)
    return answer.headers["etag"] == 'W/"1"' and after["meta"]["versionId"] == "1"


def _frozen(probe: Probe) -> bool:
    before, _, after = _updated(probe)
    return bool(before["meta"]["lastUpdated"] == after["meta"]["lastUpdated"])


def _stale(probe: Probe) -> bool:
    return probe.put(probe.created(), version="9").status_code == 200


def _stored_anyway(probe: Probe) -> bool:
    before = probe.total("_count=1")
    assert probe.post(status="done").status_code == 400
    return probe.total("_count=1") > before


def _claims_patch(probe: Probe) -> bool:
    resources = probe.metadata()["rest"][0]["resource"]
    claimed = any({"code": "patch"} in one["interaction"] for one in resources)
    return claimed and _patch(probe).status_code == 405


def _needs_token(probe: Probe) -> bool:
    return probe.get("metadata", Authorization="").status_code == 401


def _serves(probe: Probe, type_: str) -> bool:
    return any(one["type"] == type_ for one in probe.metadata()["rest"][0]["resource"])


def _patients(probe: Probe, query: str) -> int:
    found = probe.get(f"Patient?{query.format(probe.patient)}&_summary=count")
    return int(found.json()["total"])


def _duplicated(probe: Probe) -> bool:
    headers = HEADERS | {"If-None-Exist": "identifier=urn:example|twice"}
    sent = weight(probe.patient, identifier=[{"system": "urn:example", "value": "twice"}])
    for _ in range(2):
        answer = probe.client.post("Observation", content=json.dumps(sent), headers=headers)
    return answer.status_code == 201


def _takes_first(probe: Probe) -> bool:
    for _ in range(2):
        probe.post(identifier=[{"system": "urn:example", "value": "many"}])
    found = probe.client.delete("Observation?identifier=urn:example|many")
    return found.status_code == 204


def _patch(probe: Probe, version: str = "1") -> httpx.Response:
    return probe.client.patch(
        f"Observation/{probe.created()['id']}",
        content=json.dumps([{"op": "replace", "path": "/status", "value": "amended"}]),
        headers={"Content-Type": "application/json-patch+json", "If-Match": f'W/"{version}"'},
    )


def _deleted(probe: Probe, version: str = "1") -> tuple[int, int]:
    """The status of a delete, and of a read after it."""
    path = f"Observation/{probe.created()['id']}"
    answer = probe.client.delete(path, headers={"If-Match": f'W/"{version}"'})
    return answer.status_code, probe.get(path).status_code


def _bundle(probe: Probe, kind: str, *entries: Json) -> httpx.Response:
    body = {"resourceType": "Bundle", "type": kind, "entry": list(entries)}
    return probe.client.post("", content=json.dumps(body), headers=HEADERS)


def _entry(probe: Probe, **changes: Any) -> Json:
    resource = weight(probe.patient, **changes)
    return {"resource": resource, "request": {"method": "POST", "url": "Observation"}}


def _statuses(answer: httpx.Response) -> list[str]:
    return [one["response"]["status"][:3] for one in answer.json()["entry"]]


def _good_and_bad(probe: Probe, kind: str = "batch") -> httpx.Response:
    return _bundle(probe, kind, _entry(probe), _entry(probe, status="done"))


def _half_done(probe: Probe) -> bool:
    before = probe.total("_count=1")
    answer = _bundle(probe, "transaction", _entry(probe), _entry(probe, status="done"))
    assert answer.status_code == 400
    return probe.total("_count=1") > before


def _in_given_order(probe: Probe) -> bool:
    query = "identifier=urn:example|ordered"
    look = {"request": {"method": "GET", "url": f"Observation?patient={probe.patient}&{query}"}}
    made = _entry(probe, identifier=[{"system": "urn:example", "value": "ordered"}])
    answer = _bundle(probe, "transaction", look, made).json()
    return bool(answer["entry"][0]["resource"]["total"] == 0)


def _refuses_urns(probe: Probe) -> bool:
    one = _entry(probe) | {"fullUrl": "urn:uuid:0f2b0d4c-7a36-4b13-a7c4-0a2d64a2b3f1"}
    return _bundle(probe, "transaction", one).status_code == 400


def _keeps_urns(probe: Probe) -> bool:
    one = _entry(probe) | {"fullUrl": "urn:uuid:0f2b0d4c-7a36-4b13-a7c4-0a2d64a2b3f1"}
    two = _entry(probe, hasMember=[{"reference": one["fullUrl"]}])
    answer = _bundle(probe, "transaction", one, two).json()
    stored = probe.get(answer["entry"][1]["response"]["location"]).json()
    return bool(stored["hasMember"][0]["reference"].startswith("urn:"))


def _two_versions(probe: Probe) -> str:
    resource = probe.created()
    probe.put(resource | {"status": "amended"})
    return f"Observation/{resource['id']}"


def _not_modified(probe: Probe) -> int:
    path = f"Observation/{probe.created()['id']}"
    return probe.get(path, **{"If-None-Match": 'W/"1"'}).status_code


def _everything(probe: Probe) -> set[tuple[str, str]]:
    """Type and patient of all that belongs to a record."""
    bundle = probe.get(f"Patient/{probe.patient}/$everything?_type=Device,Encounter").json()
    resources = [one["resource"] for one in bundle["entry"]]
    return {
        (one["resourceType"], str(one.get("subject", one.get("patient", {})).get("reference")))
        for one in resources
    }


def _latest(probe: Probe) -> int:
    found = probe.get(f"Observation/$lastn?patient={probe.patient}&code=29463-7").json()
    return len(found["entry"])


def _changed_unfound(status: str) -> Callable[[Probe], bool]:
    def probe(probe: Probe) -> bool:
        resource = probe.created()
        time.sleep(0.002)
        probe.put(resource | {"status": status})
        since = resource["meta"]["lastUpdated"]
        found = probe.search(f"_id={resource['id']}&_lastUpdated=gt{since}")
        return "entry" not in found

    return probe


def _stamped_earlier(probe: Probe) -> bool:
    resource = probe.created()
    changed = probe.put(resource | {"status": "amended"})
    assert changed.status_code == 200
    later = probe.get(f"Observation/{resource['id']}").json()
    return bool(later["meta"]["lastUpdated"] < resource["meta"]["lastUpdated"])


def _page_gone(probe: Probe) -> bool:
    url = next_link(probe.search())
    return [probe.get(url).status_code for _ in range(2)] == [200, 410]


def _page_refused(probe: Probe) -> bool:
    url = next_link(probe.search())
    with probe.endpoint.client() as other:
        return [probe.get(url).status_code, other.get(url).status_code] == [200, 403]


def _page_moves(probe: Probe) -> bool:
    first = probe.search("code=29463-7&_count=2")
    probe.created(effectiveDateTime="2099-01-01T00:00:00Z")
    second = names(probe.get(next_link(first)).json())
    return bool(set(second) & set(names(first)))


SYNCING: dict[str, Callable[[Probe], bool]] = {
    "last-updated-index-of-creates": _changed_unfound("amended"),
    "last-updated-hides-withdrawn": _changed_unfound("entered-in-error"),
    "node-clocks-differ": _stamped_earlier,
    "page-cursor-works-once": _page_gone,
    "page-cursor-bound-to-token": _page_refused,
    "page-offsets-are-live": _page_moves,
}

SYMPTOMS: dict[str, Callable[[Probe], bool]] = {
    **SYNCING,
    **SEARCHING,
    **RECORDING,
    **WRITING,
    "search-drops-matches": _drops,
    "search-ignores-category": lambda p: p.total("category=none") > 0,
    "search-ignores-code": lambda p: p.total("code=none") > 0,
    "search-ignores-code-system": _foreign_code,
    "search-ignores-date": lambda p: p.total("date=lt1900") > 0,
    "search-ignores-last-updated": lambda p: p.total("_lastUpdated=lt1990") > 0,
    "search-date-prefix-inverted-edge": _edge,
    "search-ignores-patient": _others,
    "search-answers-collection": lambda p: p.search()["type"] == "collection",
    "search-omits-full-url": lambda p: "fullUrl" not in p.search()["entry"][0],
    "search-full-url-versioned": lambda p: "/_history/" in p.search()["entry"][0]["fullUrl"],
    "search-omits-self-link": lambda p: "self" not in links(p.search()),
    "search-total-wrong": _total_wrong,
    "search-as-plain-json": lambda p: "text/plain" in p.get("Patient").headers["content-type"],
    "post-search-differs": _post_differs,
    "patient-id-not-searched": lambda p: _patients(p, "_id={}") == 0,
    "patient-reference-not-understood": lambda p: p.total(f"patient=Patient/{p.patient}") == 0,
    "page-two-answers-500": lambda p: p.page_two().status_code == 500,
    "page-two-repeats-page-one": lambda p: names(p.page_two().json()) == names(p.search()),
    "page-two-drops-entry": _second_page_starts_late,
    "next-link-loops": _loops,
    "next-link-foreign-host": lambda p: (
        not next_link(p.search()).startswith(p.endpoint.ehr.fhir_base)
    ),
    "read-wrong-id": _wrong_id,
    "read-as-plain-text": lambda p: (
        "text/plain" in p.get(f"Patient/{p.patient}").headers["content-type"]
    ),
    "patient-read-refused": _own_record_refused,
    "read-missing-answers-200": lambda p: p.get("Observation/none").status_code == 200,
    "not-found-without-outcome": lambda p: (
        "html" in p.get("Observation/none").headers["content-type"]
    ),
    "create-answers-200": lambda p: p.post().status_code == 200,
    "create-without-location": lambda p: "location" not in p.post().headers,
    "create-without-etag": lambda p: "etag" not in p.post().headers,
    "create-not-stored": _not_stored,
    "create-keeps-client-id": lambda p: p.created(id="mine")["id"] == "mine",
    "create-forgets-version": _forgets_version,
    "value-rounded": lambda p: p.created()["valueQuantity"]["value"] != 72.5,
    "unit-changed": lambda p: p.created()["valueQuantity"]["code"] == LOCAL_UNITS["kg"],
    "component-dropped": _component_dropped,
    "effective-shifted-by-zone": lambda p: p.created()["effectiveDateTime"].endswith("Z"),
    "category-dropped": lambda p: "category" not in p.created(),
    "device-dropped": lambda p: "device" not in p.created(),
    "visible-after-delay": _delayed,
    "update-lost": _update_lost,
    "update-answers-201": lambda p: p.put(p.created()).status_code == 201,
    "update-keeps-version": _version_kept,
    "stale-if-match-accepted": _stale,
    "last-updated-frozen": _frozen,
    "invalid-stored-anyway": _stored_anyway,
    "invalid-accepted": lambda p: p.post(status=None).status_code == 201,
    "if-none-exist-ignored": _duplicated,
    "condition-takes-first": _takes_first,
    "patch-ignores-if-match": lambda p: _patch(p, version="9").status_code == 200,
    "patch-not-applied": lambda p: _patch(p).json()["status"] == "final",
    "delete-ignores-if-match": lambda p: _deleted(p, version="9")[0] == 204,
    "delete-lost": lambda p: _deleted(p) == (204, 200),
    "batch-fails-as-a-whole": lambda p: _good_and_bad(p).status_code == 400,
    "batch-answers-out-of-order": lambda p: _statuses(_good_and_bad(p)) == ["400", "201"],
    "batch-statuses-all-200": lambda p: _statuses(_good_and_bad(p)) == ["200", "200"],
    "transaction-half-done": _half_done,
    "transaction-done-entry-by-entry": lambda p: _good_and_bad(p, "transaction").status_code == 200,
    "transaction-in-given-order": _in_given_order,
    "transaction-keeps-urns": _keeps_urns,
    "transaction-refuses-urns": _refuses_urns,
    "vread-answers-newest": lambda p: (
        p.get(f"{_two_versions(p)}/_history/1").json()["status"] == "amended"
    ),
    "deleted-still-readable": lambda p: _deleted(p) == (204, 200),
    "not-modified-unknown": lambda p: _not_modified(p) == 200,
    "history-forgets-versions": lambda p: (
        p.get(f"{_two_versions(p)}/_history").json()["total"] == 1
    ),
    "history-ignores-since": lambda p: (
        p.get(f"{_two_versions(p)}/_history?_since=2050-01-01").json()["total"] > 0
    ),
    "everything-omits-devices": lambda p: "Device" not in {kind for kind, _ in _everything(p)},
    "everything-leaks-other-patient": lambda p: (
        len({patient for kind, patient in _everything(p) if kind == "Encounter"}) > 1
    ),
    "lastn-answers-all": lambda p: _latest(p) > 1,
    "metadata-as-r5": lambda p: p.metadata()["fhirVersion"] == "5.0.0",
    "metadata-needs-token": _needs_token,
    "metadata-as-html": lambda p: "html" in p.get("metadata").headers["content-type"],
    "metadata-omits-security": lambda p: "security" not in p.metadata()["rest"][0],
    "metadata-omits-observation": lambda p: not _serves(p, "Observation"),
    "metadata-omits-patient": lambda p: not _serves(p, "Patient"),
    "metadata-claims-patch": _claims_patch,
    "history-ignores-compartment": _foreign_history,
    "include-leaks-other-patient": _foreign_include,
    "revinclude-leaks-other-patient": _foreign_provenance,
    "capability-format-xml-only": lambda p: "json" not in p.metadata()["format"],
}


def test_every_fault_of_the_fhir_part_is_tried_here() -> None:
    declared = {fault.name for fault in catalogue().values() if fault.part in FHIR}
    assert declared == set(SYMPTOMS)


@pytest.mark.parametrize("fault", SYMPTOMS)
def test_the_fault_shows_and_the_healthy_server_lacks_it(server: FhirServer, fault: str) -> None:
    shows = SYMPTOMS[fault]
    assert shows(Probe(server.endpoint(fault)))
    assert not shows(Probe(server.endpoint()))
