"""Chance that repeats: one stream of random numbers per seed and purpose."""

from __future__ import annotations

from hashlib import sha256
from random import Random


def stream(seed: int, *purpose: object) -> Random:
    """Returns a generator that is the same for the same arguments on every machine."""
    return Random(f"{seed}/{'/'.join(map(str, purpose))}")  # noqa: S311 - nothing secret hangs on it


def label(seed: int, *purpose: object) -> str:
    """Returns six hexadecimal digits that differ from seed to seed."""
    return sha256(f"{seed}/{'/'.join(map(str, purpose))}".encode()).hexdigest()[:6]
