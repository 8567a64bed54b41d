from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fhir.resources.R4B.bundle import Bundle

from harness.tests.integration.reference.fhir_server import Endpoint
from harness.tests.unit.reference.fhir_doubles import VITALS, weight

Json = dict[str, Any]


def searched(client: httpx.Client, path: str, **headers: str) -> Json:
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def ids(bundle: Json, mode: str = "match") -> list[str]:
    entries = bundle.get("entry", [])
    return [one["resource"]["id"] for one in entries if one["search"]["mode"] == mode]


def link(bundle: Json, relation: str) -> str | None:
    return next((one["url"] for one in bundle["link"] if one["relation"] == relation), None)


def walk(client: httpx.Client, path: str) -> list[Json]:
    pages = [searched(client, path)]
    while following := link(pages[-1], "next"):
        pages.append(searched(client, following))
    return pages


def test_a_search_answers_a_searchset_with_absolute_full_urls(
    client: httpx.Client, endpoint: Endpoint, patient: str
) -> None:
    answer = client.get(f"Observation?patient={patient}&category=vital-signs")
    bundle = answer.json()
    assert answer.headers["content-type"] == "application/fhir+json; charset=utf-8"
    assert bundle["type"] == "searchset"
    assert bundle["total"] > 100
    assert len(ids(bundle)) == 50
    for entry in bundle["entry"]:
        assert entry["fullUrl"] == f"{endpoint.ehr.fhir_base}/Observation/{entry['resource']['id']}"


def test_bundles_are_valid_r4(client: httpx.Client, patient: str) -> None:
    query = f"patient={patient}&_count=5&_revinclude=Provenance:target&flavour=sweet"
    Bundle.model_validate(searched(client, f"Observation?{query}"))
    Bundle.model_validate(searched(client, f"Patient/{patient}/_history"))


def test_pages_together_hold_every_match_once_newest_first(
    client: httpx.Client, patient: str
) -> None:
    pages = walk(client, f"Observation?patient={patient}&code=http://loinc.org|85354-9")
    found = [name for page in pages for name in ids(page)]
    assert len(found) == len(set(found)) == pages[0]["total"] == pages[-1]["total"]
    dates = [
        entry["resource"]["effectiveDateTime"][:10] for page in pages for entry in page["entry"]
    ]
    assert len(pages) > 3
    assert dates == sorted(dates, reverse=True)


def test_a_write_between_two_pages_changes_no_page(
    client: httpx.Client, endpoint: Endpoint, patient: str
) -> None:
    path = f"Observation?patient={patient}&code=29463-7"
    undisturbed = [name for page in walk(client, path) for name in ids(page)]
    first = searched(client, path)
    endpoint.ehr.store.put_as_other(weight(patient), endpoint.ehr.clock.now())
    client.delete(f"Observation/{undisturbed[60]}").raise_for_status()
    following = link(first, "next")
    assert following
    rest = [name for page in walk(client, following) for name in ids(page)]
    assert ids(first) + rest == undisturbed


def test_an_expired_page_answers_410(
    client: httpx.Client, endpoint: Endpoint, patient: str
) -> None:
    following = link(searched(client, f"Observation?patient={patient}"), "next")
    assert following
    endpoint.ehr.clock.advance(timedelta(minutes=11).total_seconds())
    answer = client.get(following)
    assert answer.status_code == 410
    assert answer.json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize("cursor", ["", "x", "AAAAAAAAAAAAAAAAAAAAAA.50", "../../etc", "%00"])
def test_a_made_up_cursor_answers_410(client: httpx.Client, cursor: str) -> None:
    assert client.get(f"Observation?_page={cursor}").status_code == 410


def test_a_page_is_not_given_to_another_token(endpoint: Endpoint, patient: str) -> None:
    other = endpoint.ehr.store.patient_ids()[1]
    mine = endpoint.client("patient/Observation.rs", patient=patient)
    theirs = endpoint.client("patient/Observation.rs", patient=other)
    following = link(searched(mine, "Observation"), "next")
    assert following
    assert theirs.get(following).status_code == 403
    assert mine.get(following).status_code == 200


def test_post_search_finds_what_get_finds(client: httpx.Client, patient: str) -> None:
    fields = {"patient": patient, "category": VITALS, "date": "ge2026-11-01"}
    by_get = client.get("Observation", params=fields).json()
    by_post = client.post("Observation/_search", data=fields).json()
    assert ids(by_get) == ids(by_post)
    assert link(by_get, "self") == link(by_post, "self")


def test_post_search_takes_forms_only(client: httpx.Client) -> None:
    assert client.post("Observation/_search", json={"patient": "1"}).status_code == 415


