"""A launch out of the EHR, from the page of its user to the context in the token response."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from harness.tests.integration.reference.conftest import NewApp, NewInstance
from harness.tests.reference_process import LAUNCH_URI, App, Page, Running, redirected

SCOPE = "launch openid fhirUser user/*.rs patient/Patient.rs"


def patients(reference: Running, username: str) -> list[str]:
    users = {each["username"]: each["patients"] for each in reference.ready["users"]}
    return list(users[username])


def in_version(new_app: NewApp, new_instance: NewInstance, smart: str) -> App:
    return new_app(fhir_base=new_instance(smart=smart)["fhir_base"])


def test_a_clinician_launches_an_app_for_a_patient(app: App, reference: Running) -> None:
    patient = patients(reference, "clinician")[2]
    called = app.ehr_launch("clinician", patient=patient)
    assert called["iss"] == app.fhir_base
    assert called.keys() == {"iss", "launch"}
    page = Page(app.open(SCOPE, launch=called["launch"]))
    assert page.form("consent"), "the user of the EHR stays signed in"
    answer = redirected(
        app.submit(page, "consent", scope=page.form("consent")["checked"], decision="approve")
    )
    token = app.exchange(answer["code"]).json()
    assert token["patient"] == patient
    assert token["need_patient_banner"] is True
    assert token["encounter"].startswith(patient)
    assert token["intent"] == "review-observations"
    assert token["tenant"] == "default"
    assert token["scope"] == SCOPE
    for path in (f"Patient/{patient}", f"Encounter/{token['encounter']}"):
        assert app.get(path, token["access_token"]).status_code == 200


def test_the_launch_page_has_a_button_for_each_app_and_patient(
    app: App, reference: Running
) -> None:
    page = Page(app.visit("launch", "clinician"))
    buttons = [form for form in page.forms if "client_id" in form["hidden"]]
    pairs = {(each["hidden"]["client_id"], each["hidden"]["patient"]) for each in buttons}
    clients = ("harness-public", "harness-symmetric", "harness-asymmetric")
    assert pairs == {(one, who) for one in clients for who in patients(reference, "clinician")}
    response = app.browser.get(buttons[0]["action"], params=buttons[0]["hidden"])
    assert response.headers["location"].startswith(LAUNCH_URI)
    policy = page.response.headers["content-security-policy"]
    assert "form-action 'self' http://127.0.0.1:8765;" in policy


def test_the_launch_page_finds_patients(app: App, reference: Running) -> None:
    wanted = patients(reference, "clinician")[1]
    text = app.visit("launch", "clinician", q=wanted).text
    assert wanted in text
    assert patients(reference, "clinician")[0] not in text


def test_a_patient_launches_from_the_portal_without_choosing(app: App, reference: Running) -> None:
    token = app.launched("patient", "launch openid patient/*.rs")
    assert token["patient"] == patients(reference, "patient")[0]


@pytest.mark.parametrize("client_id", ["harness-symmetric", "harness-asymmetric"])
def test_each_kind_of_client_is_launched(new_app: NewApp, client_id: str) -> None:
    token = new_app(client_id).launched("patient", "launch patient/*.rs")
    assert {"patient", "encounter", "intent"} <= token.keys()


def test_the_request_of_a_launch_may_be_posted(app: App) -> None:
    handle = app.ehr_launch("patient")["launch"]
    url = f"{app.issuer}/oauth/authorize"
    assert Page(app.browser.post(url, data=app.request(SCOPE, launch=handle))).form("consent")


def test_a_launch_may_ask_for_the_password_again_and_keeps_its_context(app: App) -> None:
    handle = app.ehr_launch("patient")["launch"]
    page = Page(app.open("launch patient/*.rs", launch=handle, prompt="login"))
    password = app.credentials["REFERENCE_PATIENT_PASSWORD"]
    page = Page(app.submit(page, "login", username="patient", password=password))
    ticked = page.form("consent")["checked"]
    done = app.submit(page, "consent", scope=ticked, decision="approve")
    assert "encounter" in app.exchange(redirected(done)["code"]).json()


def test_a_chosen_visit_and_intent_arrive_with_the_token(app: App) -> None:
    latest = app.launched("patient", "launch")["encounter"]
    earlier = latest.rpartition("-")[0] + "-1"
    token = app.launched("patient", "launch", encounter=earlier, intent="order-review")
    assert (token["encounter"], token["intent"]) == (earlier, "order-review")
    assert earlier != latest


def test_without_the_launch_scope_granted_the_app_learns_the_patient_at_most(app: App) -> None:
    handle = app.ehr_launch("patient")["launch"]
    page = Page(app.open("launch patient/*.rs", launch=handle))
    done = app.submit(page, "consent", scope=["patient/*.rs"], decision="approve")
    token = app.exchange(redirected(done)["code"]).json()
    assert "patient" in token
    assert not token.keys() & {"encounter", "intent", "fhirContext", "tenant"}


@pytest.mark.parametrize("handle", ["unknown", "0" * 5000])
def test_an_unknown_handle_is_told_to_the_client(app: App, handle: str) -> None:
    answer = redirected(app.open(SCOPE, launch=handle))
    assert (answer["error"], answer["state"]) == ("invalid_request", app.state)


def test_a_handle_is_used_once(app: App) -> None:
    handle = app.ehr_launch("patient")["launch"]
    assert app.open(SCOPE, launch=handle).status_code == 200
    assert redirected(app.open(SCOPE, launch=handle))["error"] == "invalid_request"


def test_a_handle_is_for_one_client_whose_own_request_still_works(
    app: App, new_app: NewApp
) -> None:
    handle = app.ehr_launch("patient")["launch"]
    foreign = redirected(new_app("harness-symmetric").open(SCOPE, launch=handle))
    assert foreign["error"] == "invalid_request"
    assert app.open(SCOPE, launch=handle).status_code == 200


def test_a_handle_lives_five_minutes(
    reference: Running, new_app: NewApp, new_instance: NewInstance
) -> None:
    instance = new_instance()
    app = new_app(fhir_base=instance["fhir_base"])
    handle = app.ehr_launch("patient")["launch"]
    path = f"/instances/{instance['name']}/clock"
    reference.control("POST", path, {"advance_seconds": 301})
    assert redirected(app.open(SCOPE, launch=handle))["error"] == "invalid_request"


def test_a_handle_of_another_instance_is_unknown(
    app: App, new_app: NewApp, new_instance: NewInstance
) -> None:
    handle = app.ehr_launch("patient")["launch"]
    other = new_app(fhir_base=new_instance()["fhir_base"])
    assert redirected(other.open(SCOPE, launch=handle))["error"] == "invalid_request"


def test_a_handle_needs_the_launch_scope_and_the_scope_needs_a_handle(app: App) -> None:
    handle = app.ehr_launch("patient")["launch"]
    answer = redirected(app.open("openid patient/*.rs", launch=handle))
    assert answer["error"] == "invalid_request"
    token = app.launch("patient", "launch launch/patient patient/*.rs")
    assert token["scope"] == "launch/patient patient/*.rs"


def test_a_handle_of_another_user_is_denied(app: App, new_app: NewApp) -> None:
    handle = app.ehr_launch("clinician", patient="p1-ee5c8c")["launch"]
    elsewhere = new_app()
    page = elsewhere.sign_in("patient", SCOPE, launch=handle)
    assert redirected(page.response)["error"] == "access_denied"


@pytest.mark.parametrize(
    "query",
    [
        {"client_id": "nobody"},
        {"client_id": "harness-backend"},
        {"client_id": "harness-public", "patient": "nobody"},
        {"client_id": "harness-public", "encounter": "nobody"},
        {"client_id": "harness-public", "intent": "<b>"},
        {"client_id": "harness-public", "launch_uri": "https://evil.invalid/"},
    ],
)
def test_what_cannot_be_launched_is_told_to_the_person(app: App, query: dict[str, str]) -> None:
    response = app.visit("launch", "patient", **query)
    assert response.status_code == 400
    assert "location" not in response.headers


def test_another_persons_patient_cannot_be_launched(app: App, reference: Running) -> None:
    (stranger,) = patients(reference, "other")
    response = app.visit("launch", "patient", client_id="harness-public", patient=stranger)
    assert response.status_code == 400


def test_signing_in_at_the_portal_leads_nowhere_else(app: App) -> None:
    page = Page(app.visit("launch"))
    page.form("login")["hidden"]["next"] = "//evil.invalid/x?y=%ff"
    password = app.credentials["REFERENCE_PATIENT_PASSWORD"]
    done = app.submit(page, "login", username="patient", password=password)
    assert str(done.url).startswith(f"{app.issuer}/launch")


def test_signing_out_of_the_portal_asks_for_the_password_again(app: App) -> None:
    page = Page(app.visit("manage", "patient"))
    assert Page(app.submit(page, "logout")).form("login")


def test_the_pages_of_two_instances_do_not_share_a_session(
    app: App, new_app: NewApp, new_instance: NewInstance
) -> None:
    app.visit("launch", "patient")
    other = new_app(fhir_base=new_instance()["fhir_base"])
    other.browser.cookies = app.browser.cookies
    other.visit("manage", "clinician")
    assert "Signed in as Clinician" in other.visit("manage").text
    assert "Signed in as Clinician" not in app.visit("manage").text
    assert "Signed in as" in app.visit("manage").text


@pytest.mark.parametrize(
    ("smart", "form"), [("1.0.0", None), ("2.0.0", "string"), ("2.2.0", "object")]
)
def test_further_context_has_the_form_of_its_version(
    new_app: NewApp, new_instance: NewInstance, smart: str, form: str | None
) -> None:
    app = in_version(new_app, new_instance, smart)
    token = app.launched("patient", "launch patient/*.read")
    if form is None:
        assert not token.keys() & {"fhirContext", "tenant"}
        return
    (context,) = token["fhirContext"]
    reference = context if form == "string" else context["reference"]
    assert form == "string" or context["type"] == "Condition"
    assert reference.startswith("Condition/")
    assert app.get(reference, token["access_token"]).status_code == 200


def test_the_style_is_json_for_any_origin(app: App) -> None:
    token = app.launched("patient", "launch")
    response = app.machine.get(token["smart_style_url"], headers={"origin": "https://app.invalid"})
    assert response.headers["content-type"] == "application/json"
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.json().keys() >= {"color_background", "font_family_body", "dim_font_size"}


def test_a_refresh_and_an_introspection_know_the_context(app: App) -> None:
    token = app.launched("patient", "launch offline_access patient/*.rs")
    context = {name: token[name] for name in token.keys() - _TOKENS}
    again = app.refresh(token["refresh_token"]).json()
    told = app.introspect(again["access_token"]).json()
    assert context.keys() == _CONTEXT
    assert {name: again[name] for name in context} == context
    assert {name: told[name] for name in context} == context


_TOKENS = {"access_token", "refresh_token", "token_type", "expires_in", "scope"}
_CONTEXT = {
    "patient",
    "encounter",
    "need_patient_banner",
    "smart_style_url",
    "intent",
    "fhirContext",
    "tenant",
}


def _choose(app: App, page: Page, step: str, value: str) -> Page:
    return Page(app.submit(page, step, **{step: value}))


def test_a_standalone_launch_chooses_a_visit(app: App) -> None:
    page = app.sign_in("clinician", "launch/encounter openid user/*.rs")
    patient = page.form("patient")["choices"][1]
    page = _choose(app, page, "patient", patient)
    visits = page.form("encounter")["choices"]
    assert len(visits) == 3
    stranger = _choose(app, page, "encounter", "somebody-else")
    assert stranger.form("encounter"), "a visit of nobody here cannot be chosen"
    page = _choose(app, stranger, "encounter", visits[1])
    done = app.submit(page, "consent", scope=page.form("consent")["checked"], decision="approve")
    token = app.exchange(redirected(done)["code"]).json()
    assert (token["patient"], token["encounter"]) == (patient, visits[1])
    assert "intent" not in token


def test_the_capabilities_are_those_of_the_version(
    new_app: NewApp, new_instance: NewInstance
) -> None:
    told: dict[str, Any] = {}
    for smart in ("1.0.0", "2.0.0", "2.2.0"):
        app = in_version(new_app, new_instance, smart)
        told[smart] = app.get(".well-known/smart-configuration").json()
    assert "context-ehr-encounter" in told["1.0.0"]["capabilities"]
    assert not {"permission-v2", "authorize-post"} & set(told["1.0.0"]["capabilities"])
    assert {"permission-v1", "permission-v2"} <= set(told["2.0.0"]["capabilities"])
    assert told["2.0.0"].keys() - told["1.0.0"].keys() == {
        "issuer",
        "jwks_uri",
        "grant_types_supported",
        "code_challenge_methods_supported",
    }
    assert set(told["2.0.0"]["scopes_supported"]) - set(told["1.0.0"]["scopes_supported"])


def without_challenge(app: App, scope: str) -> httpx.Response:
    nothing = {"code_challenge": None, "code_challenge_method": None}
    return app.open(scope, **nothing)


def test_smart_1_knows_neither_pkce_nor_version_2_scopes(
    new_app: NewApp, new_instance: NewInstance
) -> None:
    app = in_version(new_app, new_instance, "1.0.0")
    scope = "launch/patient patient/Patient.read patient/Patient.rs patient/Observation.read"
    app.visit("manage", "patient")
    page = Page(without_challenge(app, scope))
    ticked = page.form("consent")["choices"]
    assert "patient/Patient.rs" not in ticked
    code = redirected(app.submit(page, "consent", scope=ticked, decision="approve"))["code"]
    token = app.exchange(code, code_verifier=None).json()
    assert app.get(f"Patient/{token['patient']}", token["access_token"]).status_code == 200


def test_a_verifier_without_a_challenge_is_refused(
    new_app: NewApp, new_instance: NewInstance
) -> None:
    app = in_version(new_app, new_instance, "1.0.0")
    app.visit("manage", "patient")
    page = Page(without_challenge(app, "launch/patient patient/*.read"))
    done = app.submit(page, "consent", scope=["launch/patient"], decision="approve")
    assert app.exchange(redirected(done)["code"]).json()["error"] == "invalid_grant"
