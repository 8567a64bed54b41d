"""The liberties that the reference EHR can take: where two conformant servers may differ.

The inverse of a fault: what one real server does and another does not, both rightly. One file per
part. `liberty` says which specification leaves it open, `url` where. No check may trip over one.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from harness.errors import UsageError

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
    variants = [variant for part in PARTS for variant in _of(part)]
    return MappingProxyType({variant.name: variant for variant in variants})


def _of(part: str) -> list[Variant]:
    text = files(__name__).joinpath(f"{part}.toml").read_text(encoding="utf-8")
    return [
        Variant(
            name=entry["name"],
            part=part,
            difference=entry["difference"],
            liberty=entry["liberty"],
            url=entry["url"],
            together=entry["together"],
            leaves_out=tuple(entry.get("leaves_out", ())),
        )
        for entry in tomllib.loads(text).get("variant", [])
    ]


def known(names: Iterable[str]) -> frozenset[str]:
    """The names as a set.

    Raises:
        UsageError: a name is not in the catalogue.
    """
    wanted = frozenset(names)
    for name in sorted(wanted - catalogue().keys()):
        near = get_close_matches(name, catalogue(), n=1)
        hint = f"did you mean {near[0]!r}?" if near else "see harness reference --list-variants"
        raise UsageError(f"no variant is called {name!r}", hint=hint)
    return wanted