def test_unknown_parameters_are_left_out_of_the_self_link_and_reported(
    client: httpx.Client, patient: str
) -> None:
    bundle = searched(client, f"Observation?patient={patient}&flavour=sweet&_count=3")
    self_link = link(bundle, "self")
    assert self_link
    assert "flavour" not in self_link
    assert "_count=3" in self_link
    (outcome,) = [one for one in bundle["entry"] if one["search"]["mode"] == "outcome"]
    assert "flavour" in outcome["resource"]["issue"][0]["diagnostics"]


def test_unknown_parameters_are_refused_under_strict_handling(client: httpx.Client) -> None:
    answer = client.get("Observation?flavour=sweet", headers={"Prefer": "handling=strict"})
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["code"] == "not-supported"


@pytest.mark.parametrize(
    "query",
    ["date=yesterday", "_count=many", "patient:Account=1", "date=ge2026-11-01T00:00:00+05:00",
     "code:missing=perhaps", "date=ge2026-02-30"],
)  # fmt: skip
def test_a_value_that_cannot_be_read_is_refused(client: httpx.Client, query: str) -> None:
    answer = client.get(f"{client.base_url}Observation?{query}")
    assert answer.status_code == 400
    assert answer.json()["resourceType"] == "OperationOutcome"


def test_revinclude_brings_provenance_of_the_page(client: httpx.Client, patient: str) -> None:
    bundle = searched(client, f"Observation?patient={patient}&_revinclude=Provenance:target")
    matches = {f"Observation/{name}" for name in ids(bundle)}
    brought = [one["resource"] for one in bundle["entry"] if one["search"]["mode"] == "include"]
    assert len(brought) > 3
    assert {one["target"][0]["reference"] for one in brought} <= matches


def test_include_brings_the_patient_once(client: httpx.Client, patient: str) -> None:
    bundle = searched(client, f"Observation?patient={patient}&_include=Observation:subject")
    assert ids(bundle, "include") == [patient]


def test_what_the_token_may_not_see_is_not_included(endpoint: Endpoint, patient: str) -> None:
    client = endpoint.client("patient/Observation.rs", patient=patient)
    bundle = searched(client, "Observation?_revinclude=Provenance:target&_count=20")
    assert ids(bundle, "include") == []
    (outcome,) = [one for one in bundle["entry"] if one["search"]["mode"] == "outcome"]
    assert outcome["resource"]["issue"][0]["code"] == "forbidden"


def test_summary_count_tells_the_total_alone(client: httpx.Client, patient: str) -> None:
    bundle = searched(client, f"Observation?patient={patient}&_summary=count")
    assert "entry" not in bundle
    assert bundle["total"] == searched(client, f"Observation?patient={patient}")["total"]


def test_total_none_leaves_the_total_out(client: httpx.Client, patient: str) -> None:
    assert "total" not in searched(client, f"Observation?patient={patient}&_total=none")


def test_pages_hold_at_most_200(client: httpx.Client, patient: str) -> None:
    bundle = searched(client, f"Observation?patient={patient}&_count=5000")
    assert len(ids(bundle)) == 200
    assert "_count=200" in (link(bundle, "self") or "")


def test_last_updated_finds_what_came_since(
    client: httpx.Client, endpoint: Endpoint, patient: str
) -> None:
    since = endpoint.ehr.clock.now().isoformat().replace("+00:00", "Z")
    written = endpoint.ehr.store.put_as_other(weight(patient), endpoint.ehr.clock.now())
    found = searched(client, f"Observation?patient={patient}&_lastUpdated=ge{since}")
    assert ids(found) == [written.id]


def test_a_patient_token_sees_its_patient_alone(endpoint: Endpoint, patient: str) -> None:
    client = endpoint.client("patient/*.rs", patient=patient)
    other = endpoint.ehr.store.patient_ids()[1]
    bundle = searched(client, "Observation?_count=200")
    assert {one["resource"]["subject"]["reference"] for one in bundle["entry"]} == {
        f"Patient/{patient}"
    }
    assert ids(searched(client, "Patient")) == [patient]
    refused = client.get(f"Observation?patient={other}")
    assert refused.status_code == 403
    assert "insufficient_scope" in refused.headers["www-authenticate"]
    assert client.get(f"Patient/{other}").status_code == 404
    assert client.get("Practitioner").json()["total"] == 3


def test_a_granular_scope_sees_its_category_alone(endpoint: Endpoint, patient: str) -> None:
    client = endpoint.client(f"patient/Observation.rs?category={VITALS}", patient=patient)
    everything = searched(endpoint.client(), f"Observation?patient={patient}&category=vital-signs")
    assert searched(client, "Observation")["total"] == everything["total"]
    lab = searched(endpoint.client(), f"Observation?patient={patient}&category=laboratory")
    assert client.get(f"Observation/{ids(lab)[0]}").status_code == 403


