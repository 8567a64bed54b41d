"""The token endpoint: codes, client authentication, refresh, introspection, revocation."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from harness.spec.shapes import misshapen
from harness.tests.integration.reference.conftest import NewApp, NewInstance
from harness.tests.reference_process import App, Running

SCOPE = "openid launch/patient offline_access patient/*.rs"


def code(app: App) -> str:
    return app.authorize("patient", SCOPE)["code"]


def error(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["pragma"] == "no-cache"
    return response.status_code, response.json()["error"]


def advance(reference: Running, instance: dict[str, Any], seconds: float) -> None:
    path = f"/instances/{instance['name']}/clock"
    reference.control("POST", path, {"advance_seconds": seconds})


def works(app: App, answer: dict[str, Any]) -> bool:
    status = app.get(f"Patient/{answer['patient']}", answer["access_token"]).status_code
    assert status in (200, 401)
    return status == 200


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"code": "BAD_CODE"}, (400, "invalid_grant")),
        ({"code": None}, (400, "invalid_request")),
        ({"redirect_uri": None}, (400, "invalid_grant")),
        ({"redirect_uri": "http://localhost:8765/callback"}, (400, "invalid_grant")),
        ({"code_verifier": None}, (400, "invalid_request")),
        ({"code_verifier": "x" * 43}, (400, "invalid_grant")),
        ({"grant_type": None}, (400, "invalid_request")),
        ({"grant_type": "password"}, (400, "unsupported_grant_type")),
        ({"grant_type": "client_credentials"}, (400, "unauthorized_client")),
        ({"client_id": "nobody"}, (401, "invalid_client")),
        ({"client_id": "harness-symmetric"}, (401, "invalid_client")),
    ],
)
def test_a_wrong_exchange_is_refused(
    app: App, changes: dict[str, str | None], expected: tuple[int, str]
) -> None:
    assert error(app.exchange(code(app), **changes)) == expected


def test_the_challenge_itself_is_no_verifier(app: App) -> None:
    assert error(app.exchange(code(app), code_verifier=app.challenge()))[1] == "invalid_grant"


def test_a_repeated_parameter_is_refused(app: App) -> None:
    response = app.machine.post(
        f"{app.issuer}/oauth/token",
        content="grant_type=authorization_code&code=a&code=b",
        headers={"content-type": "application/x-www-form-urlencoded"},
    )
    assert error(response) == (400, "invalid_request")


def test_json_is_not_a_token_request(app: App) -> None:
    response = app.machine.post(f"{app.issuer}/oauth/token", json={"grant_type": "refresh_token"})
    assert error(response) == (400, "invalid_request")


def test_a_replayed_code_is_refused_and_ends_what_it_gave(app: App) -> None:
    once = code(app)
    answer = app.exchange(once).json()
    assert works(app, answer)
    assert error(app.exchange(once)) == (400, "invalid_grant")
    assert not works(app, answer)
    assert error(app.refresh(answer["refresh_token"])) == (400, "invalid_grant")


def test_token_responses_are_of_their_shape(app: App) -> None:
    answer = app.launch("patient", SCOPE)
    assert misshapen("token-response", answer) == ()
    assert misshapen("token-response", app.refresh(answer["refresh_token"]).json()) == ()


def test_a_code_of_another_client_is_refused(app: App, new_app: NewApp) -> None:
    other = new_app("harness-symmetric")
    other.verifier = app.verifier
    assert error(other.exchange(code(app))) == (400, "invalid_grant")


def test_a_code_lives_for_a_minute(
    reference: Running, new_app: NewApp, new_instance: NewInstance
) -> None:
    instance = new_instance()
    app = new_app(fhir_base=instance["fhir_base"])
    late = code(app)
    advance(reference, instance, 61)
    assert error(app.exchange(late)) == (400, "invalid_grant")


def test_basic_and_post_both_carry_the_secret(new_app: NewApp) -> None:
    app = new_app("harness-symmetric")
    once, again = code(app), code(app)
    assert app.exchange(once).status_code == 200
    fields = {
        "grant_type": "authorization_code",
        "code": again,
        "redirect_uri": app.redirect_uri,
        "code_verifier": app.verifier,
        "client_id": app.client_id,
        "client_secret": app.credentials["REFERENCE_CLIENT_SECRET"],
    }
    assert app.machine.post(f"{app.issuer}/oauth/token", data=fields).status_code == 200


def test_a_wrong_secret_is_refused_with_a_challenge(app: App) -> None:
    for name in ("harness-symmetric", "nobody", "harness-public"):
        header = base64.b64encode(f"{name}:wrong".encode()).decode()
        response = app.machine.post(
            f"{app.issuer}/oauth/token",
            data={"grant_type": "authorization_code", "code": "x"},
            headers={"authorization": f"Basic {header}"},
        )
        assert error(response) == (401, "invalid_client")
        assert response.headers["www-authenticate"].startswith("Basic realm=")


def test_two_ways_to_authenticate_at_once_are_refused(new_app: NewApp) -> None:
    app = new_app("harness-symmetric")
    response = app.token(grant_type="authorization_code", code="x", client_secret="y")
    assert error(response) == (400, "invalid_request")


def test_a_refresh_gives_the_same_context_and_a_new_refresh_token(app: App) -> None:
    first = app.launch("patient", SCOPE)
    second = app.refresh(first["refresh_token"]).json()
    assert second["scope"] == SCOPE
    assert second["patient"] == first["patient"]
    assert second["expires_in"] == 3600
    assert second["refresh_token"] != first["refresh_token"]
    assert second["access_token"] != first["access_token"]
    assert works(app, second)


def nameless_refresh(app: App, token: str) -> httpx.Response:
    form = {"grant_type": "refresh_token", "refresh_token": token}
    return app.machine.post(f"{app.issuer}/oauth/token", data=form)


def test_a_public_client_may_refresh_without_its_client_id(app: App) -> None:
    first = app.launch("patient", SCOPE)
    assert nameless_refresh(app, first["refresh_token"]).json()["patient"] == first["patient"]
    assert error(nameless_refresh(app, first["refresh_token"])) == (400, "invalid_grant")
    assert error(nameless_refresh(app, "x")) == (401, "invalid_client")


def test_a_confidential_client_refreshes_with_its_proof_only(new_app: NewApp) -> None:
    app = new_app("harness-symmetric")
    token = app.launch("patient", SCOPE)["refresh_token"]
    assert error(nameless_refresh(app, token)) == (401, "invalid_client")
    assert app.refresh(token).status_code == 200


def test_reuse_of_a_rotated_refresh_token_ends_the_family(app: App) -> None:
    first = app.launch("patient", SCOPE)
    second = app.refresh(first["refresh_token"]).json()
    assert error(app.refresh(first["refresh_token"])) == (400, "invalid_grant")
    assert error(app.refresh(second["refresh_token"])) == (400, "invalid_grant")
    assert not works(app, second)


def test_a_refresh_may_narrow_but_not_widen(app: App) -> None:
    first = app.launch("patient", SCOPE)
    narrowed = app.refresh(first["refresh_token"], scope="launch/patient patient/*.rs").json()
    assert narrowed["scope"] == "launch/patient patient/*.rs"
    widened = app.refresh(narrowed["refresh_token"], scope=f"{SCOPE} patient/*.cruds")
    assert error(widened) == (400, "invalid_scope")
    assert app.refresh(narrowed["refresh_token"]).json()["scope"] == SCOPE


def test_a_refresh_token_of_another_client_is_refused(app: App, new_app: NewApp) -> None:
    answer = app.launch("patient", SCOPE)
    other = new_app("harness-symmetric")
    assert error(other.refresh(answer["refresh_token"])) == (400, "invalid_grant")
    assert app.refresh(answer["refresh_token"]).status_code == 200


def test_a_refresh_token_slides_a_hundred_days(
    reference: Running, new_app: NewApp, new_instance: NewInstance
) -> None:
    instance = new_instance()
    app = new_app(fhir_base=instance["fhir_base"])
    answer = app.launch("patient", SCOPE)
    for _ in range(3):
        advance(reference, instance, 90 * 86400)
        answer = app.refresh(answer["refresh_token"]).json()
    assert works(app, answer)
    advance(reference, instance, 3601)
    assert not works(app, answer)
    advance(reference, instance, 100 * 86400)
    assert error(app.refresh(answer["refresh_token"])) == (400, "invalid_grant")


def test_without_offline_access_there_is_no_refresh_token(app: App) -> None:
    assert "refresh_token" not in app.launch("patient", "launch/patient patient/*.rs")
    assert "refresh_token" in app.launch("patient", "online_access launch/patient")


def test_introspection_tells_a_confidential_client_about_a_token(app: App) -> None:
    answer = app.launch("patient", SCOPE + " fhirUser")
    told = app.introspect(answer["access_token"]).json()
    assert told["active"] is True
    assert told["client_id"] == "harness-public"
    assert told["scope"] == answer["scope"]
    assert told["patient"] == answer["patient"]
    assert told["sub"] == "patient"
    assert told["iss"] == app.issuer
    assert told["fhirUser"] == f"{app.fhir_base}/Patient/{answer['patient']}"
    assert told["exp"] - told["iat"] == 3600
    assert app.introspect("garbage").json() == {"active": False}


def test_introspection_is_refused_to_the_anonymous_and_to_public_clients(app: App) -> None:
    url = f"{app.issuer}/oauth/introspect"
    for fields in ({"token": "x"}, {"token": "x", "client_id": "harness-public"}):
        assert error(app.machine.post(url, data=fields)) == (401, "invalid_client")


def test_an_instance_knows_nothing_of_another_ones_tokens(
    app: App, new_app: NewApp, new_instance: NewInstance
) -> None:
    answer = app.launch("patient", SCOPE)
    other = new_app(fhir_base=new_instance()["fhir_base"])
    assert other.introspect(answer["access_token"]).json() == {"active": False}
    assert not works(other, answer)
    assert error(other.refresh(answer["refresh_token"])) == (400, "invalid_grant")


def test_revoking_the_access_token_leaves_the_refresh_token(app: App) -> None:
    answer = app.launch("patient", SCOPE)
    url = f"{app.issuer}/oauth/revoke"
    fields = {"token": answer["access_token"], "client_id": "harness-public"}
    assert app.machine.post(url, data=fields).status_code == 200
    assert not works(app, answer)
    assert app.refresh(answer["refresh_token"]).status_code == 200


def test_revoking_the_refresh_token_ends_the_grant(app: App) -> None:
    answer = app.launch("patient", SCOPE)
    url = f"{app.issuer}/oauth/revoke"
    fields = {"token": answer["refresh_token"], "client_id": "harness-public"}
    assert app.machine.post(url, data=fields).status_code == 200
    assert app.machine.post(url, data=fields).status_code == 200
    assert not works(app, answer)
    assert error(app.refresh(answer["refresh_token"])) == (400, "invalid_grant")


def test_a_browser_app_may_read_the_token_response(app: App) -> None:
    url = f"{app.issuer}/oauth/token"
    origin = {"origin": "https://app.invalid"}
    preflight = app.machine.options(
        url, headers={**origin, "access-control-request-method": "POST"}
    )
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert app.machine.post(url, headers=origin).headers["access-control-allow-origin"] == "*"
