"""The id_token (OpenID Connect Core section 2, SMART "Scopes for requesting identity data")."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from joserfc import jwt
from joserfc.jwk import RSAKey

from harness.reference.credentials import rsa_key

if TYPE_CHECKING:
    from harness.reference.instance import Instance
    from harness.reference.oauth.ledger import Grant

LIFE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class IssuerKey:
    """The key that signs id_tokens, RS256."""

    private: RSAKey

    @classmethod
    def generate(cls) -> IssuerKey:
        """A new key of 2048 bits."""
        return cls(rsa_key("RS256"))

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """The public key set (RFC 7517 section 5)."""
        return {"keys": [dict(self.private.as_dict(private=False))]}

    def sign(self, claims: dict[str, Any]) -> str:
        """A compact JWT with `kid`."""
        header = {"alg": "RS256", "typ": "JWT", "kid": self.private.kid}
        return jwt.encode(header, claims, self.private, algorithms=["RS256"])


def id_token(instance: Instance, grant: Grant, now: datetime) -> str:
    """The id_token for a grant with the `openid` scope."""
    lifetime = -LIFE if instance.has("id-token-expired") else LIFE
    claims: dict[str, Any] = {
        "iss": instance.issuer,
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
    if grant.fhir_user and not instance.has("fhir-user-missing"):
        claims["fhirUser"] = f"{instance.fhir_base}/{grant.fhir_user}"
    key = instance.key
    if instance.has("id-token-bad-signature"):
        key = replace(key, private=_foreign_key(str(key.private.kid)))
    return key.sign(claims)


@cache
def _foreign_key(kid: str) -> RSAKey:
    members = rsa_key("RS256").as_dict(private=True)
    return RSAKey.import_key({**members, "kid": kid})
