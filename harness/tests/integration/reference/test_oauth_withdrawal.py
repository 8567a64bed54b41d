"""People withdraw what they gave, codes burn, passwords lock, and grants last for months."""

from __future__ import annotations

from typing import Any

import pytest

from harness.tests.integration.reference.conftest import NewApp, NewInstance
from harness.tests.reference_process import App, Page, Running

SCOPE = "openid launch/patient offline_access patient/*.rs"
DAY = 86400


@pytest.fixture
def alone(reference: Running, new_app: NewApp, new_instance: NewInstance) -> App:
    """An app against an instance of its own, whose clock it may move."""
    instance = new_instance()
    app = new_app(fhir_base=instance["fhir_base"])

    def advance(seconds: float) -> Any:
        path = f"/instances/{instance['name']}/clock"
        return reference.control("POST", path, {"advance_seconds": seconds})

    app.control = advance
    return app


def works(app: App, answer: dict[str, Any]) -> bool:
    return app.get(f"Patient/{answer['patient']}", answer["access_token"]).status_code == 200


def revocations(page: Page, by: str) -> list[dict[str, Any]]:
    return [each for each in page.forms if by in each["hidden"]]


def press(app: App, form: dict[str, Any]) -> Page:
    response = app.browser.post(form["action"], data=form["hidden"], follow_redirects=True)
    assert response.status_code == 200
    return Page(response)


def test_a_person_revokes_one_approval_and_only_that_one_ends(alone: App) -> None:
    first = alone.launch("patient", SCOPE)
    alone.control(60)
    second = alone.launch("patient", SCOPE)
    page = Page(alone.visit("manage", "patient"))
    assert "Harness (public)" in page.response.text
    assert "patient/*.rs" in page.response.text
    latest, _ = revocations(page, "grant")
    left = press(alone, latest)
    assert len(revocations(left, "grant")) == 1
    assert not works(alone, second)
    assert alone.refresh(second["refresh_token"]).json()["error"] == "invalid_grant"
    assert alone.introspect(second["access_token"]).json() == {"active": False}
    assert works(alone, first)
    assert alone.refresh(first["refresh_token"]).status_code == 200


def test_a_person_revokes_all_that_an_app_has(alone: App) -> None:
    answers = [alone.launch("patient", SCOPE) for _ in range(2)]
    (app_form,) = revocations(Page(alone.visit("manage", "patient")), "client_id")
    left = press(alone, app_form)
    assert "No app has access" in left.response.text
    assert [works(alone, each) for each in answers] == [False, False]


def test_a_person_sees_and_revokes_nothing_of_another(alone: App, new_app: NewApp) -> None:
    answer = alone.launch("patient", SCOPE)
    (form,) = revocations(Page(alone.visit("manage", "patient")), "grant")
    other = new_app(fhir_base=alone.fhir_base)
    page = Page(other.visit("manage", "other"))
    assert revocations(page, "grant") == []
    csrf = page.form("logout")["hidden"]["csrf"]
    fields = {**form["hidden"], "csrf": csrf}
    other.browser.post(form["action"], data=fields)
    assert works(alone, answer)


def test_a_forged_revocation_does_nothing(alone: App) -> None:
    answer = alone.launch("patient", SCOPE)
    (form,) = revocations(Page(alone.visit("manage", "patient")), "grant")
    forged = {**form["hidden"], "csrf": "forged"}
    assert alone.browser.post(form["action"], data=forged).status_code == 400
    assert works(alone, answer)


def test_the_management_endpoint_is_published(app: App) -> None:
    published = app.get(".well-known/smart-configuration").json()["management_endpoint"]
    assert published == f"{app.issuer}/manage"
    assert Page(app.browser.get(published)).form("login")


