"""The defects that the reference EHR can imitate: what real servers do wrong, read and checked.

One file per part. `alters`: the acts that a fault can alter; none means all. `trips`: the checks
that must fail because of it. Every fault is asked for at one place of the code, by its name.
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

OAUTH = ("discovery", "launch", "token", "access")
FHIR = ("capability", "search", "write", "sync")
PARTS = (*OAUTH, *FHIR, "push", "throttle", "bulk")
"""The files, in the order of a run."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A defect that a real server could have.

    Args:
        name: what it is called on the command line.
        part: one of `PARTS`.
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
    """All faults by name, in the order of the parts and their files."""
    faults = [fault for part in PARTS for fault in _of(part)]
    return MappingProxyType({fault.name: fault for fault in faults})


def _of(part: str) -> list[Fault]:
    text = files(__name__).joinpath(f"{part}.toml").read_text(encoding="utf-8")
    return [
        Fault(
            name=entry["name"],
            part=part,
            cause=entry["cause"],
            alters=tuple(entry.get("alters", ())),
            trips=tuple(entry.get("trips", ())),
        )
        for entry in tomllib.loads(text)["fault"]
    ]


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
