"""Definitions as JSON objects: what a row of a table holds. `decode` reads them back.

What is not said is left out, so that a row shows what there is to know. `UNBOUNDED` is `"*"`;
canonical URLs of FHIR's own types are their names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.spec.definitions.model import (
    UNBOUNDED,
    Amendment,
    Binding,
    Choice,
    CodeSystem,
    Element,
    Profile,
    Slicing,
    Support,
    Type,
    TypeRef,
    ValueSet,
)

TYPES = "http://hl7.org/fhir/StructureDefinition/"
"""What the canonical URL of a type starts with."""


def type_row(type_: Type) -> dict[str, Any]:
    """A type without its name."""
    return said(
        kind=type_.kind.value,
        abstract=type_.abstract,
        base=type_.base,
        regex=type_.regex,
        root=element_row(type_.root),
    )


def profile_row(profile: Profile) -> dict[str, Any]:
    """A profile without its URL."""
    return said(
        version=profile.version,
        title=profile.title,
        type=profile.type,
        base=short(profile.base),
        context=list(profile.context),
        support=_support(profile.support),
        root=element_row(profile.root),
    )


def value_set_row(value_set: ValueSet) -> dict[str, Any]:
    """A value set without its URL; codes in their order, `*` for all of a system."""
    codes = {
        system: "*" if known is None else sorted(known)
        for system, known in sorted(value_set.codes.items())
    }
    row: dict[str, Any] = {"complete": value_set.complete, "codes": codes}
    if value_set.systems is not None:
        row["systems"] = sorted(value_set.systems)
    return row


def code_system_row(system: CodeSystem) -> dict[str, Any]:
    """A code system without its URL."""
    above = {code: sorted(system.above[code]) for code in sorted(system.above)}
    return {"codes": sorted(system.codes)} | said(above=above)


def element_row(element: Element) -> dict[str, Any]:
    """An element without its name, its children and slices by theirs."""
    fixed = {} if element.fixed is None else {"fixed": element.fixed}
    pattern = {} if element.pattern is None else {"pattern": element.pattern}
    return (
        said(
            card=_cardinality(element),
            array=element.array,
            types=[_type_ref(each) for each in element.types],
            same_as=element.same_as,
            binding=_binding(element.binding),
            longest=element.longest,
            ms=element.must_support,
            uscdi=element.uscdi,
        )
        | fixed
        | pattern
        | said(
            constraints=[
                [each.key, each.severity, each.expression, each.human]
                for each in element.constraints
            ],
            slicing=_slicing(element.slicing),
            children=_by_name(element.children),
        )
    )


def short(url: str) -> str:
    """The canonical URL of FHIR's own types by their names, any other as it is."""
    tail = url.removeprefix(TYPES)
    return tail if tail.isalnum() else url


def said(**parts: Any) -> dict[str, Any]:
    """What there is; zero is something, an empty list is nothing."""
    return {
        name: part
        for name, part in parts.items()
        if part is not None and part is not False and part not in ([], {})
    }


def _cardinality(element: Element) -> list[int | str | None]:
    if element.minimum is None and element.maximum is None:
        return []
    return [element.minimum, "*" if element.maximum == UNBOUNDED else element.maximum]


def _type_ref(ref: TypeRef) -> str | dict[str, Any]:
    if ref == TypeRef(ref.code):
        return ref.code
    return said(
        code=ref.code,
        profiles=[short(each) for each in ref.profiles],
        targets=[short(each) for each in ref.targets],
        ms=ref.must_support,
        ms_targets=[short(each) for each in ref.must_support_targets],
    )


def _binding(binding: Binding | None) -> dict[str, str]:
    """Value sets by what binds to them: `{"required": "http://..."}`."""
    if binding is None:
        return {}
    row = {binding.strength.value: binding.value_set}
    if binding.maximum is not None:
        row["maximum"] = binding.maximum
    return row | {f"also {purpose}": url for purpose, url in binding.additional}


def _slicing(slicing: Slicing | None) -> dict[str, Any]:
    if slicing is None:
        return {}
    return {
        "by": [f"{each.kind} {each.path}" for each in slicing.discriminators],
        "rules": slicing.rules,
    } | said(ordered=slicing.ordered, slices=_by_name(slicing.slices))


def _by_name(elements: Mapping[str, Element]) -> dict[str, Any]:
    return {name: element_row(each) for name, each in elements.items()}


def _support(support: Support) -> dict[str, Any]:
    return said(
        choices=[_choice(each) for each in support.choices],
        added=[_amendment(each) for each in support.added],
        withdrawn=[_amendment(each) for each in support.withdrawn],
    )


def _choice(choice: Choice) -> dict[str, Any]:
    return said(elements=list(choice.elements), targets=list(choice.targets), uscdi=choice.uscdi)


def _amendment(amendment: Amendment) -> dict[str, Any]:
    return said(
        element=amendment.element,
        reason=amendment.reason,
        value=amendment.value,
        targets=list(amendment.targets),
        uscdi=amendment.uscdi,
    )
