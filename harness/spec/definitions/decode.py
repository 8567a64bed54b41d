"""Rows of tables as definitions; see `encode` for their form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.spec.definitions.encode import TYPES
from harness.spec.definitions.model import (
    UNBOUNDED,
    Amendment,
    Binding,
    Choice,
    CodeSystem,
    Constraint,
    Discriminator,
    Element,
    Kind,
    Profile,
    Slicing,
    Strength,
    Support,
    Type,
    TypeRef,
    ValueSet,
)

_NOBODY = Support()


def type_of(name: str, row: Mapping[str, Any]) -> Type:
    """A type from its row."""
    return Type(
        name,
        Kind(row["kind"]),
        "abstract" in row,
        row.get("base"),
        element_of(name, row.get("root", {})),
        row.get("regex"),
    )


def profile_of(url: str, row: Mapping[str, Any]) -> Profile:
    """A profile from its row."""
    return Profile(
        url,
        row["version"],
        row["title"],
        row["type"],
        long(row["base"]),
        element_of(row["type"], row.get("root", {})),
        tuple(row.get("context", ())),
        _support(row["support"]) if "support" in row else _NOBODY,
    )


def value_set_of(url: str, row: Mapping[str, Any]) -> ValueSet:
    """A value set from its row."""
    codes = {
        system: None if known == "*" else frozenset(known) for system, known in row["codes"].items()
    }
    systems = frozenset(row["systems"]) if "systems" in row else None
    return ValueSet(url, codes, row["complete"], systems)


def code_system_of(url: str, row: Mapping[str, Any]) -> CodeSystem:
    """A code system from its row."""
    above = {code: tuple(each) for code, each in row.get("above", {}).items()}
    return CodeSystem(url, frozenset(row["codes"]), above)


def element_of(name: str, row: Mapping[str, Any]) -> Element:
    """An element from its row."""
    say = row.get
    least, most = say("card", (None, None))
    return Element(
        name=name,
        minimum=least,
        maximum=UNBOUNDED if most == "*" else most,
        array="array" in row,
        types=tuple([_type_ref(each) for each in say("types", ())]),
        same_as=say("same_as"),
        binding=_binding(row["binding"]) if "binding" in row else None,
        fixed=say("fixed"),
        pattern=say("pattern"),
        constraints=tuple([Constraint(*each) for each in say("constraints", ())]),
        must_support="ms" in row,
        uscdi="uscdi" in row,
        longest=say("longest"),
        slicing=_slicing(name, row["slicing"]) if "slicing" in row else None,
        children={each: element_of(each, said) for each, said in say("children", {}).items()},
    )


def long(name: str) -> str:
    """The canonical URL that `encode.short` made this of."""
    return TYPES + name if name.isalnum() else name


def _type_ref(row: str | Mapping[str, Any]) -> TypeRef:
    if isinstance(row, str):
        return TypeRef(row)
    say = row.get
    return TypeRef(
        row["code"],
        tuple(map(long, say("profiles", ()))),
        tuple(map(long, say("targets", ()))),
        "ms" in row,
        tuple(map(long, say("ms_targets", ()))),
    )


def _binding(row: Mapping[str, str]) -> Binding:
    (strength, value_set), *more = row.items()
    return Binding(
        Strength(strength),
        value_set,
        row.get("maximum"),
        tuple([(key[5:], url) for key, url in more if key.startswith("also ")]),
    )


def _slicing(name: str, row: Mapping[str, Any]) -> Slicing:
    by = [each.split(" ", 1) for each in row["by"]]
    return Slicing(
        tuple([Discriminator(kind, path) for kind, path in by]),
        row["rules"],
        "ordered" in row,
        {each: element_of(name, said) for each, said in row.get("slices", {}).items()},
    )


def _support(row: Mapping[str, Any]) -> Support:
    return Support(
        tuple([_choice(each) for each in row.get("choices", ())]),
        tuple([_amendment(each) for each in row.get("added", ())]),
        tuple([_amendment(each) for each in row.get("withdrawn", ())]),
    )


def _choice(row: Mapping[str, Any]) -> Choice:
    return Choice(tuple(row.get("elements", ())), tuple(row.get("targets", ())), "uscdi" in row)


def _amendment(row: Mapping[str, Any]) -> Amendment:
    return Amendment(
        row["element"],
        row["reason"],
        row.get("value"),
        tuple(row.get("targets", ())),
        "uscdi" in row,
    )
