"""A package reduced to tables: what `harness.spec.definitions` reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TypeVar

from harness.profiles import known
from harness.profiles.codes import Known
from harness.profiles.package import Package
from harness.profiles.search import parameters_of, servers_of
from harness.profiles.structure import profiles_of, types_of
from harness.profiles.terminology import (
    Terminology,
    code_systems_of,
    known_of,
    value_set_of,
)
from harness.profiles.tolerance import MALFORMED
from harness.spec.definitions import Definitions, Source
from harness.spec.definitions import Package as Origin
from harness.spec.definitions.encode import (
    code_system_row,
    profile_row,
    type_row,
    value_set_row,
)
from harness.spec.definitions.model import Binding, CodeSystem, Element, Profile, Strength, ValueSet
from harness.spec.definitions.server_rows import parameter_row, server_row
from harness.spec.definitions.table import Row, text_of

T = TypeVar("T")

_OF_HL7 = ("http://hl7.org/", "http://terminology.hl7.org/")
_FEW = 100
"""So many codes of others a list may have that no binding needs."""


@dataclass(frozen=True, slots=True)
class Tables:
    """What a package was reduced to.

    Attributes:
        origin: the package.
        texts: of the tables, by name.
    """

    origin: Origin
    texts: Mapping[str, str]

    def files(self) -> dict[str, str]:
        """The texts of the files of a folder of tables, by name."""
        manifest = json.dumps(asdict(self.origin), indent=2) + "\n"
        return {"package.json": manifest} | {f"{n}.json": text for n, text in self.texts.items()}

    def source(self) -> tuple[Origin, Source]:
        """For `Definitions.read`."""
        return self.origin, self.texts.get


def derive(
    package: Package, below: Definitions | None, at_most: Mapping[str, int] | None = None
) -> Tables:
    """Reduce a package.

    Args:
        package: the package.
        below: the definitions that it builds on; None of FHIR R4 itself.
        at_most: how many codes of a system a value set may list to be taken with its codes.
    """
    problems: list[str] = []
    structures = package.of("StructureDefinition")
    own = types_of(structures, problems) if below is None else {}
    types = own if below is None else below.types
    elsewhere = below.profiles if below else {}
    profiles = _supported(package, profiles_of(structures, types, elsewhere, problems), elsewhere)
    systems = _systems(package, below, problems)
    roots = [*(each.root for each in own.values()), *(each.root for each in profiles.values())]
    terminology = _terminology(package, systems, below, at_most or {}, problems)
    parameters = parameters_of(package.of("SearchParameter"), problems)
    servers = servers_of(package.of("CapabilityStatement"), problems)
    value_sets = _value_sets(terminology, roots, below)
    tables = {
        "types": _rows(own, type_row, problems),
        "profiles": _rows(profiles, profile_row, problems),
        "value-sets": _rows(value_sets, value_set_row, problems),
        "code-systems": _rows(systems, code_system_row, problems),
        "search-parameters": _rows(parameters, parameter_row, problems),
        "servers": _rows(servers, server_row, problems),
    }
    said = package.manifest
    origin = Origin(said.name, said.version, said.licence, package.sha256, tuple(problems))
    return Tables(origin, {name: text_of(rows) for name, rows in tables.items() if rows})


def _rows(
    things: Mapping[str, T], row_of: Callable[[T], Row], problems: list[str]
) -> dict[str, Row]:
    """Rows of a table, without those that could not be written: too deep, or no Unicode."""
    rows = {}
    for key, each in things.items():
        try:
            row = row_of(each)
            text_of({key: row}).encode()
            rows[key] = row
        except MALFORMED as error:
            problems.append(f"{key}: cannot be written: {type(error).__name__}"[:300])
    return rows


def _supported(
    package: Package, own: Mapping[str, Profile], elsewhere: Mapping[str, Profile]
) -> dict[str, Profile]:
    """Profiles with what their guide says of must-support in words.

    A guide may say so of profiles that it takes from elsewhere; then it has its own row of them.
    """
    support = known.support(package.manifest.name, package.manifest.version)
    there = {url: elsewhere[url] for url in support if url in elsewhere}
    found = {**there, **own}
    return {
        url: replace(each, support=support[url]) if url in support else each
        for url, each in found.items()
    }


def _systems(
    package: Package, below: Definitions | None, problems: list[str]
) -> dict[str, CodeSystem]:
    """The code systems that a package carries; of FHIR R4 those that are HL7's own."""
    found = code_systems_of(package.of("CodeSystem"), problems)
    return {url: each for url, each in found.items() if below or url.startswith(_OF_HL7)}


def _terminology(
    package: Package,
    systems: Mapping[str, CodeSystem],
    below: Definitions | None,
    at_most: Mapping[str, int],
    problems: list[str],
) -> Terminology:
    def elsewhere(url: str) -> Known | None:
        if below is not None and url in below.value_sets:
            return known_of(below.value_sets[url])
        return known.value_sets().get(url)

    def system(url: str) -> CodeSystem | None:
        return systems.get(url) or (below.code_systems.get(url) if below else None)

    said = {each["url"]: each for each in package.of("ValueSet")}
    return Terminology(said, system, elsewhere, at_most, problems)


def _value_sets(
    terminology: Terminology, roots: Iterable[Element], below: Definitions | None
) -> dict[str, ValueSet]:
    """Those that a binding needs, and, to be shipped, others that list little of other owners."""
    ships = bool(terminology.at_most)
    needed = {url for root in roots for binding in _bindings(root) for url in _sets(binding)}
    found = {
        url: value_set_of(url, terminology.of(url))
        for url in sorted({*terminology.value_sets, *needed})
    }
    return {
        url: each
        for url, each in found.items()
        if (url in needed or not ships or _little_of_others(each)) and not _is_below(each, below)
    }


def _is_below(value_set: ValueSet, below: Definitions | None) -> bool:
    return below is not None and below.value_sets.get(value_set.url) == value_set


def _little_of_others(value_set: ValueSet) -> bool:
    listed = [
        len(codes or ())
        for system, codes in value_set.codes.items()
        if not system.startswith(_OF_HL7)
    ]
    return sum(listed) <= _FEW


def _bindings(element: Element) -> Iterator[Binding]:
    if element.binding:
        yield element.binding
    slices = element.slicing.slices if element.slicing else {}
    for each in (*element.children.values(), *slices.values()):
        yield from _bindings(each)


def _sets(binding: Binding) -> Iterator[str]:
    """The value sets that decide something."""
    if binding.strength in (Strength.REQUIRED, Strength.EXTENSIBLE):
        yield binding.value_set
    if binding.maximum:
        yield binding.maximum
    yield from (url for _, url in binding.additional)
