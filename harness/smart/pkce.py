"""Proof Key for Code Exchange (RFC 7636)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from harness.smart.entropy import Entropy, fresh


class PkceMethod(StrEnum):
    """How the challenge follows from the verifier; SMART permits `S256` only."""

    S256 = "S256"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Pkce:
    """A verifier, kept by the client, and the challenge that goes with the request."""

    verifier: str = field(repr=False)
    challenge: str
    method: PkceMethod = PkceMethod.S256

    @classmethod
    def create(cls, entropy: Entropy, method: PkceMethod = PkceMethod.S256) -> Pkce:
        """A fresh verifier of 43 characters (256 bits, RFC 7636 section 4.1) and its challenge."""
        verifier = fresh(entropy, 32)
        if method is PkceMethod.PLAIN:
            return cls(verifier, verifier, method)
        # Late: a sync of a backend client needs none of it, and it is slow to import.
        from authlib.oauth2.rfc7636 import create_s256_code_challenge

        return cls(verifier, str(create_s256_code_challenge(verifier)), method)
