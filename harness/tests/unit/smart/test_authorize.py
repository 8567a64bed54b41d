"""Authorization requests and what comes back by redirect."""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import OAuthError, ProtocolError
from harness.smart.authorize import AuthorizationRequest, AuthorizationResponse
from harness.smart.pkce import Pkce, PkceMethod

REDIRECT = "https://app.example.org/callback"


def request(**changes: Any) -> Any:
    given_: dict[str, Any] = {
        "endpoint": "https://ehr.example.org/authorize",
        "client_id": "app",
        "redirect_uri": REDIRECT,
        "scopes": ("openid", "patient/Observation.rs?category=a|b"),
        "aud": "https://ehr.example.org/fhir",
        "entropy": secrets.token_bytes,
    } | changes
    return AuthorizationRequest.build(given_.pop("endpoint"), **given_)


def redirect(to: str = REDIRECT, **parameters: str) -> Any:
    return f"{to}?{urlencode(parameters)}"


def test_query_parameters_of_the_endpoint_are_kept() -> None:
    url = request(endpoint="https://ehr.example.org/authorize?tenant=a%20b&x=").url
    query = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    assert query[:2] == [("tenant", "a b"), ("x", "")]
    assert dict(query)["scope"] == "openid patient/Observation.rs?category=a|b"


def test_the_challenge_is_the_hash_of_the_verifier() -> None:
    sent = request()
    digest = hashlib.sha256(sent.pkce.verifier.encode()).digest()
    expected = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert parse_qs(urlsplit(sent.url).query)["code_challenge"] == [expected]
    assert parse_qs(urlsplit(sent.url).query)["code_challenge_method"] == ["S256"]


def test_a_plain_challenge_is_the_verifier() -> None:
    pkce = Pkce.create(secrets.token_bytes, PkceMethod.PLAIN)
    assert pkce.challenge == pkce.verifier


def test_state_and_nonce_are_fresh_and_long() -> None:
    one, other = request(), request()
    assert one.state != other.state
    assert len(base64.urlsafe_b64decode(one.state + "=")) * 8 >= 122
    assert one.nonce != one.state


def test_without_openid_there_is_no_nonce() -> None:
    assert request(scopes=("launch/patient",)).nonce is None


def test_extra_parameters_win_and_none_leaves_one_out() -> None:
    query = parse_qs(urlsplit(request(extra={"aud": None, "response_type": "token"}).url).query)
    assert "aud" not in query
    assert query["response_type"] == ["token"]


def test_secrets_do_not_show() -> None:
    sent = request()
    assert sent.state not in repr(sent)
    assert sent.pkce.verifier not in repr(sent)


def test_a_code_with_our_state_is_taken() -> None:
    sent = request()
    response = AuthorizationResponse.parse(redirect(code="c-1", state=sent.state), sent)
    assert response.state_matches
    assert response.require_code() == "c-1"


def test_a_foreign_state_is_noted_and_the_code_not_used() -> None:
    response = AuthorizationResponse.parse(redirect(code="c-1", state="theirs"), request())
    assert not response.state_matches
    with pytest.raises(ProtocolError, match="state"):
        response.require_code()


def test_a_refusal_is_a_value() -> None:
    sent = request()
    url = redirect(error="access_denied", error_description="no\x1b[31m thanks", state=sent.state)
    response = AuthorizationResponse.parse(url, sent)
    assert (response.error, response.code) == ("access_denied", None)
    assert "\x1b" not in str(response.error_description)
    with pytest.raises(OAuthError, match="access_denied"):
        response.require_code()


def test_duplicates_are_noted() -> None:
    sent = request()
    url = redirect(code="c-1", state=sent.state) + "&code=c-2"
    response = AuthorizationResponse.parse(url, sent)
    assert response.duplicates == ("code",)
    assert response.code == "c-1"


def test_parameters_in_the_fragment_are_found() -> None:
    sent = request()
    response = AuthorizationResponse.parse(f"{REDIRECT}#code=c&state={sent.state}", sent)
    assert response.in_fragment
    assert response.code == "c"


@pytest.mark.parametrize(
    "url",
    [
        "https://app.example.org.evil.test/callback?code=c",
        "http://app.example.org/callback?code=c",
        "https://app.example.org/other?code=c",
        "https://app.example.org:444/callback?code=c",
    ],
)
def test_another_place_is_no_answer(url: str) -> None:
    with pytest.raises(ProtocolError, match="redirect"):
        AuthorizationResponse.parse(url, request())


def test_custom_schemes_and_own_query_parameters_are_recognised() -> None:
    sent = request(redirect_uri="org.example.app:/cb?tenant=7")
    assert sent.answered_by("org.example.app:/cb?tenant=7&code=1")
    assert not sent.answered_by("org.example.app:/cb?code=1")
    assert sent.answered_by("org.example.app:/cb?tenant=7?code=1")
    assert not sent.answered_by("org.example.app:/cb?tenant=77&code=1")
    response = AuthorizationResponse.parse(
        f"org.example.app:/cb?tenant=7&code=1&state={sent.state}", sent
    )
    assert dict(response.parameters) == {"code": "1", "state": sent.state}


@given(st.text(max_size=80))
def test_no_redirect_breaks_the_parser(tail: str) -> None:
    sent = request()
    AuthorizationResponse.parse(f"{REDIRECT}?{tail}", sent)
