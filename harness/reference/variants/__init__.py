"""The liberties that the reference EHR can take: where two conformant servers may differ.

The inverse of a fault: what one real server does and another does not, both rightly. One file per
part. `liberty` says which specification leaves it open, `url` where. No check may trip over one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from harness.reference.named import catalogue_of, known_among

PARTS = ("discovery", "launch", "token", "access", "search", "resources", "write", "push", "wire")
"""The files, in the order of a run."""


@dataclass(frozen=True, slots=True)
class Variant:
    """Something in which two conformant servers may differ.

    Args:
        name: what it is called on the command line.
        part: one of `PARTS`.
        difference: one sentence: what this server does, and which real one does so too.
        liberty: one sentence: what the specification says about it, or leaves open.
        url: of the specification.
        together: the name of an instance that is varied in more ways at once; those of one name
            neither exclude nor hide each other.
        leaves_out: launches and clients that an EHR file for such a server does not name.
    """

    name: str
    part: str
    difference: str
    liberty: str
    url: str
    together: str
    leaves_out: tuple[str, ...] = ()


@cache
def catalogue() -> Mapping[str, Variant]:
    """All variants by name, in the order of the parts and their files."""
    return catalogue_of(__name__, PARTS, "variant", _read)


def known(names: Iterable[str]) -> frozenset[str]:
    """The names as a set.

    Raises:
        UsageError: a name is not in the catalogue.
    """
    return known_among(names, catalogue(), "variant")


def _read(part: str, entry: Mapping[str, Any]) -> Variant:
    return Variant(
        name=entry["name"],
        part=part,
        difference=entry["difference"],
        liberty=entry["liberty"],
        url=entry["url"],
        together=entry["together"],
        leaves_out=tuple(entry.get("leaves_out", ())),
    )
