"""Which versions of the specifications a run judges against.

`regulatory.toml` holds the current regulatory set and every known version, with source and date.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Protocol

from harness.errors import UsageError

SPECS = ("us_core", "smart", "bulk")
"""The specifications with a choice of version, by their attribute of `Versions`."""


class WantedVersions(Protocol):
    """Versions as an option or an EHR file names them; None leaves the choice to the next."""

    @property
    def us_core(self) -> str | None:
        """Version of US Core."""

    @property
    def smart(self) -> str | None:
        """Version of SMART App Launch."""

    @property
    def bulk(self) -> str | None:
        """Version of Bulk Data Access."""


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions that a run judges against; each is one of `known`."""

    us_core: str
    smart: str
    bulk: str


@dataclass(frozen=True, slots=True)
class Specification:
    """One specification: its regulatory version, where that stands, and all versions known.

    Attributes:
        name: one of `SPECS`.
        title: as people call it.
        regulatory: the version that regulation asks for.
        citation: where regulation says so.
        statuses: version -> its regulatory status, oldest first.
    """

    name: str
    title: str
    regulatory: str
    citation: str
    statuses: Mapping[str, str]

    @property
    def known(self) -> tuple[str, ...]:
        """Every version that can be judged, oldest first."""
        return tuple(self.statuses)


@dataclass(frozen=True, slots=True)
class RegulatorySet:
    """The regulatory set as it was read.

    Attributes:
        source: where it was read.
        on: when it was read.
        specifications: by name.
    """

    source: str
    on: date
    specifications: Mapping[str, Specification]

    @property
    def versions(self) -> Versions:
        """The versions that regulation asks for."""
        return Versions(**{name: self.specifications[name].regulatory for name in SPECS})


@cache
def regulatory_set() -> RegulatorySet:
    """The current regulatory set."""
    data = tomllib.loads(files("harness.spec").joinpath("regulatory.toml").read_text("utf-8"))
    specifications = {
        name: Specification(
            name=name,
            title=data[name]["title"],
            regulatory=data[name]["regulatory"],
            citation=data[name]["citation"],
            statuses=MappingProxyType(
                {each["version"]: each["status"] for each in data[name]["versions"]}
            ),
        )
        for name in SPECS
    }
    return RegulatorySet(data["source"], data["on"], MappingProxyType(specifications))


def resolve_versions(*wanted: WantedVersions | None) -> Versions:
    """The versions to judge against.

    Args:
        wanted: in order of precedence, such as the options of the command line and then the
            EHR file; what none of them names is the regulatory version.

    Raises:
        UsageError: a version that is not known, with those that are and the nearest.
    """
    return Versions(**{name: _resolved(name, wanted) for name in SPECS})


def _resolved(name: str, wanted: tuple[WantedVersions | None, ...]) -> str:
    specification = regulatory_set().specifications[name]
    for each in wanted:
        version = getattr(each, name, None)
        if version is None:
            continue
        if version not in specification.known:
            raise UsageError(_unknown(specification, version))
        return str(version)
    return specification.regulatory


def _unknown(specification: Specification, version: str) -> str:
    near = get_close_matches(version, specification.known, n=1, cutoff=0.5)
    guess = f"; did you mean {near[0]}?" if near else ""
    return (
        f"{specification.title}: no version {version!a}; "
        f"expected one of {', '.join(specification.known)}{guess}"
    )
