"""Whether an app sees a defect of launches, codes, assertions, revocation or granular scopes."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from typing import Any

import httpx
from joserfc.jwk import RSAKey
from joserfc.util import urlsafe_b64encode

from harness.tests.reference_process import App, FromNow
from harness.tests.unit.reference.fhir_doubles import weight

SCOPE = "openid fhirUser launch/patient offline_access patient/Patient.rs patient/Observation.rs"
Probe = Callable[[App], bool]


def asserted(**changes: Any) -> Probe:
    """Whether a wrong assertion is accepted."""

    def probe(app: App) -> bool:
        app.client_id = "harness-backend"
        return app.backend(**app.assertion(**changes)).status_code == 200

    return probe


def read(app: App, answer: dict[str, Any], path: str) -> int:
    return app.get(path.format(**answer), answer["access_token"]).status_code


EHR_SCOPE = "launch offline_access user/*.rs"


def ehr_launched(judge: Callable[[App, dict[str, Any]], bool]) -> Probe:
    def probe(app: App) -> bool:
        patient = app.control("resources/Patient")[1]["id"]
        token = app.launched("clinician", EHR_SCOPE, patient=patient)
        return judge(app, {**token, "chosen": patient})

    return probe


def reused_handle(app: App) -> bool:
    handle = app.ehr_launch("patient")["launch"]
    return [app.open(EHR_SCOPE, launch=handle).status_code for _ in range(2)] == [200, 200]


def foreign_handle(app: App) -> bool:
    handle = app.ehr_launch("patient")["launch"]
    app.client_id = "harness-symmetric"
    return app.open(EHR_SCOPE, launch=handle).status_code == 200


def style_type(app: App, answer: dict[str, Any]) -> str:
    return str(app.machine.get(answer["smart_style_url"]).headers["content-type"])


def unreadable(method: str, path: str, **headers: str) -> Probe:
    """Whether an app in a browser may not read the answer."""

    def probe(app: App) -> bool:
        given = {"origin": "https://app.invalid", **headers}
        response = app.machine.request(method, f"{app.issuer}/{path}", headers=given)
        return "access-control-allow-origin" not in response.headers

    return probe


def foreign_code(app: App) -> bool:
    code = app.authorize("patient", SCOPE)["code"]
    app.client_id = "harness-symmetric"
    return app.exchange(code).status_code == 200


def old_code(app: App) -> bool:
    code = app.authorize("patient", SCOPE)["code"]
    app.control("clock", {"advance_seconds": 86400})
    return app.exchange(code).status_code == 200


def foreign_refresh(app: App) -> bool:
    token = app.launch("patient", SCOPE)["refresh_token"]
    app.client_id = "harness-symmetric"
    return app.refresh(token).status_code == 200


def unproven_refresh(app: App) -> bool:
    app.client_id = "harness-symmetric"
    token = app.launch("patient", SCOPE)["refresh_token"]
    fields = {"grant_type": "refresh_token", "refresh_token": token, "client_id": app.client_id}
    return app.machine.post(f"{app.issuer}/oauth/token", data=fields).status_code == 200


def plain_pkce(app: App) -> bool:
    plain: dict[str, Any] = {"code_challenge": app.verifier, "code_challenge_method": "plain"}
    if app.open(SCOPE, **plain).is_redirect:
        return False
    code = app.authorize("patient", SCOPE, **plain)["code"]
    return app.exchange(code).status_code == 200


def no_pkce(app: App) -> bool:
    none: dict[str, Any] = {"code_challenge": None, "code_challenge_method": None}
    if app.open(SCOPE, **none).is_redirect:
        return False
    code = app.authorize("patient", SCOPE, **none)["code"]
    return app.exchange(code, code_verifier=None).status_code == 200


def forged(alg: str, sign: Callable[[App, bytes], bytes]) -> Probe:
    """Whether an assertion that anybody can make is accepted."""

    def probe(app: App) -> bool:
        app.client_id = "harness-backend"
        fields = app.assertion()
        _, claims, _ = fields["client_assertion"].split(".")
        kid = json.loads(app.credentials["REFERENCE_PRIVATE_KEY"])["kid"]
        header = urlsafe_b64encode(json.dumps({"alg": alg, "kid": kid}).encode()).decode()
        signed = f"{header}.{claims}"
        signature = urlsafe_b64encode(sign(app, signed.encode())).decode()
        made = {**fields, "client_assertion": f"{signed}.{signature}"}
        return app.backend(**made).status_code == 200

    return probe


def mac_of_public_key(app: App, signed: bytes) -> bytes:
    key = RSAKey.import_key(json.loads(app.credentials["REFERENCE_PRIVATE_KEY"]))
    return hmac.digest(key.as_pem(private=False), signed, "sha256")


def token_in_query(app: App) -> bool:
    token = app.launch("patient", SCOPE)
    path = f"Patient/{token['patient']}?access_token={token['access_token']}"
    return app.get(path).status_code == 200


def revoke(app: App, token: str) -> httpx.Response:
    fields = {"token": token, "client_id": app.client_id}
    return app.machine.post(f"{app.issuer}/oauth/revoke", data=fields)


def use_after_revocation(app: App) -> bool:
    seen = []
    for name in ("access_token", "refresh_token"):
        answer = app.launch("patient", SCOPE)
        revoke(app, answer[name])
        seen.append(read(app, answer, "Patient/{patient}"))
    return seen == [200, 200]


def redirected_to_a_stranger(app: App) -> bool:
    response = app.open(SCOPE, redirect_uri="https://evil.invalid/cb")
    location = str(response.headers.get("location", ""))
    return location.startswith("https://evil.invalid/cb?error=")


VITALS = "http://terminology.hl7.org/CodeSystem/observation-category|vital-signs"
GRANULAR = f"launch/patient patient/Observation.rs?category={VITALS}"


def other_category(app: App, answer: dict[str, Any]) -> str:
    """An Observation of the patient that is no vital sign."""
    made = {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"system": VITALS.partition("|")[0], "code": "laboratory"}]}],
        "code": {"text": "glucose"},
        "subject": {"reference": f"Patient/{answer['patient']}"},
    }
    return str(app.control("resources", made)["id"])


def beyond_category(path: str) -> Probe:
    """Whether a token for vital signs gets a laboratory result."""

    def probe(app: App) -> bool:
        answer = app.launch("patient", GRANULAR)
        assert answer["scope"] == GRANULAR
        wanted = other_category(app, answer)
        response = app.get(path.format(id=wanted, **answer), answer["access_token"])
        body = response.json()
        found = [body, *(each["resource"] for each in body.get("entry", []))]
        return wanted in [each.get("id") for each in found]

    return probe


def searched_with_read(app: App) -> bool:
    answer = app.launch("patient", "launch/patient patient/Observation.r")
    return read(app, answer, "Observation?patient={patient}") == 200


def active_after_revocation(app: App) -> bool:
    answer = app.launch("patient", SCOPE)
    revoke(app, answer["access_token"])
    return bool(app.introspect(answer["access_token"]).json()["active"])


def active_after_expiry(app: App) -> bool:
    answer = app.launch("patient", SCOPE)
    app.control("clock", {"advance_seconds": 4000})
    return bool(app.introspect(answer["access_token"]).json()["active"])


def use_after_revoked_refresh(app: App) -> bool:
    answer = app.launch("patient", SCOPE)
    revoke(app, answer["refresh_token"])
    return read(app, answer, "Patient/{patient}") == 200


def written_about_another(app: App) -> bool:
    answer = app.launch("patient", SCOPE.replace("Observation.rs", "Observation.c"))
    other = app.control("resources/Patient")[1]["id"]
    response = app.machine.post(
        f"{app.fhir_base}/Observation",
        json=weight(other),
        headers={
            "authorization": f"Bearer {answer['access_token']}",
            "content-type": "application/fhir+json",
        },
    )
    return response.status_code == 201


def next_page(app: App) -> str:
    """The path of the second page of a search of the first patient."""
    answer = app.launch("patient", SCOPE)
    path = f"Observation?patient={answer['patient']}&_count=5"
    links = app.get(path, answer["access_token"]).json()["link"]
    url = next(each["url"] for each in links if each["relation"] == "next")
    return str(url).removeprefix(f"{app.fhir_base}/")


def page_of_another(app: App) -> bool:
    path, answer = next_page(app), app.launch("other", SCOPE)
    return app.get(path, answer["access_token"]).status_code == 200


def total_of_another(app: App) -> bool:
    answer = app.launch("patient", SCOPE)
    other = app.control("resources/Patient")[1]["id"]
    bundle = app.get(f"Observation?patient={other}", answer["access_token"]).json()
    return bool(bundle.get("total"))


LAUNCH_PROBES: dict[str, Probe] = {
    "launch-handle-reusable": reused_handle,
    "launch-handle-of-any-client": foreign_handle,
    "launch-unknown-accepted": lambda app: app.open(EHR_SCOPE, launch="unknown").status_code == 200,
    "launch-context-patient-ignored": ehr_launched(
        lambda _, answer: answer["patient"] != answer["chosen"]
    ),
    "banner-as-string": ehr_launched(
        lambda _, answer: isinstance(answer["need_patient_banner"], str)
    ),
    "style-url-missing": ehr_launched(lambda _, answer: "smart_style_url" not in answer),
    "style-as-html": ehr_launched(lambda app, answer: "html" in style_type(app, answer)),
    "encounter-missing": ehr_launched(lambda _, answer: "encounter" not in answer),
    "fhir-context-wrong-form": ehr_launched(
        lambda _, answer: not isinstance(answer["fhirContext"][0], str)
    ),
    "cors-missing-on-token": unreadable("POST", "oauth/token"),
    "cors-missing-on-well-known": unreadable("GET", "r4/.well-known/smart-configuration"),
    "cors-preflight-refused": unreadable(
        "OPTIONS", "oauth/token", **{"access-control-request-method": "POST"}
    ),
    "code-of-another-client-accepted": foreign_code,
    "code-never-expires": old_code,
    "refresh-of-another-client-accepted": foreign_refresh,
    "refresh-without-client-auth": unproven_refresh,
    "scope-empty-grants-all": lambda app: app.open(None).status_code == 200,
    "plain-pkce-accepted": plain_pkce,
    "pkce-optional-for-public": no_pkce,
    "assertion-alg-none-accepted": forged("none", lambda *_: b""),
    "assertion-hs256-accepted": forged("HS256", mac_of_public_key),
    "assertion-iss-not-sub-accepted": asserted(iss="harness-asymmetric"),
    "assertion-far-future-accepted": asserted(exp=FromNow(86400)),
    "assertion-issued-in-future-accepted": asserted(iat=FromNow(120)),
    "assertion-unknown-kid-accepted": asserted(header={"kid": "unknown"}),
    "token-in-query-accepted": token_in_query,
    "permissions-as-in-version-1": searched_with_read,
    "introspection-ignores-revocation": active_after_revocation,
    "introspection-ignores-expiry": active_after_expiry,
    "revocation-of-unknown-refused": lambda app: revoke(app, "unknown").status_code == 400,
    "revocation-spares-access-tokens": use_after_revoked_refresh,
    "compartment-ignored-on-write": written_about_another,
    "page-open-to-any-token": page_of_another,
    "page-open-to-anybody": lambda app: app.get(next_page(app)).status_code == 200,
    "total-counts-everybody": total_of_another,
    "revoked-token-works": use_after_revocation,
    "revocation-answers-error": lambda app: revoke(app, "unknown").status_code == 500,
    "error-code-wrong": lambda app: app.exchange("BAD_CODE").json()["error"] == "invalid_request",
    "open-redirect-on-error": redirected_to_a_stranger,
    "granular-scope-ignored-on-search": beyond_category("Observation?patient={patient}&_id={id}"),
    "granular-scope-ignored-on-read": beyond_category("Observation/{id}"),
    "granular-scope-widened": lambda app: app.launch("patient", GRANULAR)["scope"] != GRANULAR,
}
