"""What the reference EHR publishes about itself is complete and true."""

from __future__ import annotations

import pytest

from harness.spec.shapes import misshapen
from harness.tests.integration.reference.conftest import NewApp, NewInstance
from harness.tests.reference_process import App

REQUIRED = {
    "issuer",
    "jwks_uri",
    "authorization_endpoint",
    "grant_types_supported",
    "token_endpoint",
    "token_endpoint_auth_methods_supported",
    "token_endpoint_auth_signing_alg_values_supported",
    "scopes_supported",
    "response_types_supported",
    "introspection_endpoint",
    "revocation_endpoint",
    "management_endpoint",
    "code_challenge_methods_supported",
    "capabilities",
}


def test_the_configuration_is_json_and_complete(app: App) -> None:
    response = app.get(".well-known/smart-configuration")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json().keys() >= REQUIRED
    assert misshapen("smart-configuration", response.json()) == ()
    assert response.json()["code_challenge_methods_supported"] == ["S256"]
    assert {"launch-ehr", "launch-standalone"} <= set(response.json()["capabilities"])


def test_every_endpoint_that_is_published_answers(app: App) -> None:
    configuration = app.get(".well-known/smart-configuration").json()
    for name in ("token_endpoint", "introspection_endpoint", "revocation_endpoint"):
        assert app.machine.post(configuration[name]).status_code == 400
    assert app.machine.get(configuration["jwks_uri"]).json()["keys"]
    assert app.machine.get(configuration["authorization_endpoint"]).status_code == 400


def test_both_configurations_agree(app: App) -> None:
    smart = app.get(".well-known/smart-configuration").json()
    openid = app.machine.get(f"{smart['issuer']}/.well-known/openid-configuration").json()
    assert openid["issuer"] == smart["issuer"]
    assert openid["id_token_signing_alg_values_supported"] == ["RS256"]
    shared = openid.keys() & smart.keys()
    assert {name: openid[name] for name in shared} == {name: smart[name] for name in shared}


def test_an_instance_publishes_itself_below_its_own_path(
    new_app: NewApp, new_instance: NewInstance
) -> None:
    app = new_app(fhir_base=new_instance()["fhir_base"])
    configuration = app.get(".well-known/smart-configuration").json()
    assert configuration["issuer"] == app.issuer
    assert "/i/test-" in app.issuer
    assert configuration["token_endpoint"] == f"{app.issuer}/oauth/token"
    assert app.launch("patient", "launch/patient patient/*.rs")["access_token"]


@pytest.mark.parametrize(
    "path", ["r4/.well-known/smart-configuration", ".well-known/openid-configuration", "oauth/jwks"]
)
def test_any_origin_may_read_what_is_public(app: App, path: str) -> None:
    response = app.machine.get(f"{app.issuer}/{path}", headers={"origin": "https://app.invalid"})
    assert response.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("authorization", [None, "Bearer", "Basic eDp5", "Bearer garbage"])
def test_a_protected_route_without_a_good_token_answers_401(
    app: App, authorization: str | None
) -> None:
    headers = {"authorization": authorization} if authorization else {}
    response = app.machine.get(f"{app.fhir_base}/Patient", headers=headers)
    assert response.status_code == 401
    assert response.headers["content-type"].startswith("application/fhir+json")
    assert response.json()["resourceType"] == "OperationOutcome"
    challenge = response.headers["www-authenticate"]
    assert challenge.startswith("Bearer ")
    assert ('error="invalid_token"' in challenge) is (authorization == "Bearer garbage")


def test_a_token_in_the_query_is_no_token(app: App) -> None:
    answer = app.launch("patient", "launch/patient patient/*.rs")
    path = f"Patient/{answer['patient']}?access_token={answer['access_token']}"
    assert app.get(path).status_code == 401


def test_metadata_needs_no_token(app: App) -> None:
    assert app.get("metadata").json()["resourceType"] == "CapabilityStatement"
