"""private_key_jwt and client_credentials (SMART Backend Services)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from joserfc.jwk import ECKey, RSAKey

from harness.tests.integration.reference.conftest import NewApp
from harness.tests.reference_process import App, FromNow


@pytest.fixture
def backend(new_app: NewApp) -> App:
    return new_app("harness-backend")


def test_a_backend_client_gets_five_minutes_and_its_scope(backend: App) -> None:
    response = backend.backend()
    assert response.status_code == 200
    answer = response.json()
    assert answer["expires_in"] == 300
    assert answer["scope"] == "system/Observation.rs"
    assert "refresh_token" not in answer
    assert backend.get("Observation?_count=1", answer["access_token"]).status_code == 200
    assert backend.get("Patient?_count=1", answer["access_token"]).status_code == 403


def test_es384_is_accepted_as_well(backend: App) -> None:
    key = ECKey.import_key(json.loads(backend.credentials["REFERENCE_EC_PRIVATE_KEY"]))
    assert backend.backend(**backend.assertion(key=key)).status_code == 200


def test_a_backend_client_with_a_secret(new_app: NewApp) -> None:
    assert new_app("harness-backend-secret").backend().status_code == 200


def test_an_asymmetric_app_launches(new_app: NewApp) -> None:
    app = new_app("harness-asymmetric")
    answer = app.launch("patient", "launch/patient offline_access patient/*.rs")
    assert app.refresh(answer["refresh_token"]).status_code == 200


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "harness-asymmetric"},
        {"sub": "harness-asymmetric"},
        {"iss": None},
        {"sub": None},
        {"aud": None},
        {"aud": "https://other.invalid/token"},
        {"exp": None},
        {"exp": FromNow(-10)},
        {"exp": FromNow(3600)},
        {"exp": "soon"},
        {"exp": 1e300},
        {"nbf": FromNow(120)},
        {"iat": FromNow(120)},
        {"jti": None},
        {"jti": 7},
    ],
    ids=str,
)
def test_an_assertion_with_wrong_claims_is_refused(backend: App, claims: dict[str, Any]) -> None:
    response = backend.backend(**backend.assertion(**claims))
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("header", [{"alg": "RS256"}, {"kid": None}, {"kid": "unknown"}], ids=str)
def test_an_assertion_with_a_wrong_header_is_refused(backend: App, header: dict[str, Any]) -> None:
    response = backend.backend(**backend.assertion(header=header))
    assert response.json()["error"] == "invalid_client"


def test_an_assertion_by_a_foreign_key_is_refused(backend: App) -> None:
    own = json.loads(backend.credentials["REFERENCE_PRIVATE_KEY"])
    foreign = RSAKey.generate_key(2048, parameters={"kid": own["kid"]})
    assert backend.backend(**backend.assertion(key=foreign)).status_code == 401


@pytest.mark.parametrize(
    "compact", ["", "a.b", "a.b.c", "e30.e30.", "e30.W10.x", "é.é.é", "." * 9000]
)
def test_what_is_no_assertion_is_refused(backend: App, compact: str) -> None:
    fields = {**backend.assertion(), "client_assertion": compact}
    assert backend.backend(**fields).status_code == 401


def test_an_unsigned_assertion_is_refused(backend: App) -> None:
    _, claims, _ = backend.assertion()["client_assertion"].split(".")
    fields = {**backend.assertion(), "client_assertion": f"eyJhbGciOiJub25lIn0.{claims}."}
    assert backend.backend(**fields).status_code == 401


def test_another_assertion_type_is_refused(backend: App) -> None:
    fields = {**backend.assertion(), "client_assertion_type": "not_an_assertion_type"}
    assert backend.backend(**fields).status_code == 401


def test_an_assertion_is_used_once(backend: App) -> None:
    fields = backend.assertion()
    assert backend.backend(**fields).status_code == 200
    assert backend.backend(**fields).status_code == 401


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("system/Patient.rs system/Patient.cruds", "system/Patient.rs"),
        ("system/Observation.cruds", "system/Observation.cruds"),
        ("system/Observation.read", "system/Observation.read"),
        ("system/Observation.rs?category=laboratory", "system/Observation.rs?category=laboratory"),
        ("system/*.cruds", None),
        ("patient/*.rs", None),
        ("openid", None),
    ],
)
def test_a_backend_client_gets_what_it_is_registered_for(
    backend: App, scope: str, expected: str | None
) -> None:
    response = backend.backend(scope)
    if expected is None:
        assert (response.status_code, response.json()["error"]) == (400, "invalid_scope")
    else:
        assert response.json()["scope"] == expected


def test_a_backend_client_has_to_ask_for_a_scope(backend: App) -> None:
    assert backend.backend(scope=None).status_code == 400  # type: ignore[arg-type]
