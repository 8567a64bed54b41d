"""Every fault of the authorization server shows, and without it nothing of it does.

Each probe says whether an app sees the defect.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey

from harness.reference.faults import OAUTH, catalogue
from harness.tests.integration.reference.access_probes import ACCESS_PROBES
from harness.tests.integration.reference.check_probes import CHECK_PROBES
from harness.tests.integration.reference.conftest import NewApp, NewInstance
from harness.tests.integration.reference.oauth_probes import (
    LAUNCH_PROBES,
    SCOPE,
    Probe,
    asserted,
    read,
)
from harness.tests.integration.reference.saying_probes import SAYING_PROBES
from harness.tests.reference_process import App, Running, redirected


def configuration(app: App) -> Any:
    return app.get(".well-known/smart-configuration").json()


def lacks(member: str) -> Probe:
    return lambda app: member not in configuration(app)


def launched(judge: Callable[[App, dict[str, Any]], bool]) -> Probe:
    return lambda app: judge(app, app.launch("patient", SCOPE))


def refreshed(judge: Callable[[App, dict[str, Any], dict[str, Any]], bool]) -> Probe:
    def probe(app: App) -> bool:
        first = app.launch("patient", SCOPE)
        return judge(app, first, app.refresh(first["refresh_token"]).json())

    return probe


def claimed(judge: Callable[[App, dict[str, Any]], bool]) -> Probe:
    def claims(app: App, answer: dict[str, Any]) -> bool:
        payload = jws.extract_compact(answer["id_token"].encode()).payload
        return judge(app, json.loads(payload))

    return launched(claims)


def exchanged(*, with_value: str | None = None, **changes: str | None) -> Probe:
    """Whether a wrong exchange of a good code is accepted."""

    def probe(app: App) -> bool:
        code = app.authorize("patient", SCOPE)["code"]
        return app.exchange(with_value or code, **changes).status_code == 200

    return probe


def unverifiable(app: App, answer: dict[str, Any]) -> bool:
    keys = KeySet.import_key_set(app.machine.get(f"{app.issuer}/oauth/jwks").json())
    try:
        jwt.decode(answer["id_token"], keys, algorithms=["RS256"])
    except JoseError:
        return True
    return False


def foreign_key(app: App) -> bool:
    kid = json.loads(app.credentials["REFERENCE_PRIVATE_KEY"])["kid"]
    return asserted(key=RSAKey.generate_key(2048, parameters={"kid": kid}))(app)


def wrong_secret(app: App) -> bool:
    app.client_id = "harness-symmetric"
    code = app.authorize("patient", SCOPE)["code"]
    app.credentials = {**app.credentials, "REFERENCE_CLIENT_SECRET": "wrong"}
    return app.exchange(code).status_code == 200


def replayed_code(app: App) -> bool:
    code = app.authorize("patient", SCOPE)["code"]
    return [app.exchange(code).status_code for _ in range(2)] == [200, 200]


def replayed_assertion(app: App) -> bool:
    app.client_id = "harness-backend"
    fields = app.assertion()
    return [app.backend(**fields).status_code for _ in range(2)] == [200, 200]


def widened_consent(app: App) -> bool:
    answer = app.launch("patient", SCOPE, keep=lambda scope: "Observation" not in scope)
    return "Observation" in answer["scope"]


def another_patient(app: App) -> bool:
    page = app.sign_in("family", SCOPE)
    chosen = page.form("patient")["choices"][0]
    return bool(app.launch("family", SCOPE, patient=chosen)["patient"] != chosen)


def reused_refresh(app: App) -> bool:
    token = app.launch("patient", SCOPE)["refresh_token"]
    return [app.refresh(token).status_code for _ in range(2)] == [200, 200]


def garbage_refresh(app: App) -> bool:
    app.launch("patient", SCOPE)
    return app.refresh("garbage").status_code == 200


def refresh_beyond_the_grant(app: App) -> bool:
    token = app.launch("patient", SCOPE)["refresh_token"]
    return app.refresh(token, scope="user/Patient.rs").status_code == 200


def widened_backend(app: App) -> bool:
    app.client_id = "harness-backend"
    return bool(app.backend("system/Patient.rs").json()["scope"] != "system/Patient.rs")


def anonymous_introspection(app: App) -> bool:
    url = f"{app.issuer}/oauth/introspect"
    return app.machine.post(url, data={"token": "x"}).status_code == 200


def expired_token(app: App) -> bool:
    answer = app.launch("patient", SCOPE)
    app.control("clock", {"advance_seconds": 3700})
    return read(app, answer, "Patient/{patient}") == 200


def narrow(path: str, scope: str = "patient/Patient.rs") -> Probe:
    """Whether a scope that does not cover the type is enough."""

    def probe(app: App) -> bool:
        answer = app.launch("patient", f"launch/patient {scope}")
        truth = app.control(f"resources/Observation?patient={answer['patient']}")
        return read(app, {**answer, "id": truth[0]["id"]}, path) == 200

    return probe


def unwritten(app: App) -> bool:
    answer = app.launch("patient", SCOPE)
    url = f"{app.fhir_base}/Observation"
    headers = {"authorization": f"Bearer {answer['access_token']}"}
    return app.machine.post(url, json={}, headers=headers).status_code != 403


def stranger(path: str) -> Probe:
    """Whether something of another patient comes back."""

    def probe(app: App) -> bool:
        answer = app.launch("patient", SCOPE)
        others = [each["id"] for each in app.control("resources/Patient")]
        other = next(each for each in others if each != answer["patient"])
        response = app.get(path.format(other=other), answer["access_token"])
        return response.status_code == 200 and other in response.text.replace(path, "")

    return probe


def ends_early(app: App) -> bool:
    answer = app.launch("patient", SCOPE)
    for _ in range(3):
        answer = app.refresh(answer["refresh_token"]).json()
    return app.refresh(answer["refresh_token"]).status_code == 400


PROBES: dict[str, Probe] = (
    LAUNCH_PROBES
    | CHECK_PROBES
    | SAYING_PROBES
    | ACCESS_PROBES
    | {
        "configuration-as-html-type": lambda app: (
            "html" in app.get(".well-known/smart-configuration").headers["content-type"]
        ),
        "configuration-not-json": lambda app: app.get(
            ".well-known/smart-configuration"
        ).text.startswith("<"),
        "configuration-needs-token": lambda app: (
            app.get(".well-known/smart-configuration").status_code == 401
        ),
        "configuration-offers-plain": lambda app: (
            "plain" in configuration(app)["code_challenge_methods_supported"]
        ),
        "configuration-omits-s256": lambda app: (
            "S256" not in configuration(app)["code_challenge_methods_supported"]
        ),
        "configuration-omits-grant-types": lacks("grant_types_supported"),
        "configuration-omits-token-endpoint": lacks("token_endpoint"),
        "configuration-omits-capabilities": lacks("capabilities"),
        "configuration-omits-jwks-uri": lacks("jwks_uri"),
        "configuration-omits-issuer": lacks("issuer"),
        "configuration-omits-authorization-endpoint": lacks("authorization_endpoint"),
        "configuration-omits-introspection-endpoint": lacks("introspection_endpoint"),
        "configuration-honours-accept": lambda app: (
            app.machine.get(
                f"{app.fhir_base}/.well-known/smart-configuration",
                headers={"accept": "application/xml"},
            ).status_code
            == 406
        ),
        "approval-answers-error": lambda app: "error" in app.authorize("patient", SCOPE),
        "unknown-grant-type-answers-500": lambda app: (
            app.machine.post(f"{app.issuer}/oauth/token", data={"grant_type": "none"}).status_code
            == 500
        ),
        "configuration-relative-endpoint": lambda app: configuration(app)[
            "authorization_endpoint"
        ].startswith("/"),
        "state-not-echoed": lambda app: "state" not in app.authorize("patient", SCOPE),
        "state-altered": lambda app: app.authorize("patient", SCOPE).get("state") != app.state,
        "any-redirect-uri-accepted": lambda app: (
            app.open(SCOPE, redirect_uri="https://evil.invalid/").status_code == 200
        ),
        "wrong-audience-accepted": lambda app: (
            app.open(SCOPE, aud="https://other.invalid").status_code == 200
        ),
        "pkce-verifier-ignored": exchanged(code_verifier="x" * 43),
        "pkce-missing-verifier-accepted": exchanged(code_verifier=None),
        "code-replay-accepted": replayed_code,
        "code-redirect-uri-ignored": exchanged(redirect_uri="http://localhost:8765/callback"),
        "invalid-code-answers-200-error": exchanged(with_value="BAD_CODE"),
        "invalid-client-accepted": exchanged(client_id="nobody"),
        "wrong-secret-accepted": wrong_secret,
        "token-response-cacheable": lambda app: "cache-control" not in app.token().headers,
        "token-response-as-text": lambda app: "text" in app.token().headers["content-type"],
        "token-type-missing": launched(lambda _, answer: "token_type" not in answer),
        "token-type-mac": launched(lambda _, answer: answer["token_type"] == "mac"),
        "expires-in-missing": launched(lambda _, answer: "expires_in" not in answer),
        "expires-in-string": launched(lambda _, answer: isinstance(answer["expires_in"], str)),
        "scope-missing": launched(lambda _, answer: "scope" not in answer),
        "patient-missing": launched(lambda _, answer: "patient" not in answer),
        "patient-of-another": another_patient,
        "id-token-missing": launched(lambda _, answer: "id_token" not in answer),
        "id-token-wrong-audience": claimed(lambda app, claims: claims["aud"] != app.client_id),
        "id-token-wrong-issuer": claimed(lambda app, claims: claims["iss"] != app.issuer),
        "id-token-expired": claimed(lambda _, claims: claims["exp"] < time.time()),
        "id-token-bad-signature": launched(unverifiable),
        "id-token-nonce-missing": claimed(lambda app, claims: claims.get("nonce") != app.nonce),
        "fhir-user-missing": claimed(lambda _, claims: "fhirUser" not in claims),
        "scope-widened-at-consent": widened_consent,
        "refresh-token-missing": launched(lambda _, answer: "refresh_token" not in answer),
        "refresh-widens-scope": refreshed(
            lambda _, first, second: first["scope"] != second["scope"]
        ),
        "refresh-grants-any-scope": refresh_beyond_the_grant,
        "refresh-omits-expires-in": refreshed(lambda _, __, second: "expires_in" not in second),
        "refresh-token-any-accepted": garbage_refresh,
        "refresh-ends-early": ends_early,
        "refresh-reuse-accepted": reused_refresh,
        "refresh-forgets-patient": refreshed(
            lambda app, first, second: read(app, {**first, **second}, "Patient/{patient}") != 200
        ),
        "assertion-signature-ignored": foreign_key,
        "assertion-expired-accepted": asserted(exp=int(time.time()) - 60),
        "assertion-replay-accepted": replayed_assertion,
        "assertion-audience-ignored": asserted(aud="https://other.invalid"),
        "backend-scope-widened": widened_backend,
        "introspection-anonymous": anonymous_introspection,
        "introspection-inactive-for-active": launched(
            lambda app, answer: app.introspect(answer["access_token"]).json()["active"] is False
        ),
        "introspection-active-for-garbage": lambda app: app.introspect("garbage").json()["active"],
        "anonymous-read-allowed": lambda app: app.get("Patient").status_code == 200,
        "unknown-token-accepted": lambda app: app.get("Patient", "garbage").status_code == 200,
        "expired-token-accepted": expired_token,
        "unauthorized-answers-403": lambda app: app.get("Patient").status_code == 403,
        "unauthorized-without-challenge": lambda app: (
            "www-authenticate" not in app.get("Patient").headers
        ),
        "scope-ignored-on-read": narrow("Observation/{id}"),
        "patient-record-open-to-any-scope": narrow("Patient/{patient}", "patient/Observation.rs"),
        "scope-ignored-on-search": narrow("Observation?patient={patient}"),
        "scope-ignored-on-write": unwritten,
        "compartment-ignored-on-read": stranger("Patient/{other}"),
        "compartment-ignored-on-search": stranger("Observation?patient={other}"),
    }
)


def with_control(app: App, reference: Running, name: str) -> App:
    def control(path: str, body: Any = None) -> Any:
        method = "GET" if body is None else "POST"
        return reference.control(method, f"/instances/{name}/{path}", body)

    app.control = control
    return app


@pytest.mark.parametrize("fault", PROBES)
def test_a_fault_shows_where_it_is_and_nowhere_else(
    fault: str, reference: Running, new_app: NewApp, new_instance: NewInstance
) -> None:
    seen = {}
    for faults in ((), (fault,)):
        instance = new_instance(*faults)
        app = with_control(new_app(fhir_base=instance["fhir_base"]), reference, instance["name"])
        seen[faults] = PROBES[fault](app)
    assert seen == {(): False, (fault,): True}


def test_every_fault_of_the_authorization_server_is_probed() -> None:
    assert {fault.name for fault in catalogue().values() if fault.part in OAUTH} == set(PROBES)


def test_an_unregistered_redirect_uri_is_used_only_with_the_fault(
    new_app: NewApp, new_instance: NewInstance
) -> None:
    app = new_app(fhir_base=new_instance("any-redirect-uri-accepted")["fhir_base"])
    app.redirect_uri = "javascript:alert(1)"
    assert app.open(SCOPE).status_code == 400
    app.redirect_uri = "https://evil.invalid/cb?x=1"
    response = app.open(SCOPE, prompt="none")
    assert response.headers["location"].startswith("https://evil.invalid/cb?x=1&error=")
    assert redirected(response)["state"] == app.state
