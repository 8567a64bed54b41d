"""The published keys of an issuer, as checks see them.

RFC 7517; SMART App Launch: "public keys as bare JWK keys"; OpenID Connect Discovery 1.0, jwks_uri.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.checks.acting import Run, act
from harness.errors import PrerequisiteFailed, ProtocolError
from harness.http.exchange import Exchange

OK = 200
BARE: Mapping[str, frozenset[str]] = {
    "RSA": frozenset({"n", "e"}),
    "EC": frozenset({"crv", "x", "y"}),
    "OKP": frozenset({"crv", "x"}),
}
"""The members that make a bare public key, by type (RFC 7518 section 6, RFC 8037)."""

SIGNING = frozenset({"RSA", "EC"})
"""Kinds that id_tokens are signed with; a client passes over all others."""

PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
SYMMETRIC = "oct"


@dataclass(frozen=True, slots=True)
class KeySet:
    """A JWK Set that can be read."""

    exchange: Exchange
    keys: tuple[Mapping[str, Any], ...]

    @property
    def not_bare(self) -> tuple[str, ...]:
        """Public keys that lack what makes them, each with what is missing."""
        return tuple(self._lacking())

    def _lacking(self) -> Iterator[str]:
        for number, key in enumerate(self.keys):
            missing = BARE.get(str(key.get("kty")), frozenset()) - key.keys()
            if missing:
                yield f"keys.{number} ({key.get('kty')}) lacks {', '.join(sorted(missing))}"

    @property
    def secret(self) -> tuple[str, ...]:
        """Keys that nobody but the issuer may have."""
        return tuple(
            f"keys.{number}"
            for number, key in enumerate(self.keys)
            if key.get("kty") == SYMMETRIC or PRIVATE & key.keys()
        )

    @property
    def repeated(self) -> tuple[str, ...]:
        """Values of kid that more than one key has."""
        named = [each["kid"] for each in self.keys if isinstance(each.get("kid"), str)]
        return tuple(sorted({each for each in named if named.count(each) > 1}))

    @property
    def without_use(self) -> tuple[str, ...]:
        """Keys that do not say what they are for, where some are for encryption."""
        if not any(each.get("use") == "enc" for each in self.keys):
            return ()
        return tuple(
            f"keys.{number}"
            for number, key in enumerate(self.keys)
            if "use" not in key and key.get("kty") in SIGNING
        )


@act
async def issuer_keys(run: Run, jwks: Exchange) -> KeySet:
    """The issuer's keys, known to be a JWK Set."""
    del run
    try:
        keys = jwks.json_object().get("keys")
    except ProtocolError as error:
        raise PrerequisiteFailed(f"no JWK Set: {error}") from None
    if jwks.status != OK or not isinstance(keys, list):
        raise PrerequisiteFailed(f"no JWK Set: status {jwks.status}")
    return KeySet(jwks, tuple(each for each in keys if isinstance(each, dict)))
