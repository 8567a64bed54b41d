"""Authorization requests that must be refused, and to whom that is told."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from harness.tests.reference_process import App, redirected

SCOPE = "openid launch/patient patient/*.rs"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"aud": None}, "invalid_request"),
        ({"aud": "https://other.invalid/r4"}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": 'openid "'}, "invalid_scope"),
    ],
)
def test_a_wrong_parameter_is_told_to_the_client_with_its_state(
    app: App, changes: dict[str, str | None], error: str
) -> None:
    answer = redirected(app.open(**{"scope": SCOPE, **changes}))
    assert answer["error"] == error
    assert answer["state"] == app.state
    assert "code" not in answer


def test_a_missing_state_is_refused(app: App) -> None:
    answer = redirected(app.open(SCOPE, state=None))
    assert answer["error"] == "invalid_request"
    assert "state" not in answer


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "nobody"},
        {"client_id": None},
        {"redirect_uri": None},
        {"redirect_uri": "https://evil.invalid/callback"},
        {"redirect_uri": "http://127.0.0.1:8765/callback/"},
        {"redirect_uri": "http://127.0.0.1:8765/callback?more=1"},
        {"client_id": "harness-backend"},
    ],
)
def test_a_wrong_client_or_redirect_uri_is_never_redirected(
    app: App, changes: dict[str, str | None]
) -> None:
    response = app.open(SCOPE, **changes)
    assert response.status_code == 400
    assert "location" not in response.headers
    assert "evil" not in response.text


def test_a_repeated_parameter_is_refused(app: App) -> None:
    url = f"{app.issuer}/oauth/authorize"
    pairs = urlencode([*app.request(SCOPE).items(), ("scope", "openid")])
    assert redirected(app.browser.get(url, params=pairs))["error"] == "invalid_request"


def test_a_trailing_slash_of_the_audience_is_tolerated(app: App) -> None:
    assert app.open(SCOPE, aud=f"{app.fhir_base}/").status_code == 200


def test_scopes_that_nobody_can_grant_are_refused_after_sign_in(app: App) -> None:
    page = app.open("system/*.rs user/*.rs")
    assert page.status_code == 200
    answer = redirected(app.sign_in("patient", "system/*.rs user/*.rs").response)
    assert answer["error"] == "invalid_scope"


def test_granular_scopes_by_anything_but_category_are_left_out(app: App) -> None:
    by_category = "launch/patient patient/Observation.rs?category=laboratory"
    granted = app.launch("patient", f"{by_category} patient/Observation.rs?code=8480-6")
    assert granted["scope"] == by_category


def test_every_registered_redirect_uri_works(app: App) -> None:
    for uri in ("http://localhost:8765/callback", "harness.app:/callback"):
        app.redirect_uri = uri
        response = app.open(SCOPE, prompt="none")
        assert response.headers["location"].startswith(f"{uri}?")
