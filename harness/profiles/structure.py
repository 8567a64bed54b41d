"""StructureDefinitions as types and profiles.

https://hl7.org/fhir/R4/structuredefinition.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from harness.profiles.elements import REGEX, element_of, extension, unversioned
from harness.profiles.narrowing import Types, narrowed, own_constraints
from harness.profiles.tree import tree
from harness.spec.definitions.encode import TYPES
from harness.spec.definitions.model import Element, Kind, Profile, Support, Type

_KINDS = frozenset(Kind)


def types_of(structures: Iterable[Mapping[str, Any]]) -> dict[str, Type]:
    """The types among these definitions, by name."""
    found = {type_.name: type_ for type_ in map(_type, filter(is_type, structures))}
    return {
        name: replace(type_, root=own_constraints(type_.root, found))
        for name, type_ in found.items()
    }


def profiles_of(
    structures: Iterable[Mapping[str, Any]], types: Types, support: Mapping[str, Support]
) -> dict[str, Profile]:
    """The profiles and extensions among these definitions, by canonical URL.

    Args:
        structures: StructureDefinitions with snapshots.
        types: that they narrow.
        support: what a guide's text says of must-support, by canonical URL.
    """
    found = [_profile(each, types, support) for each in structures if is_profile(each)]
    return {profile.url: profile for profile in found}


def is_type(structure: Mapping[str, Any]) -> bool:
    """Whether it defines a resource or data type; a logical model is none."""
    return structure.get("kind") in _KINDS and structure.get("derivation") != "constraint"


def is_profile(structure: Mapping[str, Any]) -> bool:
    """Whether it narrows a type."""
    constraint = structure.get("derivation") == "constraint"
    return structure.get("kind") in _KINDS and constraint and "snapshot" in structure


def _type(structure: Mapping[str, Any]) -> Type:
    name, kind = structure["type"], Kind(structure["kind"])
    root = element_of(name, tree(structure["snapshot"]["element"]))
    base = structure.get("baseDefinition")
    regex = None
    if kind is Kind.PRIMITIVE:
        regex = _regex(structure["snapshot"]["element"], f"{name}.value")
        kept = {each: child for each, child in root.children.items() if each != "value"}
        root = replace(root, children=kept)
    return Type(
        name=name,
        kind=kind,
        abstract=structure.get("abstract", False),
        base=base.removeprefix(TYPES) if base else None,
        root=root,
        regex=regex,
    )


def _regex(elements: Iterable[Mapping[str, Any]], path: str) -> str | None:
    for each in elements:
        if each["path"] == path:
            for type_ in each.get("type", ()):
                if (regex := extension(type_, REGEX)) is not None:
                    return str(regex)
    return None


def _profile(structure: Mapping[str, Any], types: Types, support: Mapping[str, Support]) -> Profile:
    url, type_ = structure["url"], structure["type"].removeprefix(TYPES)
    said = element_of(type_, tree(structure["snapshot"]["element"]))
    known = types[type_].root if type_ in types else Element(type_)
    return Profile(
        url=url,
        version=structure.get("version", ""),
        title=structure.get("title") or structure["name"],
        type=type_,
        base=unversioned(structure["baseDefinition"]),
        root=narrowed(said, known, types),
        context=_context(structure.get("context", ())),
        support=support.get(url, Support()),
    )


def _context(said: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Where an extension may stand; a place told by FHIRPath is not told here, so it may be any."""
    contexts = list(said)
    if any(each["type"] not in ("element", "extension") for each in contexts):
        return ()
    return tuple(unversioned(each["expression"]) for each in contexts)
