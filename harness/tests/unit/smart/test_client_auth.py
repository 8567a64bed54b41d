"""Clients prove themselves as the specification and the strictest EHR want it."""

from __future__ import annotations

import base64
import json
import secrets as randomness
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_plus

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from harness.config.ehr import ClientAuth, OAuthClient, SecretRef
from harness.config.secrets import Secrets
from harness.errors import ConfigError
from harness.smart import keys
from harness.smart.assertion import ASSERTION_TYPE, Assertion
from harness.smart.client_auth import ClientProof, authenticate, signing_key
from harness.smart.keys import SigningKey, generate, load_key, public_jwks

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TOKEN = "https://ehr.example.org/token"
SECRET = randomness.token_urlsafe(9) + "+:%/é"
RSA, EC = generate("RS384"), generate("ES384")


def proof(client: OAuthClient, **environ: str) -> ClientProof:
    return authenticate(client, Secrets(environ), TOKEN, NOW, randomness.token_bytes)


def client(auth: ClientAuth, **more: Any) -> OAuthClient:
    known: dict[str, Any] = {"name": "app", "id": "id:with space", "auth": auth}
    return OAuthClient(**(known | more))


def decoded(part: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return value


def test_a_public_client_names_itself() -> None:
    assert proof(client(ClientAuth.NONE)).fields == (("client_id", "id:with space"),)


def test_basic_encodes_id_and_secret_before_joining_them() -> None:
    asked = client(ClientAuth.SECRET_BASIC, secret=SecretRef("env", "S"))
    ((name, value),) = proof(asked, S=SECRET).headers
    user, _, password = base64.b64decode(value.removeprefix("Basic ")).decode().partition(":")
    assert name == "Authorization"
    assert (unquote_plus(user), unquote_plus(password)) == ("id:with space", SECRET)


def test_post_sends_the_secret_as_a_field() -> None:
    asked = client(ClientAuth.SECRET_POST, secret=SecretRef("env", "S"))
    assert dict(proof(asked, S=SECRET).fields)["client_secret"] == SECRET


def test_a_proof_does_not_show_its_secrets() -> None:
    asked = client(ClientAuth.SECRET_POST, secret=SecretRef("env", "S"))
    assert SECRET not in repr(proof(asked, S=SECRET))


@pytest.mark.parametrize("key", [RSA, EC], ids=["RS384", "ES384"])
def test_an_assertion_has_the_claims_that_strict_servers_want(key: SigningKey) -> None:
    asked = client(ClientAuth.PRIVATE_KEY_JWT, key=SecretRef("env", "K"))
    fields = dict(proof(asked, K=keys.private_jwk(key)).fields)
    assert fields["client_assertion_type"] == ASSERTION_TYPE
    assert "client_id" not in fields
    header, claims, _ = fields["client_assertion"].split(".")
    assert decoded(header) == {"typ": "JWT", "alg": key.alg, "kid": key.kid}
    said = decoded(claims)
    now = int(NOW.timestamp())
    assert (said["iss"], said["sub"], said["aud"]) == ("id:with space", "id:with space", TOKEN)
    assert (said["iat"], said["exp"]) == (now - 5, now + 240)
    assert said["exp"] - said["iat"] <= 300
    jws.deserialize_compact(fields["client_assertion"], key.key, algorithms=[key.alg])


def test_no_two_assertions_share_a_jti() -> None:
    made = {Assertion.create("a", TOKEN, RSA, NOW, randomness.token_bytes).jti for _ in range(50)}
    assert len(made) == 50
    assert all(len(jti) <= 151 for jti in made)


def test_every_claim_can_be_made_wrong() -> None:
    right = Assertion.create("a", TOKEN, RSA, NOW, randomness.token_bytes)
    wrong = replace(right, iss="b", exp="later", kid=None, jti=None, claims={"x": 1})
    header, claims, _ = wrong.sign(RSA).split(".")
    assert "kid" not in decoded(header)
    said = decoded(claims)
    assert (said["iss"], said["exp"], said["x"]) == ("b", "later", 1)
    assert "jti" not in said


def test_an_unsigned_assertion_can_be_built_for_a_negative_test() -> None:
    right = Assertion.create("a", TOKEN, RSA, NOW, randomness.token_bytes)
    header, _, signature = replace(right, alg="none").sign(RSA).split(".")
    assert decoded(header)["alg"] == "none"
    assert signature == ""


def test_a_foreign_key_signs_under_the_kid_of_ours() -> None:
    right = Assertion.create("a", TOKEN, RSA, NOW, randomness.token_bytes)
    header, _, _ = right.sign(generate("RS384")).split(".")
    assert decoded(header)["kid"] == RSA.kid


def test_pem_and_jwk_are_the_same_key() -> None:
    for key in (RSA, EC):
        pem = key.key.as_pem(private=True).decode()
        assert load_key(pem).kid == key.key.thumbprint()
        assert load_key(pem).alg == key.alg


def test_a_set_gives_the_key_that_is_named() -> None:
    text = json.dumps({"keys": [json.loads(keys.private_jwk(k)) for k in (RSA, EC)]})
    assert load_key(text, kid=EC.kid).alg == "ES384"
    assert load_key(text).kid == RSA.kid
    with pytest.raises(ConfigError, match="no private key with kid 'other'"):
        load_key(text, kid="other")


def test_an_ec_key_overrules_the_default_algorithm_of_the_ehr_file() -> None:
    asked = client(ClientAuth.PRIVATE_KEY_JWT, key=SecretRef("env", "K"))
    assert signing_key(asked, Secrets({"K": keys.private_jwk(EC)})).alg == "ES384"


def test_the_algorithm_of_the_ehr_file_holds_for_an_rsa_key() -> None:
    asked = client(ClientAuth.PRIVATE_KEY_JWT, key=SecretRef("env", "K"), alg="RS256")
    pem = RSA.key.as_pem(private=True).decode()
    assert signing_key(asked, Secrets({"K": pem})).alg == "RS256"


def test_the_public_set_has_no_private_member() -> None:
    published = public_jwks([RSA, EC])["keys"]
    assert [key["kid"] for key in published] == [RSA.kid, EC.kid]
    private = {"d", "p", "q", "dp", "dq", "qi"}
    assert not any(private & set(key) for key in published)
    assert isinstance(ECKey.import_key(published[1]), ECKey)
    assert isinstance(RSAKey.import_key(published[0]), RSAKey)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "{",
        "{}",
        '{"kty": "oct", "k": "AAAA"}',
        '{"keys": 7}',
        '{"keys": []}',
        '{"kty": "RSA", "n": "AQAB", "e": "AQAB"}',
        "-----BEGIN PRIVATE KEY-----\nsecret-part\n",
    ],
)
def test_what_is_no_key_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load_key(text)
    assert "secret-part" not in str(refused.value)


def test_a_public_key_cannot_sign() -> None:
    with pytest.raises(ConfigError, match="public"):
        load_key(json.dumps(EC.public_jwk()))


def test_an_algorithm_that_does_not_fit_the_key_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot sign with RS384"):
        load_key(keys.private_jwk(EC), alg="RS384")
    with pytest.raises(ConfigError, match="valid are"):
        generate("HS256")


@pytest.mark.parametrize("auth", [ClientAuth.SECRET_BASIC, ClientAuth.PRIVATE_KEY_JWT])
def test_a_method_without_its_secret_says_what_to_add(auth: ClientAuth) -> None:
    with pytest.raises(ConfigError, match=r"add (secret|key) ="):
        proof(client(auth))
