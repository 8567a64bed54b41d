"""StructureDefinitions as types and profiles.

https://hl7.org/fhir/R4/structuredefinition.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from harness.profiles.differential import merged, spelled_out
from harness.profiles.elements import REGEX, element_of, extension, unversioned
from harness.profiles.narrowing import Types, narrowed, own_constraints
from harness.profiles.tolerance import shown, usable
from harness.profiles.tree import tree
from harness.profiles.typed import checked
from harness.spec.definitions.encode import TYPES
from harness.spec.definitions.model import Element, Kind, Profile, Type

_KINDS = tuple(Kind)


def types_of(structures: Iterable[Mapping[str, Any]], problems: list[str]) -> dict[str, Type]:
    """The types among these definitions, by name; a line in `problems` for what cannot be used."""
    found = usable(filter(is_type, structures), _type, problems)
    return {
        name: replace(type_, root=own_constraints(type_.root, found))
        for name, type_ in found.items()
    }


def profiles_of(
    structures: Iterable[Mapping[str, Any]],
    types: Types,
    elsewhere: Mapping[str, Profile],
    problems: list[str],
) -> dict[str, Profile]:
    """The profiles and extensions among these definitions, by canonical URL.

    Args:
        structures: StructureDefinitions.
        types: that they narrow.
        elsewhere: profiles that they may build on, by canonical URL.
        problems: gets a line for each that cannot be used.
    """
    own = {each["url"]: each for each in structures if is_profile(each)}
    reading = _Reading(own, types, elsewhere, problems)
    return usable(own.values(), lambda each: (each["url"], reading.of(each["url"])), problems)


def is_type(structure: Mapping[str, Any]) -> bool:
    """Whether it defines a resource or data type; a logical model is none."""
    return structure.get("kind") in _KINDS and structure.get("derivation") != "constraint"


def is_profile(structure: Mapping[str, Any]) -> bool:
    """Whether it narrows a type."""
    return structure.get("kind") in _KINDS and structure.get("derivation") == "constraint"


def _type(structure: Mapping[str, Any]) -> tuple[str, Type]:
    name, kind = structure["type"], Kind(structure["kind"])
    root = element_of(name, tree(structure["snapshot"]["element"]))
    base = structure.get("baseDefinition")
    regex = None
    if kind is Kind.PRIMITIVE:
        regex = _regex(structure["snapshot"]["element"], f"{name}.value")
        kept = {each: child for each, child in root.children.items() if each != "value"}
        root = replace(root, children=kept)
    return name, checked(
        Type(
            name=name,
            kind=kind,
            abstract=structure.get("abstract", False),
            base=base.removeprefix(TYPES) if base else None,
            root=root,
            regex=regex,
        )
    )


def _regex(elements: Iterable[Mapping[str, Any]], path: str) -> str | None:
    for each in elements:
        if each["path"] == path:
            for type_ in each.get("type", ()):
                if (regex := extension(type_, REGEX)) is not None:
                    return str(regex)
    return None


@dataclass(slots=True)
class _Reading:
    """Profiles on their way; one without a snapshot is read after the one that it builds on."""

    structures: Mapping[str, Mapping[str, Any]]
    types: Types
    elsewhere: Mapping[str, Profile]
    problems: list[str]
    done: dict[str, Profile] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)

    def of(self, url: str) -> Profile:
        """The profile of that URL.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: its definition is malformed.
        """
        if url in self.done:
            return self.done[url]
        if url in self.begun:
            raise ValueError("it builds on itself")
        self.begun.add(url)
        structure = self.structures[url]
        type_ = structure["type"].removeprefix(TYPES)
        profile = checked(
            Profile(
                url=url,
                version=structure.get("version", ""),
                title=structure.get("title") or structure["name"],
                type=type_,
                base=unversioned(structure["baseDefinition"]),
                root=self._root(structure, type_),
                context=_context(structure.get("context", ())),
            )
        )
        self.done[url] = profile
        return profile

    def _root(self, structure: Mapping[str, Any], type_: str) -> Element:
        known = self.types[type_].root if type_ in self.types else Element(type_)
        if "snapshot" in structure:
            said = element_of(type_, tree(structure["snapshot"]["element"]))
            return narrowed(said, known, self.types)
        said = element_of(type_, tree(structure["differential"]["element"]))
        own = narrowed(spelled_out(said, known, self.types), known, self.types)
        base = unversioned(structure["baseDefinition"])
        if base == TYPES + type_:
            return own
        if base in self.structures:
            return merged(self.of(base).root, own)
        if base in self.elsewhere:
            return merged(self.elsewhere[base].root, own)
        self.problems.append(f"{shown(structure)}: what it builds on is not here: {base}")
        return own


def _context(said: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Where an extension may stand; a place told by FHIRPath is not told here, so it may be any."""
    contexts = list(said)
    if any(each["type"] not in ("element", "extension") for each in contexts):
        return ()
    return tuple(unversioned(each["expression"]) for each in contexts)
