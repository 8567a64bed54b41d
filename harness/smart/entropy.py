"""Randomness as an argument: unpredictable in a run, chosen in a test."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from typing import TypeAlias

Entropy: TypeAlias = Callable[[int], bytes]
"""Gives as many unpredictable bytes as it is asked for; `secrets.token_bytes` in a run."""

system_entropy: Entropy = secrets.token_bytes


def fresh(entropy: Entropy, size: int = 32) -> str:
    """`size` unpredictable bytes as unpadded base64url: 43 characters for 32 bytes."""
    return base64.urlsafe_b64encode(entropy(size)).rstrip(b"=").decode("ascii")
