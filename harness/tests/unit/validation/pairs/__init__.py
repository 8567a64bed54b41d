"""Pairs of nodes written by hand for each invariant: one that meets it and one that does not.

The key is the invariant's, and where it is stated. A node that needs surroundings is a `Placed`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Placed:
    """A node, the resource that holds it, and the Bundle entries around that."""

    node: Any
    resource: Any
    entries: tuple[tuple[str, Any], ...] = ()


Pairs = Mapping[str, tuple[Any, Any]]
