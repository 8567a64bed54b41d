"""What a profile says beyond the type that it narrows.

A snapshot repeats every word of the type. What is left here is what a validator has to look at once
it has seen to the type.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from harness.spec.definitions.model import Element, Slicing, Type, TypeRef

Types = Mapping[str, Type]


def narrowed(said: Element, type_: Element | None, types: Types) -> Element:
    """What `said` adds to the type's element at the same place, which may not be known.

    Children that add nothing are left out; slices stay, since their names mean something.
    """
    known = type_ or Element(said.name)
    taken = said.types or known.types
    return Element(
        name=said.name,
        minimum=said.minimum if said.minimum != (known.minimum or 0) else None,
        maximum=said.maximum if said.maximum != known.maximum else None,
        types=() if _alike(said.types, known.types) else said.types,
        binding=said.binding if said.binding != known.binding else None,
        fixed=said.fixed,
        pattern=said.pattern,
        constraints=tuple(
            each for each in said.constraints if each.key not in _keys(known, taken, types)
        ),
        must_support=said.must_support,
        uscdi=said.uscdi,
        longest=said.longest if said.longest != known.longest else None,
        slicing=_slicing(said.slicing, known, types),
        children=dict(_children(said, known, types)),
    )


def own_constraints(element: Element, types: Types) -> Element:
    """An element of a type, its children without the invariants that stand in their types."""
    children = {
        name: own_constraints(
            replace(
                child,
                constraints=tuple(
                    each
                    for each in child.constraints
                    if each.key not in _keys(Element(name), child.types, types)
                ),
            ),
            types,
        )
        for name, child in element.children.items()
    }
    return replace(element, children=children, slicing=None)


def below(known: Element, taken: tuple[TypeRef, ...], types: Types) -> Mapping[str, Element]:
    """The children that the type has here: its own, those it refers to, or those of its types."""
    if known.children:
        return known.children
    if known.same_as is not None:
        return _at(known.same_as, types).children
    found: dict[str, Element] = {}
    for each in taken:
        if each.code in types:
            found = {**types[each.code].root.children, **found}
    return found


def _children(said: Element, known: Element, types: Types) -> Iterator[tuple[str, Element]]:
    there = below(known, said.types or known.types, types)
    for name, child in said.children.items():
        added = narrowed(child, there.get(name), types)
        if added != Element(name):
            yield name, added


def _at(path: str, types: Types) -> Element:
    """The element of a type by its path, such as `Observation.referenceRange`."""
    name, *rest = path.split(".")
    element = types[name].root
    for step in rest:
        element = element.children[step]
    return element


def _keys(known: Element, taken: tuple[TypeRef, ...], types: Types) -> set[str]:
    """Keys of the invariants that hold here by the type alone.

    By key: publishers mend the expressions of FHIR's own invariants from version to version.
    """
    roots = [types[each.code].root for each in taken if each.code in types]
    everywhere = {"ele-1", "ext-1"}
    return everywhere | {each.key for root in [known, *roots] for each in root.constraints}


def _slicing(said: Slicing | None, known: Element, types: Types) -> Slicing | None:
    if said is None or (not said.slices and said.rules != "closed" and not said.ordered):
        return None
    return replace(
        said, slices={name: narrowed(each, known, types) for name, each in said.slices.items()}
    )


def _alike(these: tuple[TypeRef, ...], those: tuple[TypeRef, ...]) -> bool:
    """Whether both permit the same, in whatever order."""
    return {_plain(each) for each in these} == {_plain(each) for each in those}


def _plain(ref: TypeRef) -> tuple[object, ...]:
    return (
        ref.code,
        frozenset(ref.profiles),
        frozenset(ref.targets),
        ref.must_support,
        frozenset(ref.must_support_targets),
    )
