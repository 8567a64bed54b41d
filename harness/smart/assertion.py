"""The client's signed word about itself (RFC 7523; SMART App Launch, asymmetric authentication).

https://hl7.org/fhir/smart-app-launch/STU2.2/client-confidential-asymmetric.html
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from harness.smart.entropy import Entropy, fresh

if TYPE_CHECKING:
    # What signs is imported late: cryptography takes a fifth of a second, and few clients sign.
    from harness.smart.keys import SigningKey

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

LIFE = 240
"""Seconds until `exp`; SMART permits 300 at most, and clocks differ."""

BACKDATE = 5
"""Seconds that `iat` lies back: Epic refuses one in the future, and clocks differ."""


UNSIGNED = "none"


@dataclass(frozen=True, slots=True)
class Assertion:
    """A client assertion before it is signed; a claim that is None is left out.

    `dataclasses.replace` builds every wrong one that a negative test needs.
    """

    iss: Any
    sub: Any
    aud: Any
    exp: Any
    iat: Any
    jti: Any
    nbf: Any = None
    typ: Any = "JWT"
    kid: Any = None
    jku: Any = None
    alg: str | None = None
    """None signs with the key's own; `none` leaves the signature out."""
    claims: Mapping[str, Any] = field(default_factory=dict)
    """Further claims."""

    @classmethod
    def create(
        cls, client_id: str, audience: str, key: SigningKey, now: datetime, entropy: Entropy
    ) -> Assertion:
        """What the specification asks for.

        Args:
            client_id: issuer and subject.
            audience: the token endpoint's URL.
            key: names `kid` and algorithm.
            now: time-zone aware.
            entropy: `jti` is 256 bits of it.
        """
        issued = int(now.timestamp())
        return cls(
            iss=client_id,
            sub=client_id,
            aud=audience,
            exp=issued + LIFE,
            iat=issued - BACKDATE,
            jti=fresh(entropy),
            kid=key.kid,
        )

    def sign(self, key: SigningKey) -> str:
        """The compact JWS, signed by `key` whatever the claims say."""
        alg = self.alg or key.alg
        header = _present({"typ": self.typ, "alg": alg, "kid": self.kid, "jku": self.jku})
        names = ("iss", "sub", "aud", "exp", "iat", "nbf", "jti")
        claims = _present({name: getattr(self, name) for name in names}) | dict(self.claims)
        payload = json.dumps(claims, separators=(",", ":"))
        if alg == UNSIGNED:
            return f"{_encode(json.dumps(header))}.{_encode(payload)}."
        from joserfc import jws

        registry = jws.JWSRegistry(algorithms=[alg], strict_check_header=False)
        return jws.serialize_compact(header, payload, key.key, registry=registry)


def _encode(text: str) -> str:
    return urlsafe_b64encode(text.encode()).rstrip(b"=").decode("ascii")


def _present(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
