"""Profiles that come without a snapshot: what their differential says, on top of their base.

https://hl7.org/fhir/R4/profiling.html#snapshot
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from harness.profiles.narrowing import Types, below
from harness.spec.definitions.model import Discriminator, Element, Slicing, TypeRef

_BY_URL = (Discriminator("value", "url"),)
_BY_TYPE = (Discriminator("type", "$this"),)


def spelled_out(said: Element, known: Element, types: Types) -> Element:
    """A differential without its short forms.

    `valueQuantity` is the slice of that name of `value[x]`; extensions are sliced by URL, and
    choices by type, though nothing says so.
    """
    there = below(known, said.types or known.types, types)
    short = [_choice(name, child, there) for name, child in said.children.items()]
    chosen = [each.name for each in short if each]
    children: dict[str, Element] = {}
    for child, choice in zip(said.children.values(), short, strict=True):
        found = choice or child
        if choice and chosen.count(choice.name) == 1:  # so no other type is left
            found = replace(choice, types=choice.types[:1], minimum=child.minimum)
        elif choice:
            found = replace(choice, types=())
        inner = spelled_out(found, there.get(found.name, Element(found.name)), types)
        before = children.get(inner.name)
        children[inner.name] = merged(before, inner) if before else inner
    return replace(said, children=children, slicing=_sliced(said, known, types))


def merged(base: Element, said: Element) -> Element:
    """What both say, where the second one goes further."""
    keys = {each.key for each in said.constraints}
    names = [*base.children, *(name for name in said.children if name not in base.children)]
    return Element(
        name=base.name,
        minimum=base.minimum if said.minimum is None else said.minimum,
        maximum=base.maximum if said.maximum is None else said.maximum,
        array=base.array,
        types=said.types or base.types,
        same_as=base.same_as,
        binding=said.binding or base.binding,
        fixed=base.fixed if said.fixed is None else said.fixed,
        pattern=base.pattern if said.pattern is None else said.pattern,
        constraints=(
            *(each for each in base.constraints if each.key not in keys),
            *said.constraints,
        ),
        must_support=said.must_support or base.must_support,
        uscdi=said.uscdi or base.uscdi,
        longest=base.longest if said.longest is None else said.longest,
        slicing=_slicings(base.slicing, said.slicing),
        children={name: _both(base.children, said.children, name) for name in names},
    )


def _choice(name: str, said: Element, there: Mapping[str, Element]) -> Element | None:
    """The choice that an element such as `valueQuantity` is one type of, with it as its slice."""
    if name in there:
        return None
    for choice, element in there.items():
        stem = choice.removesuffix("[x]")
        if choice != stem and name.startswith(stem):
            for type_ in element.types:
                if name == stem + type_.code[:1].upper() + type_.code[1:]:
                    one = replace(said, name=choice, types=said.types or (TypeRef(type_.code),))
                    slicing = Slicing(_BY_TYPE, slices={name: one})
                    return Element(choice, types=one.types, slicing=slicing)
    return None


def _sliced(said: Element, known: Element, types: Types) -> Slicing | None:
    if said.slicing is None:
        return None
    by = said.slicing.discriminators
    if not by and said.name in ("extension", "modifierExtension"):
        by = _BY_URL
    elif not by and said.name.endswith("[x]"):
        by = _BY_TYPE
    slices = {name: spelled_out(each, known, types) for name, each in said.slicing.slices.items()}
    return replace(said.slicing, discriminators=by, slices=slices)


def _slicings(base: Slicing | None, said: Slicing | None) -> Slicing | None:
    if base is None or said is None:
        return base or said
    names = [*base.slices, *(name for name in said.slices if name not in base.slices)]
    return Slicing(
        said.discriminators or base.discriminators,
        said.rules if said.rules != "open" else base.rules,
        said.ordered or base.ordered,
        {name: _both(base.slices, said.slices, name) for name in names},
    )


def _both(base: Mapping[str, Element], said: Mapping[str, Element], name: str) -> Element:
    if name in base and name in said:
        return merged(base[name], said[name])
    return base[name] if name in base else said[name]
