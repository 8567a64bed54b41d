"""Signing keys of a client: private JWK, JWK Set or PEM; RSA and EC; and the public JWK Set.

SMART App Launch, "Client Authentication: Asymmetric": RS384 or ES384, keys named by `kid`.
https://hl7.org/fhir/smart-app-launch/STU2.2/client-confidential-asymmetric.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, TypeAlias

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from harness.errors import ConfigError

Key: TypeAlias = RSAKey | ECKey

_CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
_RSA_ALGORITHMS = ("RS384", "RS256", "RS512")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, the algorithm it signs with and the name it is published under."""

    key: Key = field(repr=False)
    alg: str
    kid: str

    def public_jwk(self) -> dict[str, Any]:
        """The public half, as the registration and a hosted JWK Set carry it."""
        bare = self.key.as_dict(private=False)
        return bare | {"kid": self.kid, "alg": self.alg, "use": "sig", "key_ops": ["verify"]}

    def signing_with(self, alg: str) -> SigningKey:
        """The same key with another algorithm.

        Raises:
            ConfigError: the key cannot sign with it.
        """
        usable = _algorithms(self.key)
        if alg not in usable:
            hint = f"it can with {', '.join(usable)}"
            raise ConfigError(f"the client's key cannot sign with {alg}", hint=hint)
        return replace(self, alg=alg)


def generate(alg: str = "RS384", kid: str | None = None) -> SigningKey:
    """A fresh key for `alg`: RSA of 3072 bits, or EC on the curve that `alg` names.

    Raises:
        ConfigError: `alg` is none of RS256, RS384, RS512, ES256, ES384, ES512.
    """
    curve = next((c for c, name in _CURVES.items() if name == alg), None)
    if curve is None and alg not in _RSA_ALGORITHMS:
        valid = ", ".join((*_RSA_ALGORITHMS, *_CURVES.values()))
        raise ConfigError(f"alg is {alg!r}; valid are {valid}")
    key: Key = ECKey.generate_key(curve) if curve else RSAKey.generate_key(3072)
    return SigningKey(key, alg, kid or key.thumbprint())


@lru_cache(maxsize=16)  # Checking an RSA key takes ten milliseconds, and a run signs often.
def load_key(text: str, *, alg: str | None = None, kid: str | None = None) -> SigningKey:
    """Read a private key.

    Args:
        text: a JWK or JWK Set as JSON, or PEM.
        alg: what to sign with; None takes the JWK's own, else RS384, or that of the curve.
        kid: its name; None takes the JWK's own, else the thumbprint (RFC 7638). In a JWK Set
            it also chooses the key; without it the first private one is taken.

    Raises:
        ConfigError: no private RSA or EC key, or a key that cannot sign with `alg`. The text of
            the key is never part of the message.
    """
    found, named = _from_json(text, kid) if text.lstrip().startswith("{") else (_pem(text), {})
    if not found.is_private:
        raise ConfigError("the client's key is a public one", hint="signing needs the private key")
    name = kid or str(named.get("kid") or found.thumbprint())
    key = SigningKey(found, _algorithms(found)[0], name)
    return key.signing_with(alg or str(named.get("alg") or key.alg))


def public_jwks(keys: Iterable[SigningKey]) -> dict[str, Any]:
    """The JWK Set to publish; never a private member."""
    return {"keys": [key.public_jwk() for key in keys]}


def published(text: str) -> dict[str, Any]:
    """The JWK Set to publish for a file of keys, private or public, whatever its form.

    Args:
        text: a JWK or JWK Set as JSON, or one PEM.

    Raises:
        ConfigError: no RSA or EC key, or a member that is none. The text is never in the message.
    """
    if not text.lstrip().startswith("{"):
        return {"keys": [_public(_pem(text), {})]}
    members = _members(text)
    if not members:
        raise ConfigError("the file has no key")
    return {"keys": [_public(_import(jwk, str(jwk.get("kty"))), jwk) for jwk in members]}


def _public(key: Key, jwk: dict[str, Any]) -> dict[str, Any]:
    usable = _algorithms(key)
    alg = str(jwk.get("alg") or usable[0])
    if alg not in usable:
        raise ConfigError(
            f"a key of the file cannot sign with its alg {alg}", hint=f"it can with {usable[0]}"
        )
    return SigningKey(key, alg, str(jwk.get("kid") or key.thumbprint())).public_jwk()


def private_jwk(key: SigningKey) -> str:
    """The key as JSON, for the file that a `file:` reference names. A secret."""
    return json.dumps(key.key.as_dict(private=True) | {"kid": key.kid, "alg": key.alg})


def _algorithms(key: Key) -> tuple[str, ...]:
    if isinstance(key, RSAKey):
        return _RSA_ALGORITHMS
    return tuple(name for curve, name in _CURVES.items() if curve == key.curve_name)


def _from_json(text: str, kid: str | None) -> tuple[Key, dict[str, Any]]:
    jwks = _members(text)
    private = [each for each in jwks if each.get("d")] or jwks
    in_set = "keys" in json.loads(text) and kid is not None
    named = [each for each in private if each.get("kid") == kid] if in_set else private
    if not named:
        which = f" with kid {kid!r}" if kid is not None else ""
        raise ConfigError(f"the JWK Set has no private key{which}")
    return _import(named[0], str(named[0].get("kty"))), named[0]


def _members(text: str) -> list[dict[str, Any]]:
    """The JWKs of a JWK or a JWK Set."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise ConfigError("the client's key is neither JSON nor PEM") from None
    candidates = document.get("keys", [document])
    members = candidates if isinstance(candidates, list) else []
    return [each for each in members if isinstance(each, dict)]


def _pem(text: str) -> Key:
    for kty in ("RSA", "EC"):
        try:
            return _import(text, kty)
        except ConfigError:
            continue
    raise ConfigError(
        "the client's key cannot be read", hint="expected a private RSA or EC key, JWK or PEM"
    )


def _import(data: Any, kty: str) -> Key:
    kinds: dict[str, type[RSAKey | ECKey]] = {"RSA": RSAKey, "EC": ECKey}
    if kty not in kinds:
        raise ConfigError(f"the client's key is of type {kty!r}; expected RSA or EC")
    try:
        return kinds[kty].import_key(data)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        # The library's own text may quote the key.
        raise ConfigError(
            f"the client's {kty} key cannot be read ({type(error).__name__})"
        ) from None
