"""What counts as a bare key, as the same scopes and as the same moment."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from harness.checks.acts.client_kinds import ClientLaunch, of
from harness.checks.acts.issuer_keys import KeySet
from harness.checks.acts.renewed_identity import Renewed
from harness.checks.introspecting import (
    drift,
    issued_at,
    same,
    says_active,
    scopes_apart,
    withheld,
)
from harness.errors import NotApplicable, NotConfigured, NotSupported
from harness.http.exchange import Exchange, Headers, Request, Response
from harness.smart.scopes import ScopeSet

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
RSA = {"kty": "RSA", "kid": "a", "n": "AQ", "e": "AQAB", "use": "sig"}


def exchange(body: Any, *headers: tuple[str, str]) -> Exchange:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = Request("POST", "https://ehr.example/x", Headers(()), b"")
    return Exchange(1, "act", request, Response(200, Headers(headers), content), NOW, 0.0)


def key_set(*keys: dict[str, Any]) -> KeySet:
    return KeySet(exchange({}), keys)


def test_a_bare_key_has_its_numbers() -> None:
    certificate = {"kty": "RSA", "kid": "a", "x5t": "abc"}
    assert key_set(RSA, {"kty": "AKP", "pub": "AQ"}).not_bare == ()
    assert key_set(RSA, certificate).not_bare == ("keys.1 (RSA) lacks e, n",)


def test_a_published_key_is_no_secret() -> None:
    assert key_set(RSA).secret == ()
    private, shared = {**RSA, "d": "AQ"}, {"kty": "oct", "k": "AQ"}
    assert key_set(RSA, private, shared).secret == ("keys.1", "keys.2")


def test_names_of_keys_are_compared_where_there_are_some() -> None:
    nameless = {"kty": "RSA", "n": "AQ", "e": "AQ"}
    assert key_set(RSA, nameless, nameless).repeated == ()
    assert key_set(RSA, RSA).repeated == ("a",)


def test_use_is_asked_for_only_beside_keys_for_encryption() -> None:
    silent = {name: value for name, value in RSA.items() if name != "use"}
    assert key_set(silent).without_use == ()
    encryption = {**RSA, "use": "enc"}
    assert key_set(silent, encryption).without_use == ("keys.0",)
    assert key_set(RSA, encryption, {"kty": "AKP", "pub": "AQ"}).without_use == ()


@pytest.mark.parametrize(
    ("said", "apart"),
    [
        ("patient/Observation.rs patient/Patient.rs openid", ()),
        ("patient/Observation.r patient/Observation.s patient/Patient.read openid launch", ()),
        ("patient/Patient.rs openid", ("without patient/Observation.rs",)),
        (
            "openid patient/Patient.rs patient/Observation.cruds",
            ("beyond them patient/Observation.cud",),
        ),
        (None, ("no scope",)),
    ],
)
def test_scopes_of_an_introspection_are_compared_by_what_they_mean(
    said: str | None, apart: tuple[str, ...]
) -> None:
    granted = ScopeSet.parse("patient/Patient.rs patient/Observation.rs openid")
    assert scopes_apart(exchange({"scope": said}), granted) == apart


def test_a_live_token_may_be_called_inactive_where_its_audience_is_another() -> None:
    def token(**claims: object) -> str:
        plain = (json.dumps(each).encode() for each in ({"alg": "RS256"}, claims))
        return ".".join([*(urlsafe_b64encode(each).decode().rstrip("=") for each in plain), "c2ln"])

    inactive = exchange({"active": False})
    assert withheld(inactive, token(aud="https://ehr.example/r4"), "app")
    assert withheld(inactive, token(aud=["https://ehr.example/r4"]), "app")
    assert not withheld(inactive, token(aud=["https://ehr.example/r4", "app"]), "app")
    assert not withheld(inactive, token(sub="1"), "app")
    assert not withheld(inactive, "opaque", "app")
    assert withheld(inactive, "access_token_for_another-1-redacted", "app")
    assert not withheld(exchange({}), token(aud="https://ehr.example/r4"), "app")
    assert not withheld(exchange(b"<html>"), token(aud="https://ehr.example/r4"), "app")


def test_a_person_is_the_same_by_a_relative_and_by_an_absolute_url() -> None:
    absolute = "https://ehr.example/r4/Patient/1"
    assert same("fhirUser", absolute, "Patient/1")
    assert same("fhirUser", "Patient/1", absolute)
    assert not same("fhirUser", absolute, "Patient/11")
    assert not same("fhirUser", None, "Patient/1")
    assert not same("sub", "a/b", "b")


def test_expiry_is_compared_on_the_clock_of_the_server() -> None:
    launch: Any = SimpleNamespace(
        token=SimpleNamespace(expires_in=3600.0),
        exchange=exchange({}, ("Date", "Fri, 01 May 2026 13:00:00 GMT")),
    )
    an_hour_on = NOW.timestamp() + 3600
    assert drift(launch, exchange({"exp": an_hour_on + 3600})) == 0
    assert drift(launch, exchange({"exp": an_hour_on})) == -3600
    assert drift(launch, exchange({"exp": "soon"})) is None
    assert drift(launch, exchange({"exp": True})) is None


@pytest.mark.parametrize("date", ["", "yesterday", "Fri, 99 May 2026 13:00:00 GMT"])
def test_an_answer_without_a_date_is_dated_by_the_harness(date: str) -> None:
    assert issued_at(exchange({}, ("Date", date))) == NOW


def test_only_a_json_true_says_active() -> None:
    assert says_active(exchange({"active": True}))
    assert not says_active(exchange({"active": "true"}))
    assert not says_active(exchange(b"<html>"))


def test_a_refreshed_identity_may_leave_out_the_nonce_and_nothing_else() -> None:
    before = {"sub": "a", "iss": "b", "nonce": "c"}
    silent = Renewed(exchange({}), before, {})
    assert [silent.differs(claim) for claim in ("sub", "iss", "nonce")] == [True, True, False]
    assert Renewed(exchange({}), before, {**before, "nonce": "d"}).differs("nonce")
    assert not Renewed(exchange({}), before, before).differs("sub")


def test_what_is_left_out_for_a_kind_of_client_is_left_out_with_its_word() -> None:
    found = {"public": NotConfigured("no launch"), "symmetric": "launch"}
    assert of(found, "symmetric") == "launch"
    with pytest.raises(NotConfigured, match="no launch"):
        of(found, "public")


def test_a_refresh_needs_a_token_to_begin_with() -> None:
    authorization: Any = None
    with pytest.raises(NotSupported):
        _ = ClientLaunch(authorization, exchange({"error": "invalid_client"})).refresh_token
    with pytest.raises(NotApplicable):
        _ = ClientLaunch(authorization, exchange({"access_token": "a"})).refresh_token