def test_without_the_scope_a_search_is_forbidden(endpoint: Endpoint, patient: str) -> None:
    answer = endpoint.client("patient/Patient.r", patient=patient).get("Observation")
    assert answer.status_code == 403
    assert answer.json()["issue"][0]["code"] == "forbidden"


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"Accept": "application/fhir+xml"}, ""),
        ({"Accept": "text/html"}, ""),
        ({"Accept": "application/fhir+json; fhirVersion=5.0"}, ""),
        ({"Accept": "*/*"}, "&_format=xml"),
    ],
)
def test_other_formats_answer_406(
    client: httpx.Client, headers: dict[str, str], query: str
) -> None:
    answer = client.get(f"Patient?_count=1{query}", headers=headers)
    assert answer.status_code == 406
    assert answer.json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(
    "accept", ["application/fhir+json", "application/json;q=0.9", "text/html, */*;q=0.1"]
)
def test_json_is_served_to_who_takes_it(client: httpx.Client, accept: str) -> None:
    assert client.get("Patient?_count=1", headers={"Accept": accept}).status_code == 200


def test_format_outranks_accept(client: httpx.Client) -> None:
    answer = client.get("Patient?_format=json", headers={"Accept": "application/fhir+xml"})
    assert answer.status_code == 200


def test_responses_are_compressed_for_who_takes_gzip(client: httpx.Client) -> None:
    compressed = client.get("Patient", headers={"Accept-Encoding": "gzip"})
    plain = client.get("Patient", headers={"Accept-Encoding": "identity"})
    assert compressed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert ids(compressed.json()) == ids(plain.json())


def test_head_answers_the_headers_of_get(client: httpx.Client, patient: str) -> None:
    head, get = client.head(f"Patient/{patient}"), client.get(f"Patient/{patient}")
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["etag"] == get.headers["etag"] == 'W/"1"'


def test_paths_and_methods_that_are_not_served_answer_outcomes(client: httpx.Client) -> None:
    missing, method = client.get("Slot"), client.patch("Patient/1", json={})
    assert (missing.status_code, method.status_code) == (404, 405)
    assert method.headers["allow"] == "GET, HEAD, OPTIONS"
    assert missing.json()["resourceType"] == method.json()["resourceType"] == "OperationOutcome"


def test_a_form_beyond_the_bound_is_refused(client: httpx.Client) -> None:
    answer = client.post("Observation/_search", data={"code": "x" * 100_000})
    assert answer.status_code == 413


def test_the_signed_in_user_is_read_without_a_scope(endpoint: Endpoint, patient: str) -> None:
    client = endpoint.client("openid", "patient/Observation.rs", patient=patient)
    token = client.headers["authorization"].removeprefix("Bearer ")
    assert client.get(f"Patient/{patient}").status_code == 403
    user = f"Patient/{patient}"
    endpoint.tokens[token] = replace(endpoint.tokens[token], fhir_user=user)
    assert client.get(user).status_code == 200
    assert client.get("Practitioner/practitioner-1").status_code == 403


def test_what_is_not_utf_8_is_refused(client: httpx.Client) -> None:
    assert client.get(f"{client.base_url}Observation?code=%ff").status_code == 400


def test_an_empty_form_searches_everything(client: httpx.Client) -> None:
    posted = client.post("Patient/_search").json()
    assert posted["total"] == client.get("Patient").json()["total"]


def test_a_patient_of_another_server_is_nobody_here(client: httpx.Client) -> None:
    found = searched(client, "Observation?patient=https://elsewhere.example/Patient/1")
    assert found["total"] == 0


def test_patients_sort_by_name(client: httpx.Client) -> None:
    bundle = searched(client, "Patient?_sort=family")
    families = [one["resource"]["name"][0]["family"] for one in bundle["entry"]]
    assert families == sorted(families)
    assert families[::-1] == [
        one["resource"]["name"][0]["family"]
        for one in searched(client, "Patient?_sort=-family")["entry"]
    ]
    by_id = searched(client, "Patient?_sort=-_id")
    assert ids(by_id) == sorted(ids(by_id), reverse=True)


def test_a_granular_scope_that_cannot_be_enforced_grants_nothing(
    endpoint: Endpoint, patient: str
) -> None:
    client = endpoint.client("patient/Observation.rs?flavour=sweet", patient=patient)
    answer = client.get("Observation")
    assert answer.status_code == 403
    assert "flavour" in answer.json()["issue"][0]["diagnostics"]


def test_versions_that_never_were_are_not_found(client: httpx.Client, patient: str) -> None:
    assert client.get(f"Patient/{patient}/_history/9").status_code == 404
    assert client.get("Patient/nobody/_history").status_code == 404


@pytest.mark.parametrize("since", ["yesterday", "Sat, 21 Nov 2026 07:00:00 -0000"])
def test_a_date_that_cannot_be_read_is_no_condition(
    client: httpx.Client, patient: str, since: str
) -> None:
    answer = client.get(f"Patient/{patient}", headers={"If-Modified-Since": since})
    assert answer.status_code == 200
