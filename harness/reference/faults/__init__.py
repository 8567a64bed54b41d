"""The defects that the reference EHR can imitate: what real servers do wrong, read and checked.

One file per part. `alters`: the acts that a fault can alter; none means all. `trips`: the checks
that must fail because of it. Every fault is asked for at one place of the code, by its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from harness.reference.named import catalogue_of, known_among

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
    return catalogue_of(__name__, PARTS, "fault", _read)


def known(names: Iterable[str]) -> frozenset[str]:
    """The names as a set.

    Raises:
        UsageError: a name is not in the catalogue.
    """
    return known_among(names, catalogue(), "fault")


def _read(part: str, entry: Mapping[str, Any]) -> Fault:
    return Fault(
        name=entry["name"],
        part=part,
        cause=entry["cause"],
        alters=tuple(entry.get("alters", ())),
        trips=tuple(entry.get("trips", ())),
    )
