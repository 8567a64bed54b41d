"""Variants differ as they say, and what they say together stays true."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest

from harness.tests.integration.reference.conftest import NewApp, NewInstance
from harness.tests.reference_process import App

SCOPE = "launch/patient offline_access patient/Patient.rs patient/Observation.cruds"
WEIGHT = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
    "effectiveDateTime": "2026-03-01T08:00:00-05:00",
    "valueQuantity": {
        "value": 81.4,
        "unit": "kg",
        "system": "http://unitsofmeasure.org",
        "code": "kg",
    },
}


class Varied:
    """A launched application, and short ways to ask."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.response = app.launch("patient", SCOPE)
        self.patient = self.response["patient"]

    def get(self, path: str) -> httpx.Response:
        token = self.response["access_token"]
        url = urljoin(f"{self.app.fhir_base}/", path)
        return self.app.machine.get(url, headers={"Authorization": f"Bearer {token}"})

    def pages(self, query: str) -> Iterator[dict[str, Any]]:
        url = f"{self.app.fhir_base}/Observation?patient={self.patient}&{query}"
        while url:
            bundle = self.get(url).json()
            yield bundle
            links = {each["relation"]: each["url"] for each in bundle["link"]}
            url = urljoin(url, links["next"]) if "next" in links else ""

    def ids(self, query: str) -> list[str]:
        found = [each for page in self.pages(query) for each in page.get("entry", [])]
        return [each["resource"]["id"] for each in found if each["search"]["mode"] == "match"]

    def create(self) -> httpx.Response:
        body = {**WEIGHT, "subject": {"reference": f"Patient/{self.patient}"}}
        return self.send("POST", "Observation", body)

    def send(
        self, method: str, path: str, body: dict[str, Any] | None = None, **headers: str
    ) -> httpx.Response:
        return self.app.machine.request(
            method,
            f"{self.app.fhir_base}/{path}",
            content=json.dumps(body) if body else None,
            headers={
                "Authorization": f"Bearer {self.response['access_token']}",
                "Content-Type": "application/fhir+json",
                **headers,
            },
        )


@pytest.fixture
def plain(app: App) -> Varied:
    return Varied(app)


@pytest.fixture
def varied(new_app: NewApp, new_instance: NewInstance) -> Any:
    def make(*variants: str) -> Varied:
        made = new_instance(variants=list(variants))
        return Varied(new_app("harness-public", made["fhir_base"]))

    return make


@pytest.mark.parametrize(
    "variants",
    [
        ["pages-of-ten", "next-link-of-the-base"],
        ["empty-pages-in-between", "next-link-relative"],
        ["empty-pages-in-between", "next-link-of-the-base", "pages-of-ten"],
        ["outcome-in-each-result", "links-besides-next", "bundle-without-total"],
        ["outcome-in-each-result", "self-link-in-other-words"],
    ],
)
def test_pages_of_any_form_lead_to_the_same_matches(
    plain: Varied, varied: Any, variants: list[str]
) -> None:
    query = "code=85354-9&date=ge2026-08-01&_count=40"
    assert sorted(varied(*variants).ids(query)) == sorted(plain.ids(query))


def test_an_empty_page_stands_before_each_further_one(varied: Any) -> None:
    sizes = [
        len(page.get("entry", [])) for page in varied("empty-pages-in-between").pages("_count=200")
    ]
    assert sizes[1::2] == [0] * len(sizes[1::2])
    assert len(sizes) > 2


def test_versions_as_uuids_can_be_read_and_matched(varied: Any) -> None:
    ehr = varied("versions-as-uuids")
    created = ehr.create()
    version = created.json()["meta"]["versionId"]
    assert len(version) == 36
    assert created.headers["etag"] == f'W/"{version}"'
    assert created.headers["location"].endswith(f"/_history/{version}")
    assert ehr.get(created.headers["location"]).json()["meta"]["versionId"] == version
    changed = {**created.json(), "status": "amended"}
    path = f"Observation/{changed['id']}"
    assert ehr.send("PUT", path, changed, **{"If-Match": f'W/"{version}"'}).status_code == 200
    assert ehr.send("PUT", path, changed, **{"If-Match": f'W/"{version}"'}).status_code == 412


def test_a_server_without_versions_names_none(varied: Any) -> None:
    created = varied("versions-not-kept").create()
    assert "etag" not in created.headers
    assert "versionId" not in created.json()["meta"]
    assert "_history" not in created.headers["location"]


def test_a_new_id_has_64_characters(varied: Any) -> None:
    ehr = varied("ids-of-64-characters")
    created = ehr.create().json()
    assert len(created["id"]) == 64
    assert ehr.get(f"Observation/{created['id']}").status_code == 200


def test_what_is_not_offered_is_not_declared(varied: Any) -> None:
    ehr = varied("writes-not-offered")
    assert ehr.create().status_code == 405
    rest = ehr.get("metadata").json()["rest"][0]
    declared = {one["code"] for each in rest["resource"] for one in each["interaction"]}
    assert declared & {"create", "update", "patch", "delete"} == set()
    assert "Observation.rs" in ehr.response["scope"]
    assert "cruds" not in ehr.response["scope"]


@pytest.mark.parametrize(
    ("variant", "scope"),
    [
        ("scopes-in-version-1", "patient/Observation.read patient/Observation.write"),
        ("scopes-one-permission-each", "patient/Observation.c patient/Observation.r"),
        ("scopes-granted-for-all-types", "patient/*.rs patient/*.cruds"),
    ],
)
def test_scopes_are_answered_in_other_words(varied: Any, variant: str, scope: str) -> None:
    assert scope in varied(variant).response["scope"]


def test_a_refresh_token_that_is_not_rotated_stays_good(varied: Any) -> None:
    ehr = varied("refresh-token-not-rotated")
    for _ in range(2):
        refreshed = ehr.app.refresh(ehr.response["refresh_token"])
        assert refreshed.status_code == 200
        assert "refresh_token" not in refreshed.json()


def test_a_refresh_token_that_is_said_again_is_the_same(varied: Any) -> None:
    ehr = varied("refresh-token-said-again")
    refreshed = ehr.app.refresh(ehr.response["refresh_token"]).json()
    assert refreshed["refresh_token"] == ehr.response["refresh_token"]


def test_a_page_without_rights_and_one_without_matches_look_alike(varied: Any) -> None:
    ehr = varied("search-beyond-access-finds-nothing", "read-beyond-access-is-forbidden")
    searched = ehr.get("Observation?patient=another&category=vital-signs")
    assert (searched.status_code, searched.json()["total"]) == (200, 0)
    assert ehr.get("Patient/another").status_code == 403


def test_json_spelled_otherwise_says_the_same(plain: Varied, varied: Any) -> None:
    ehr = varied("json-spelled-otherwise")
    path = f"Patient/{plain.patient}"
    assert ehr.get(path).json() == plain.get(path).json()
    assert ehr.get(path).text != plain.get(path).text
