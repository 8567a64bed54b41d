"""Secrets of the reference EHR: each from the environment, else made at start; none in the code."""

from __future__ import annotations

import json
import os
import secrets
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from harness.errors import ConfigError

PASSWORDS = {
    "patient": "REFERENCE_PATIENT_PASSWORD",
    "family": "REFERENCE_FAMILY_PASSWORD",
    "other": "REFERENCE_OTHER_PASSWORD",
    "clinician": "REFERENCE_CLINICIAN_PASSWORD",
}
CLIENT_SECRET = "REFERENCE_CLIENT_SECRET"
BACKEND_SECRET = "REFERENCE_BACKEND_SECRET"
PRIVATE_KEY = "REFERENCE_PRIVATE_KEY"
EC_PRIVATE_KEY = "REFERENCE_EC_PRIVATE_KEY"

_KINDS: dict[str, tuple[type[RSAKey | ECKey], str]] = {
    PRIVATE_KEY: (RSAKey, "a private RSA JWK"),
    EC_PRIVATE_KEY: (ECKey, "a private P-384 JWK"),
}


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a user exports to act as the registered clients and people.

    Args:
        values: secrets by the name of their environment variable; keys are private JWKs as JSON.
    """

    values: Mapping[str, str]

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Credentials:
        """Takes what `environ` holds and makes the rest.

        Raises:
            ConfigError: a key in the environment is no private RSA or P-384 JWK.
        """
        values = {
            name: environ.get(name) or secrets.token_urlsafe(18)
            for name in (*PASSWORDS.values(), CLIENT_SECRET, BACKEND_SECRET)
        }
        values[PRIVATE_KEY] = environ.get(PRIVATE_KEY) or _private_json(rsa_key("RS384"))
        values[EC_PRIVATE_KEY] = environ.get(EC_PRIVATE_KEY) or _private_json(
            ECKey.generate_key("P-384", parameters={"alg": "ES384", "use": "sig"}, auto_kid=True)
        )
        credentials = cls(values)
        credentials.public_keys()
        return credentials

    def public_keys(self) -> dict[str, RSAKey | ECKey]:
        """The public halves of the client keys, by `kid` (the thumbprint where a JWK has none)."""
        keys: dict[str, RSAKey | ECKey] = {}
        for name, (kind, _) in _KINDS.items():
            key = _private_key(name, self.values[name])
            keys[key.kid or key.thumbprint()] = kind.import_key(key.as_dict(private=False))
        return keys

    def write(self, path: Path) -> None:
        """Writes `export NAME='value'` lines, readable by the owner only."""
        lines = (f"export {name}={shlex.quote(value)}\n" for name, value in self.values.items())
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.writelines(lines)


def rsa_key(alg: str) -> RSAKey:
    """A new RSA key of 2048 bits for signatures with `alg`."""
    return RSAKey.generate_key(2048, parameters={"alg": alg, "use": "sig"}, auto_kid=True)


def _private_json(key: RSAKey | ECKey) -> str:
    return json.dumps(key.as_dict(private=True), separators=(",", ":"))


def _private_key(name: str, text: str) -> RSAKey | ECKey:
    kind, label = _KINDS[name]
    try:
        members: Any = json.loads(text)
        key = kind.import_key(members)
    except (ValueError, TypeError, JoseError) as error:
        raise ConfigError(f"{name} is not {label}", hint="harness jwks makes one") from error
    if not key.is_private or (isinstance(key, ECKey) and key.curve_name != "P-384"):
        raise ConfigError(f"{name} is not {label}", hint="harness jwks makes one")
    return key
