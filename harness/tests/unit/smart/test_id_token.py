"""ID tokens are judged in findings; nothing about them crashes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.util import urlsafe_b64encode

from harness.errors import ProtocolError
from harness.smart.id_token import IdToken, Part, verify
from harness.smart.keys import SigningKey, generate, public_jwks

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
ISSUER = "https://ehr.example.org"
RS256, ES384, OTHER = generate("RS256", "a"), generate("ES384", "b"), generate("RS256", "c")
JWKS = public_jwks([RS256, ES384])
CLAIMS = {
    "iss": ISSUER,
    "sub": "camila",
    "aud": "app",
    "exp": SECONDS + 300,
    "iat": SECONDS,
    "nonce": "n-1",
    "fhirUser": "Patient/p1",
}


def token(key: SigningKey = RS256, header: dict[str, Any] | None = None, **claims: Any) -> str:
    head = {"alg": key.alg, "kid": key.kid, "typ": "JWT"} | (header or {})
    said = {name: value for name, value in (CLAIMS | claims).items() if value is not None}
    kept = {name: value for name, value in head.items() if value is not None}
    return jws.serialize_compact(kept, json.dumps(said), key.key, algorithms=[key.alg])


def parts(text: str, jwks: object = JWKS, **how: Any) -> list[Part]:
    given_: dict[str, Any] = {"issuer": ISSUER, "client_id": "app", "now": NOW, "nonce": "n-1"}
    return [finding.part for finding in verify(IdToken.parse(text), jwks, **(given_ | how))]


@pytest.mark.parametrize("key", [RS256, ES384], ids=["RS256", "ES384"])
def test_a_good_token_has_no_findings(key: SigningKey) -> None:
    assert parts(token(key)) == []
    assert IdToken.parse(token(key)).fhir_user == "Patient/p1"


@pytest.mark.parametrize(
    ("claims", "part"),
    [
        ({"iss": f"{ISSUER}/"}, Part.ISS),
        ({"iss": None}, Part.ISS),
        ({"aud": "other"}, Part.AUD),
        ({"aud": ["other"]}, Part.AUD),
        ({"aud": {}}, Part.AUD),
        ({"azp": "other"}, Part.AZP),
        ({"sub": ""}, Part.SUB),
        ({"sub": "x" * 256}, Part.SUB),
        ({"exp": SECONDS - 61}, Part.EXP),
        ({"exp": None}, Part.EXP),
        ({"exp": "tomorrow"}, Part.EXP),
        ({"exp": True}, Part.EXP),
        ({"iat": SECONDS + 61}, Part.IAT),
        ({"iat": None}, Part.IAT),
        ({"nbf": SECONDS + 61}, Part.NBF),
        ({"nbf": "x"}, Part.NBF),
        ({"nonce": "other"}, Part.NONCE),
        ({"nonce": None}, Part.NONCE),
    ],
)
def test_each_wrong_claim_is_one_finding(claims: dict[str, Any], part: Part) -> None:
    assert parts(token(**claims)) == [part]


def test_clocks_may_differ_a_little() -> None:
    assert parts(token(exp=SECONDS - 59, iat=SECONDS + 59, nbf=SECONDS + 59)) == []


def test_several_audiences_may_include_ours() -> None:
    assert parts(token(aud=["other", "app"])) == []


def test_a_foreign_signature_is_found() -> None:
    assert parts(token(OTHER, {"kid": "a"})) == [Part.SIGNATURE]


def test_an_unknown_kid_is_found() -> None:
    assert parts(token(OTHER)) == [Part.KID]


def test_a_missing_kid_matters_only_where_keys_are_many() -> None:
    assert parts(token(header={"kid": None})) == []
    two = public_jwks([RS256, OTHER])
    assert parts(token(header={"kid": None}), two) == [Part.KID]


def test_an_unsigned_token_is_found() -> None:
    head = urlsafe_b64encode(b'{"alg":"none"}').decode()
    body = urlsafe_b64encode(json.dumps(CLAIMS).encode()).decode()
    assert parts(f"{head}.{body}.") == [Part.ALG]


@pytest.mark.parametrize(
    "jwks", [None, [], {}, {"keys": {}}, {"keys": [7]}, {"keys": [{"kty": "RSA"}]}]
)
def test_any_key_set_leads_to_a_finding(jwks: object) -> None:
    assert set(parts(token(header={"kid": None}), jwks)) <= {Part.KID, Part.KEY}
    assert parts(token(header={"kid": None}), jwks)


def test_a_key_set_with_padding_is_named_as_such() -> None:
    padded = public_jwks([RS256])
    padded["keys"][0]["n"] += "="
    (finding,) = verify(
        IdToken.parse(token()), padded, issuer=ISSUER, client_id="app", now=NOW, nonce="n-1"
    )
    assert str(finding).startswith("key: n of a key of the JWK Set is not base64url")


def test_a_weak_key_is_a_finding() -> None:
    weak = {"keys": [{"kty": "RSA", "n": "w" * 100, "e": "AQAB", "kid": "a"}]}
    assert parts(token(), weak) == [Part.KEY]


@pytest.mark.parametrize("text", ["", "a.b", "a.b.c", "....", "e30.W10.", "é.é.é", "e30." * 40000])
def test_what_is_no_token_is_named(text: str) -> None:
    with pytest.raises(ProtocolError, match="id_token"):
        IdToken.parse(text)


@given(st.text(max_size=80))
def test_no_text_breaks_the_parser(text: str) -> None:
    with pytest.raises(ProtocolError):
        IdToken.parse(f"{text}.{text}")


@given(
    st.dictionaries(
        st.sampled_from([*CLAIMS, "nbf", "azp"]),
        st.one_of(
            st.none(),
            st.integers(),
            st.floats(allow_nan=False, allow_infinity=False),
            st.text(),
            st.lists(st.text()),
        ),
    )
)
def test_no_claims_break_the_judge(claims: dict[str, Any]) -> None:
    head, body = b'{"alg":"RS256"}', json.dumps(claims).encode()
    text = ".".join(urlsafe_b64encode(p).decode() for p in (head, body, b"x"))
    assert parts(text)
