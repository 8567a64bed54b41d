"""The id_token (OpenID Connect Core section 2, SMART "Scopes for requesting identity data")."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from harness.reference.credentials import rsa_key
from harness.reference.varied.discovery import issuer
from harness.reference.varied.granting import user_url

if TYPE_CHECKING:
    from harness.reference.instance import Instance
    from harness.reference.oauth.ledger import Grant

LIFE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class IssuerKey:
    """The key that signs id_tokens, RS256."""

    private: RSAKey | ECKey

    @classmethod
    def generate(cls) -> IssuerKey:
        """A new key of 2048 bits."""
        return cls(rsa_key("RS256"))

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """The public key set (RFC 7517 section 5)."""
        return {"keys": [dict(self.private.as_dict(private=False))]}

    def sign(self, claims: dict[str, Any]) -> str:
        """A compact JWT with `kid`."""
        alg = "RS256" if isinstance(self.private, RSAKey) else "ES384"
        header = {"alg": alg, "typ": "JWT", "kid": self.private.kid}
        return jwt.encode(header, claims, self.private, algorithms=[alg])


def id_token(instance: Instance, grant: Grant, now: datetime) -> str:
    """The id_token for a grant with the `openid` scope."""
    lifetime = -LIFE if instance.has("id-token-expired") else LIFE
    claims: dict[str, Any] = {
        "iss": issuer(instance),
        "sub": grant.username,
        "aud": grant.client_id,
        "iat": int(now.timestamp()),
        "exp": int((now + lifetime).timestamp()),
    }
    if instance.has("id-token-wrong-issuer"):
        claims["iss"] = "https://identity.internal.invalid"
    if instance.has("id-token-wrong-audience"):
        claims["aud"] = instance.fhir_base
    if grant.nonce and not instance.has("id-token-nonce-missing"):
        claims["nonce"] = grant.nonce
    if instance.has("id-token-for-several-audiences"):
        claims |= {"aud": [instance.fhir_base, grant.client_id], "azp": grant.client_id}
    if grant.fhir_user and not instance.has("fhir-user-missing"):
        claims["fhirUser"] = user_claim(instance, grant.fhir_user)
    key = elliptic() if instance.has("id-token-signed-with-es384") else instance.key
    if instance.has("id-token-bad-signature"):
        key = replace(key, private=_foreign_key(str(key.private.kid)))
    return key.sign(claims)


def user_claim(instance: Instance, fhir_user: str) -> str:
    """`fhirUser`, as the id_token and introspection state it."""
    account = "-account" if instance.has("fhir-user-dangling") else ""
    return f"{user_url(instance, fhir_user)}{account}"


@cache
def elliptic() -> IssuerKey:
    """A second key, of another kind."""
    made = ECKey.generate_key("P-384", parameters={"alg": "ES384", "use": "sig"}, auto_kid=True)
    return IssuerKey(made)


@cache
def _foreign_key(kid: str) -> RSAKey:
    members = rsa_key("RS256").as_dict(private=True)
    return RSAKey.import_key({**members, "kid": kid})
