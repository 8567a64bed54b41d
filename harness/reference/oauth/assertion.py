"""Verifying a client assertion (SMART "Client Authentication: Asymmetric", RFC 7523 section 3)."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from joserfc.util import urlsafe_b64decode, urlsafe_b64encode

from harness.reference.varied.discovery import published

if TYPE_CHECKING:
    from harness.reference.clients import Client
    from harness.reference.instance import Instance

ALGORITHMS = ("RS384", "ES384")
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MAX_LIFE = timedelta(minutes=5)
SKEW = timedelta(seconds=2)
"""How far a client's clock may run ahead; whole-second claims round up to one."""
_MAX_LENGTH = 8192


class AssertionRefused(ValueError):
    """The assertion does not prove the client; the text says which rule it breaks."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """A client assertion taken apart, not verified."""

    compact: str
    header: Mapping[str, Any]
    claims: Mapping[str, Any]

    @classmethod
    def parse(cls, compact: str) -> Assertion:
        """Decodes header and claims.

        Raises:
            AssertionRefused: it is no compact JWS of two JSON objects.
        """
        parts = compact.split(".")
        if len(compact) > _MAX_LENGTH or len(parts) != len(("header", "claims", "signature")):
            raise AssertionRefused("the assertion is no compact JWS")
        return cls(compact, _json_object(parts[0]), _json_object(parts[1]))

    @property
    def client_id(self) -> str:
        """The client that the assertion speaks for, by its `sub`; empty where it names none."""
        return self._text("sub")

    @property
    def issuer(self) -> str:
        """The `iss`; empty where there is none."""
        return self._text("iss")

    def _text(self, name: str) -> str:
        value = self.claims.get(name)
        return value if isinstance(value, str) else ""


def verify(instance: Instance, client: Client, assertion: Assertion) -> None:
    """Accepts an assertion once.

    Raises:
        AssertionRefused: it breaks a rule.
    """
    if not instance.has("assertion-signature-ignored"):
        _check_signature(instance, assertion, client.keys)
    _check_client(instance, assertion)
    if not instance.has("assertion-audience-ignored"):
        _check_audience(assertion, published(instance, "token"))
    now = instance.clock.now()
    expires_at = _check_times(instance, assertion, now)
    jti = assertion.claims.get("jti")
    if not isinstance(jti, str) or not jti:
        raise AssertionRefused("jti is missing")
    first = instance.ledger.first_use(client.client_id, jti, expires_at + SKEW, now)
    if not first and not instance.has("assertion-replay-accepted"):
        raise AssertionRefused("this jti has been used before")


def _check_client(instance: Instance, assertion: Assertion) -> None:
    if instance.has("assertion-subject-ignored"):
        return
    foreign = assertion.claims.get("iss") != assertion.client_id
    if foreign and not instance.has("assertion-iss-not-sub-accepted"):
        raise AssertionRefused("iss and sub must both be the client_id")


def _check_signature(
    instance: Instance, assertion: Assertion, keys: Mapping[str, RSAKey | ECKey]
) -> None:
    alg, kid = assertion.header.get("alg"), assertion.header.get("kid")
    if alg == "none" and instance.has("assertion-alg-none-accepted"):
        return
    if alg == "HS256" and instance.has("assertion-hs256-accepted"):
        _check_confused(assertion, keys)
        return
    if alg not in ALGORITHMS:
        raise AssertionRefused(f"alg must be one of {', '.join(ALGORITHMS)}")
    if instance.has("assertion-unknown-kid-accepted"):
        kid = next(each for each, key in keys.items() if key.key_type.startswith(alg[0]))
    if not isinstance(kid, str) or kid not in keys:
        raise AssertionRefused("kid names no registered key")
    if "jku" in assertion.header and not instance.has("assertion-jku-ignored"):
        raise AssertionRefused("jku is not registered: the keys were registered as a set")
    if "crit" in assertion.header:
        raise AssertionRefused("no critical header parameter is understood")
    try:
        jws.deserialize_compact(assertion.compact, keys[kid], algorithms=list(ALGORITHMS))
    except (JoseError, ValueError, TypeError) as error:
        raise AssertionRefused("the signature does not verify") from error


def _check_confused(assertion: Assertion, keys: Mapping[str, RSAKey | ECKey]) -> None:
    """Takes a public key, in PEM as it is published, for a shared secret; a fault's doing."""
    signed, _, signature = assertion.compact.rpartition(".")
    for key in keys.values():
        mac = hmac.digest(key.as_pem(private=False), signed.encode(), "sha256")
        if hmac.compare_digest(urlsafe_b64encode(mac), signature.encode()):
            return
    raise AssertionRefused("the signature does not verify")


def _check_audience(assertion: Assertion, token_endpoint: str) -> None:
    audience = assertion.claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if token_endpoint not in audiences:
        raise AssertionRefused("aud must be the token endpoint")


def _check_times(instance: Instance, assertion: Assertion, now: datetime) -> datetime:
    if instance.has("assertion-times-ignored"):
        return now + MAX_LIFE
    expires_at = _moment(assertion, "exp")
    if expires_at is None:
        raise AssertionRefused("exp is missing")
    if now >= expires_at and not instance.has("assertion-expired-accepted"):
        raise AssertionRefused("the assertion has expired")
    far = expires_at > now + MAX_LIFE + SKEW
    if far and not instance.has("assertion-far-future-accepted"):
        raise AssertionRefused("exp must be at most five minutes ahead")
    for name in ("nbf", "iat"):
        moment = _moment(assertion, name)
        early = moment is not None and moment > now + SKEW
        if early and not instance.has("assertion-issued-in-future-accepted"):
            raise AssertionRefused(f"{name} is in the future")
    return expires_at


def _moment(assertion: Assertion, name: str) -> datetime | None:
    value = assertion.claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise AssertionRefused(f"{name} must be a number of seconds")
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise AssertionRefused(f"{name} is out of range") from error


def _json_object(part: str) -> dict[str, Any]:
    try:
        value = json.loads(urlsafe_b64decode(part.encode("ascii")))
    except (ValueError, RecursionError) as error:
        raise AssertionRefused("the assertion is no compact JWS") from error
    if not isinstance(value, dict):
        raise AssertionRefused("the assertion is no compact JWS")
    return value
