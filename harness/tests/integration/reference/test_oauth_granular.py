"""Granular scopes: chosen on the consent page, and held to by search, read and write."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from harness.tests.integration.reference.conftest import NewApp, NewInstance
from harness.tests.reference_process import App, Running, redirected

CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
VITALS = f"patient/Observation.rs?category={CATEGORY}|vital-signs"
SURVEY = f"patient/Observation.rs?category={CATEGORY}|survey"
WHOLE = "launch/patient patient/Patient.rs patient/Observation.rs patient/Condition.rs"


def chosen(app: App, scope: str, *ticked: str) -> dict[str, Any]:
    """The token response to a consent with these boxes ticked."""
    page = app.sign_in("patient", scope)
    done = app.submit(page, "consent", scope=list(ticked), decision="approve")
    answer: dict[str, Any] = app.exchange(redirected(done)["code"]).json()
    return answer


def test_the_consent_page_offers_categories_of_condition_and_observation(app: App) -> None:
    form = app.sign_in("patient", WHOLE).form("consent")
    assert form["checked"] == WHOLE.split()
    offered = [each.rpartition("|")[2] for each in form["choices"] if "?" in each]
    assert offered == [
        *("laboratory", "social-history", "survey", "vital-signs", "sdoh"),
        *("encounter-diagnosis", "problem-list-item", "health-concern"),
    ]


def test_categories_are_granted_in_the_place_of_the_whole_type(app: App) -> None:
    answer = chosen(app, WHOLE, "launch/patient", "patient/Patient.rs", SURVEY, VITALS)
    assert answer["scope"].split() == ["launch/patient", "patient/Patient.rs", SURVEY, VITALS]


def test_the_whole_type_needs_no_categories_beside_it(app: App) -> None:
    answer = chosen(app, WHOLE, "launch/patient", "patient/Observation.rs", VITALS)
    assert answer["scope"] == "launch/patient patient/Observation.rs"


def test_a_category_of_what_was_not_asked_for_is_not_granted(app: App) -> None:
    answer = chosen(app, "launch/patient patient/Patient.rs", "patient/Patient.rs", VITALS)
    assert answer["scope"] == "patient/Patient.rs"


def test_smart_1_has_no_granular_scopes(new_app: NewApp, new_instance: NewInstance) -> None:
    app = new_app(fhir_base=new_instance(smart="1.0.0")["fhir_base"])
    page = app.sign_in("patient", "launch/patient patient/Observation.read")
    assert not [each for each in page.form("consent")["choices"] if "?" in each]


def observation(patient: str, code: str) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"system": CATEGORY, "code": code}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": "2026-01-01T00:00:00Z",
    }


def post(app: App, token: str, resource: dict[str, Any]) -> httpx.Response:
    headers = {"authorization": f"Bearer {token}", "content-type": "application/fhir+json"}
    return app.machine.post(f"{app.fhir_base}/Observation", json=resource, headers=headers)


@pytest.fixture
def ids(app: App) -> Iterator[dict[str, str]]:
    """Ids of Observations by category, written by an app that may."""
    writer = app.launch("patient", "launch/patient patient/Observation.cruds")
    made = {}
    for code in ("survey", "vital-signs"):
        answer = post(app, writer["access_token"], observation(writer["patient"], code))
        assert answer.status_code == 201, answer.text
        made[code] = answer.json()["id"]
    yield made
    for each in made.values():
        headers = {"authorization": f"Bearer {writer['access_token']}"}
        app.machine.delete(f"{app.fhir_base}/Observation/{each}", headers=headers)


def found(app: App, token: dict[str, Any], query: str) -> set[str]:
    path = f"Observation?patient={token['patient']}&date=2026-01-01&{query}"
    response = app.get(path, token["access_token"])
    assert response.status_code == 200
    return {each["resource"]["id"] for each in response.json().get("entry", [])}


def test_search_finds_the_granted_categories_only(app: App, ids: dict[str, str]) -> None:
    vitals = app.launch("patient", f"launch/patient {VITALS}")
    assert ids["vital-signs"] in found(app, vitals, "code=29463-7")
    assert ids["survey"] not in found(app, vitals, "code=29463-7")
    assert ids["survey"] not in found(app, vitals, "category=survey")
    both = app.launch("patient", f"launch/patient {VITALS} {SURVEY}")
    assert set(ids.values()) <= found(app, both, "code=29463-7")


def test_read_vread_and_history_open_the_granted_categories_only(
    app: App, ids: dict[str, str]
) -> None:
    token = app.launch("patient", f"launch/patient {VITALS}")["access_token"]
    for suffix in ("", "/_history", "/_history/1"):
        assert app.get(f"Observation/{ids['vital-signs']}{suffix}", token).status_code == 200
        assert app.get(f"Observation/{ids['survey']}{suffix}", token).status_code == 403


def test_a_version_of_another_category_stays_hidden(app: App, reference: Running) -> None:
    answer = app.launch("patient", f"launch/patient {VITALS}")
    made = observation(answer["patient"], "survey")
    first = reference.control("POST", "/instances/default/resources", made)
    changed = {**observation(answer["patient"], "vital-signs"), "id": first["id"]}
    reference.control("POST", "/instances/default/resources", changed)
    path, token = f"Observation/{first['id']}", answer["access_token"]
    assert app.get(path, token).status_code == 200
    assert app.get(f"{path}/_history", token).json()["total"] == 1
    statuses = [app.get(f"{path}/_history/{each}", token).status_code for each in (1, 2)]
    assert statuses == [404, 200]


def test_create_takes_the_granted_categories_only(app: App) -> None:
    scope = VITALS.replace(".rs", ".cruds")
    answer = app.launch("patient", f"launch/patient {scope}")
    token, patient = answer["access_token"], answer["patient"]
    made = post(app, token, observation(patient, "vital-signs"))
    assert made.status_code == 201
    assert post(app, token, observation(patient, "survey")).status_code == 403
    headers = {"authorization": f"Bearer {token}"}
    url = f"{app.fhir_base}/Observation/{made.json()['id']}"
    assert app.machine.delete(url, headers=headers).status_code == 204


def test_a_category_of_condition_bounds_reading(app: App) -> None:
    system = "http://terminology.hl7.org/CodeSystem/condition-category"
    for code in ("problem-list-item", "encounter-diagnosis"):
        scope = f"patient/Condition.rs?category={system}|{code}"
        answer = app.launch("patient", f"launch/patient {scope}")
        path = f"Condition?patient={answer['patient']}"
        bundle = app.get(path, answer["access_token"]).json()
        found = [one["resource"]["category"] for one in bundle["entry"]]
        assert {one[0]["coding"][0]["code"] for one in found} == {code}
