"""A standalone launch from authorization request to data, by an app of another make."""

from __future__ import annotations

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from harness.tests.integration.reference.conftest import NewApp
from harness.tests.reference_process import App, Page, Running, redirected

SCOPES = "openid fhirUser launch/patient offline_access patient/*.rs"


def patients(reference: Running, username: str) -> list[str]:
    return next(
        each["patients"] for each in reference.ready["users"] if each["username"] == username
    )


def test_a_launch_gives_what_was_approved_and_the_token_reads_the_patient(
    app: App, reference: Running
) -> None:
    answer = app.launch("patient", SCOPES)
    (patient,) = patients(reference, "patient")
    assert answer["token_type"] == "Bearer"
    assert answer["expires_in"] == 3600
    assert answer["scope"] == SCOPES
    assert answer["patient"] == patient
    assert answer["refresh_token"]
    response = app.get(f"Patient/{patient}", answer["access_token"])
    assert response.status_code == 200
    assert response.json()["id"] == patient


def test_the_id_token_verifies_against_the_published_keys(app: App, reference: Running) -> None:
    answer = app.launch("patient", SCOPES)
    configuration = app.machine.get(f"{app.issuer}/.well-known/openid-configuration").json()
    keys = KeySet.import_key_set(app.machine.get(configuration["jwks_uri"]).json())
    token = jwt.decode(answer["id_token"], keys, algorithms=["RS256"])
    claims = token.claims
    assert claims["iss"] == configuration["issuer"]
    assert claims["aud"] == "harness-public"
    assert claims["nonce"] == app.nonce
    assert claims["exp"] > claims["iat"]
    assert claims["fhirUser"] == f"{app.fhir_base}/Patient/{patients(reference, 'patient')[0]}"
    assert all("d" not in key for key in app.machine.get(configuration["jwks_uri"]).json()["keys"])


def test_state_comes_back_exactly(app: App) -> None:
    app.state = "a b&c=d/é+%2F"
    assert app.authorize("patient", SCOPES)["state"] == app.state


def test_what_is_unticked_is_not_granted(app: App) -> None:
    scope = "launch/patient patient/Patient.rs patient/Observation.rs"
    answer = app.launch("patient", scope, keep=lambda each: "Observation" not in each)
    assert answer["scope"] == "launch/patient patient/Patient.rs"
    patient = answer["patient"]
    assert app.get(f"Patient/{patient}", answer["access_token"]).status_code == 200
    denied = app.get(f"Observation?patient={patient}", answer["access_token"])
    assert denied.status_code == 403


def test_a_proxy_chooses_between_patients(app: App, reference: Running) -> None:
    _, child = patients(reference, "family")
    answer = app.launch("family", SCOPES, patient=child)
    assert answer["patient"] == child
    assert app.get(f"Patient/{child}", answer["access_token"]).status_code == 200


def test_a_patient_that_is_not_the_persons_own_cannot_be_chosen(
    app: App, reference: Running
) -> None:
    page = app.sign_in("family", SCOPES)
    (stranger,) = patients(reference, "other")
    assert Page(app.submit(page, "patient", patient=stranger)).form("patient")


def test_a_clinician_gets_user_scopes_and_a_patient_does_not(new_app: NewApp) -> None:
    scope = "openid fhirUser user/*.rs"
    clinician = new_app()
    answer = clinician.launch("clinician", scope)
    assert answer["scope"] == scope
    assert "patient" not in answer
    patient = new_app()
    assert patient.launch("patient", scope)["scope"] == "openid fhirUser"


def test_deny_is_told_to_the_client(app: App) -> None:
    page = app.sign_in("patient", SCOPES)
    answer = redirected(app.submit(page, "consent", decision="deny"))
    assert answer["error"] == "access_denied"
    assert answer["state"] == app.state


def test_a_wrong_password_shows_the_login_page_again(app: App) -> None:
    page = Page(app.open(SCOPES))
    again = app.submit(page, "login", username="patient", password="wrong")
    assert "not right" in again.text
    assert Page(again).form("login")


def test_a_form_without_its_csrf_value_does_nothing(app: App) -> None:
    page = app.sign_in("patient", SCOPES)
    page.form("consent")["hidden"]["csrf"] = "forged"
    refused = app.submit(page, "consent", scope=["openid"], decision="approve")
    assert refused.status_code == 400
    assert not refused.is_redirect


def test_another_browser_cannot_approve(app: App, new_app: NewApp) -> None:
    page = app.sign_in("patient", SCOPES)
    other = new_app()
    other.sign_in("other", SCOPES)
    assert other.submit(page, "consent", decision="approve").status_code == 400


def test_a_signed_in_browser_is_asked_for_consent_at_once(app: App) -> None:
    app.sign_in("patient", SCOPES)
    assert Page(app.open(SCOPES)).form("consent")
    assert Page(app.open(SCOPES, prompt="login")).form("login")


def test_prompt_none_is_refused_by_redirect_since_a_person_is_always_asked(app: App) -> None:
    assert redirected(app.open(SCOPES, prompt="none"))["error"] == "login_required"
    app.sign_in("patient", SCOPES)
    assert redirected(app.open(SCOPES, prompt="none"))["error"] == "consent_required"


def test_the_authorization_request_may_be_posted(app: App) -> None:
    url = f"{app.issuer}/oauth/authorize"
    assert Page(app.browser.post(url, data=app.request(SCOPES))).form("login")


def test_version_1_scopes_are_granted_in_version_1_form(app: App) -> None:
    answer = app.launch("patient", "launch/patient patient/*.read")
    assert answer["scope"] == "launch/patient patient/*.read"
    read = app.get(f"Patient/{answer['patient']}", answer["access_token"])
    assert read.status_code == 200


def test_the_pages_allow_no_script_and_no_frame(app: App) -> None:
    response = app.open(SCOPES)
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "access-control-allow-origin" not in response.headers
    cookie = response.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


@pytest.mark.parametrize("client_id", ["harness-public", "harness-symmetric"])
def test_each_kind_of_client_can_launch(new_app: NewApp, client_id: str) -> None:
    app = new_app(client_id)
    assert app.launch("patient", SCOPES)["access_token"]
