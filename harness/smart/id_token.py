"""ID tokens (OpenID Connect Core sections 2 and 3.1.3.7): read without trust, then judged.

Judging returns findings and never raises: each finding is one sentence about the server, and
whether it matters is for a check to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64decode

from harness.errors import ProtocolError
from harness.http.exchange import kind_of, parse_json
from harness.smart.text import plain

ALGORITHMS = ("RS256", "RS384", "ES256", "ES384")
LEEWAY = 60.0
"""Seconds that two clocks may differ."""

LONGEST = 64 * 1024
LONGEST_SUBJECT = 255
LATEST = 1e12
"""Seconds since 1970 beyond which a number is no moment."""

_BASE64URL = re.compile("[A-Za-z0-9_-]+")
_PUBLIC_MEMBERS = ("kty", "n", "e", "crv", "x", "y")
_TYPES: dict[str, type[RSAKey | ECKey]] = {"RSA": RSAKey, "EC": ECKey}


class Part(StrEnum):
    """What a finding is about."""

    ALG = "alg"
    KID = "kid"
    KEY = "key"
    SIGNATURE = "signature"
    ISS = "iss"
    SUB = "sub"
    AUD = "aud"
    AZP = "azp"
    EXP = "exp"
    IAT = "iat"
    NBF = "nbf"
    NONCE = "nonce"


@dataclass(frozen=True, slots=True)
class Finding:
    """One departure from the specification."""

    part: Part
    message: str

    def __str__(self) -> str:
        return f"{self.part}: {self.message}"


@dataclass(frozen=True, slots=True)
class IdToken:
    """An ID token, decoded and not verified."""

    text: str = field(repr=False)
    header: Mapping[str, Any]
    claims: Mapping[str, Any] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> IdToken:
        """Decode header and claims.

        Raises:
            ProtocolError: no compact JWS with a JSON object in its first two parts.
        """
        parts = text.split(".")
        if len(text) > LONGEST or len(parts) != 3:  # noqa: PLR2004 - RFC 7515 section 3.1
            raise ProtocolError(
                f"id_token: expected a JWT of three parts, got {len(parts)} in {len(text)} bytes"
            )
        return cls(text, _object(parts[0], "header"), _object(parts[1], "claims"))

    @property
    def fhir_user(self) -> str | None:
        """The `fhirUser` claim, or `profile` as SMART 1 called it."""
        found = self.claims.get("fhirUser", self.claims.get("profile"))
        return found if isinstance(found, str) else None


def verify(
    token: IdToken,
    jwks: object,
    *,
    issuer: str,
    client_id: str,
    now: datetime,
    nonce: str | None = None,
    leeway: float = LEEWAY,
) -> tuple[Finding, ...]:
    """Everything that is wrong with an ID token; empty when nothing is.

    Args:
        token: as parsed.
        jwks: the JWK Set of the issuer, parsed JSON of any shape.
        issuer: what `iss` has to be, to the letter.
        client_id: what `aud` has to contain.
        now: harness clock, time-zone aware.
        nonce: as sent; None when none was sent.
        leeway: seconds that the clocks may differ.
    """
    return (
        *_signature(token, jwks),
        *_parties(token.claims, issuer, client_id, nonce),
        *_times(token.claims, now.timestamp(), leeway),
    )


def has_key(token: IdToken, jwks: object) -> bool:
    """Whether a JWK Set has the key that a token names; any of its type where it names none.

    True for an algorithm that is never accepted: no other JWK Set would help.
    """
    alg, kid = token.header.get("alg"), token.header.get("kid")
    if alg not in ALGORITHMS:
        return True
    return any(kid is None or key.get("kid") == kid for key in _usable(jwks, _kty(alg)))


def _kty(alg: str) -> str:
    return "RSA" if alg.startswith("RS") else "EC"


def _usable(jwks: object, kty: str) -> list[dict[str, Any]]:
    return [key for key in _keys(jwks) if key.get("kty") == kty and key.get("use") != "enc"]


def _signature(token: IdToken, jwks: object) -> Iterator[Finding]:
    alg, kid = token.header.get("alg"), token.header.get("kid")
    if alg not in ALGORITHMS:
        yield Finding(Part.ALG, f"expected one of {', '.join(ALGORITHMS)}, got {plain(alg)!r}")
        return
    kty = _kty(alg)
    keys = _usable(jwks, kty)
    if kid is None and len(keys) > 1:
        yield Finding(Part.KID, f"is missing, and the JWK Set has {len(keys)} {kty} keys")
    named = keys if kid is None else [key for key in keys if key.get("kid") == kid]
    if not named:
        what = f"with kid {plain(kid)!r}" if kid is not None else "at all"
        yield Finding(Part.KID, f"the JWK Set has no {kty} key {what}")
        return
    unusable = [reason for reason in (_check(token.text, alg, key) for key in named) if reason]
    if len(unusable) == len(named):
        yield unusable[0]


def _check(text: str, alg: str, jwk: Mapping[str, Any]) -> Finding | None:
    """None when `jwk` verifies the token, else why not."""
    public = {name: value for name, value in jwk.items() if name in _PUBLIC_MEMBERS}
    for name in ("n", "e", "x", "y"):
        if name in public and not _BASE64URL.fullmatch(str(public[name])):
            told = f"{name} of a key of the JWK Set is not base64url without padding"
            return Finding(Part.KEY, f"{told} (RFC 7515 section 2)")
    try:
        key = _TYPES[public["kty"]].import_key(public)
    except (JoseError, ValueError, TypeError, KeyError, Warning) as error:
        return Finding(Part.KEY, f"a key of the JWK Set cannot be used ({type(error).__name__})")
    registry = JWSRegistry(algorithms=[alg], strict_check_header=False)
    try:
        jws.deserialize_compact(text, key, registry=registry)
    except (JoseError, ValueError, TypeError) as error:
        return Finding(Part.SIGNATURE, f"does not verify with the issuer's key ({error})")
    return None


def _parties(
    claims: Mapping[str, Any], issuer: str, client_id: str, nonce: str | None
) -> Iterator[Finding]:
    if claims.get("iss") != issuer:
        yield Finding(Part.ISS, f"expected {issuer!r}, got {_shown(claims, 'iss')}")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT:
        yield Finding(Part.SUB, f"expected 1 to 255 characters, got {_shown(claims, 'sub')}")
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if client_id not in audiences:
        yield Finding(Part.AUD, f"expected {client_id!r}, got {_shown(claims, 'aud')}")
    if "azp" in claims and claims["azp"] != client_id:
        yield Finding(Part.AZP, f"expected {client_id!r}, got {_shown(claims, 'azp')}")
    if nonce is not None and claims.get("nonce") != nonce:
        came = "another" if "nonce" in claims else "none"
        yield Finding(Part.NONCE, f"expected the one that was sent, got {came}")


def _times(claims: Mapping[str, Any], now: float, leeway: float) -> Iterator[Finding]:
    moments = {name: _moment(claims.get(name)) for name in ("exp", "iat", "nbf")}
    for name, required in (("exp", True), ("iat", True), ("nbf", False)):
        if moments[name] is None and (required or name in claims):
            expected = "expected seconds since 1970"
            yield Finding(Part(name), f"{expected}, got {_shown(claims, name)}")
    expires, issued, starts = moments["exp"], moments["iat"], moments["nbf"]
    if expires is not None and expires + leeway <= now:
        yield Finding(Part.EXP, f"expired {now - expires:.0f} s ago")
    if issued is not None and issued - leeway > now:
        yield Finding(Part.IAT, f"lies {issued - now:.0f} s in the future")
    if starts is not None and starts - leeway > now:
        yield Finding(Part.NBF, f"lies {starts - now:.0f} s in the future")


def _moment(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if abs(value) < LATEST else None


def _shown(claims: Mapping[str, Any], name: str) -> str:
    if name not in claims:
        return "nothing"
    value = claims[name]
    return repr(plain(value)) if isinstance(value, (str, int, float)) else kind_of(value)


def _keys(jwks: object) -> list[dict[str, Any]]:
    keys = jwks.get("keys") if isinstance(jwks, dict) else None
    return [key for key in keys if isinstance(key, dict)] if isinstance(keys, list) else []


def _object(part: str, name: str) -> dict[str, Any]:
    try:
        decoded = urlsafe_b64decode(part.encode("ascii"))
    except ValueError:
        raise ProtocolError(f"id_token: the {name} is not base64url") from None
    value = parse_json(decoded, f"id_token {name}")
    if not isinstance(value, dict):
        raise ProtocolError(f"id_token: expected a JSON object as {name}, got {kind_of(value)}")
    return value
