"""The faults that the reference EHR can have: data from `faults.toml`, read and checked."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from harness.errors import UsageError

PARTS = ("oauth", "fhir", "throttle")


@dataclass(frozen=True, slots=True)
class Fault:
    """A defect that a real server could have.

    Args:
        name: what it is called on the command line.
        part: `oauth`, `fhir` or `throttle`.
        cause: one sentence: what the implementer did wrong.
        alters: names of the acts that it can alter; none means all.
        trips: ids of the checks that must fail because of it.
    """

    name: str
    part: str
    cause: str
    alters: tuple[str, ...] = ()
    trips: tuple[str, ...] = ()


@cache
def catalogue() -> Mapping[str, Fault]:
    """All faults by name, in the order of the file."""
    text = files("harness.reference").joinpath("faults.toml").read_text(encoding="utf-8")
    entries = tomllib.loads(text).get("fault", [])
    faults = [
        Fault(
            name=entry["name"],
            part=entry["part"],
            cause=entry["cause"],
            alters=tuple(entry.get("alters", ())),
            trips=tuple(entry.get("trips", ())),
        )
        for entry in entries
    ]
    return MappingProxyType({fault.name: fault for fault in faults})


def known(names: Iterable[str]) -> frozenset[str]:
    """The names as a set.

    Raises:
        UsageError: a name is not in the catalogue.
    """
    wanted = frozenset(names)
    for name in sorted(wanted - catalogue().keys()):
        near = get_close_matches(name, catalogue(), n=1)
        hint = f"did you mean {near[0]!r}?" if near else "see harness reference --list-faults"
        raise UsageError(f"no fault is called {name!r}", hint=hint)
    return wanted