def test_a_daily_refresh_keeps_access_for_more_than_three_months(alone: App) -> None:
    answer = alone.launch("patient", SCOPE)
    first = answer["access_token"]
    for _ in range(95):
        alone.control(DAY)
        response = alone.refresh(answer["refresh_token"])
        assert response.status_code == 200, response.text
        answer = response.json()
    assert works(alone, answer)
    assert not works(alone, {**answer, "access_token": first})


@pytest.mark.parametrize(
    "wrong",
    [
        {"code_verifier": "x" * 43},
        {"code_verifier": None},
        {"redirect_uri": "http://localhost:8765/callback"},
    ],
    ids=str,
)
def test_a_code_is_spent_by_its_first_use_right_or_wrong(
    app: App, wrong: dict[str, str | None]
) -> None:
    code = app.authorize("patient", SCOPE)["code"]
    assert app.exchange(code, **wrong).status_code == 400
    assert app.exchange(code).json()["error"] == "invalid_grant"


def test_another_client_cannot_spend_a_code(app: App, new_app: NewApp) -> None:
    code = app.authorize("patient", SCOPE)["code"]
    other = new_app("harness-symmetric")
    other.verifier = app.verifier
    assert other.exchange(code).json()["error"] == "invalid_grant"
    assert app.exchange(code).status_code == 200


def test_wrong_passwords_lock_the_session_for_a_minute(alone: App) -> None:
    page = Page(alone.visit("manage"))
    right = alone.credentials["REFERENCE_PATIENT_PASSWORD"]

    def answer(password: str) -> str:
        return alone.submit(page, "login", username="patient", password=password).text

    assert all("not right" in answer("wrong") for _ in range(4))
    assert "Too many wrong passwords" in answer("wrong")
    assert "Too many wrong passwords" in answer(right)
    alone.control(61)
    assert "Apps with access" in answer(right)


def test_a_locked_session_locks_nobody_else(alone: App, new_app: NewApp) -> None:
    page = Page(alone.open(SCOPE))
    for _ in range(5):
        response = alone.submit(page, "login", username="patient", password="wrong")
    assert response.status_code == 429
    assert response.headers["retry-after"] == "60"
    assert works(alone, new_app(fhir_base=alone.fhir_base).launch("patient", SCOPE))


def test_a_refresh_may_narrow_to_anything_that_the_grant_covers(app: App) -> None:
    answer = app.launch("patient", SCOPE)
    narrow = "patient/Observation.rs?category=laboratory patient/Patient.r"
    narrowed = app.refresh(answer["refresh_token"], scope=narrow).json()
    assert narrowed["scope"] == narrow
    token = narrowed["access_token"]
    assert app.get(f"Patient/{narrowed['patient']}", token).status_code == 200
    assert app.get(f"Condition?patient={narrowed['patient']}", token).status_code == 403
    for wider in ("patient/Observation.cruds", "user/Observation.rs", "launch/encounter", "a  b"):
        refused = app.refresh(narrowed["refresh_token"], scope=wider)
        assert refused.json()["error"] == "invalid_scope"
    assert app.refresh(narrowed["refresh_token"]).json()["scope"] == SCOPE


def test_one_tenant_knows_nothing_of_what_another_gave(
    alone: App, new_app: NewApp, new_instance: NewInstance
) -> None:
    answer = alone.launch("patient", SCOPE)
    other = new_app(fhir_base=new_instance()["fhir_base"])
    for token in (answer["access_token"], answer["refresh_token"]):
        assert other.introspect(token).json() == {"active": False}
        fields = {"token": token, "client_id": "harness-public"}
        revoked = other.machine.post(f"{other.issuer}/oauth/revoke", data=fields)
        assert revoked.status_code == 200
    assert other.get(f"Patient/{answer['patient']}", answer["access_token"]).status_code == 401
    other.visit("manage", "patient")
    assert revocations(Page(other.visit("manage")), "grant") == []
    assert works(alone, answer)
    assert alone.introspect(answer["refresh_token"]).json()["active"] is True
