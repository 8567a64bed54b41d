"""One profile, element by element, as steps over the values of its type.

https://hl7.org/fhir/R4/elementdefinition.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from harness.spec.definitions.model import UNBOUNDED, Element, Profile, Strength, Type, TypeRef
from harness.validation.coverage.recording import Recording
from harness.validation.elements.bindings import bound
from harness.validation.elements.constraints import constrained
from harness.validation.profiling.choices import Variant, left_out, needed, present
from harness.validation.profiling.discriminators import Discriminators
from harness.validation.profiling.narrowed import (
    Count,
    Parts,
    absent,
    beside,
    many,
    prohibited,
    single,
)
from harness.validation.profiling.slicing import Piece, Slicer, slicer
from harness.validation.profiling.values import compared, resource_types
from harness.validation.sources import Sources
from harness.validation.values.primitives import CHECKS
from harness.validation.walking.fields import Walk
from harness.validation.walking.keys import element_at, is_choice, names, stem
from harness.validation.walking.walks import in_turn, longest, nothing

_BY_VALUE = frozenset({"value", "pattern"})
Nested: TypeAlias = Callable[[TypeRef, str | None], tuple[Walk, ...]]
"""What the profiles of a type reference ask of its values."""


@dataclass(frozen=True, slots=True)
class _Place:
    """What an element is in the type that is narrowed, and what definitions call it."""

    kind: Type
    element: Element
    label: str


class Narrowing:
    """Compiles one profile."""

    __slots__ = ("_by", "_nested", "_profile", "_recording", "_sources", "_url")

    def __init__(
        self, sources: Sources, by: Discriminators, nested: Nested, profile: Profile
    ) -> None:
        self._sources = sources
        self._by = by
        self._nested = nested
        self._profile = profile
        self._url = profile.url
        self._recording = Recording(profile, sources.targets) if sources.recorded else None

    def walk(self) -> Walk:
        """The walk over objects of the profile's type."""
        kind = self._sources.types.get(self._profile.type)
        if kind is None:
            # A logical model, or a profile of another version of FHIR.
            return nothing
        root = self._profile.root if self._recording is None else self._recording.root
        made = self._object(root, _Place(kind, kind.root, root.name), root.constraints)
        if self._recording is None:
            return made or nothing
        return in_turn(self._recording.whole(), made or nothing)

    def _object(
        self, element: Element, place: _Place, constraints: tuple[Any, ...] = ()
    ) -> Walk | None:
        parts = Parts()
        for name, child in element.children.items():
            base = place.element.children.get(name)
            if base is not None:
                self._child(parts, child, _Place(place.kind, base, f"{place.label}.{name}"))
        parts.steps.extend(constrained(constraints, self._url))
        return parts.walk(self._url)

    def _child(self, parts: Parts, child: Element, place: _Place) -> None:
        if is_choice(place.element):
            parts.steps.extend(self._choice(child, place))
            return
        name = place.element.name
        if child.maximum == 0:
            refused = prohibited(name, self._url)
            parts.fields += [(name, refused), (f"_{name}", refused)]
            return
        minimum = child.minimum or 0
        if minimum > (place.element.minimum or 0):
            parts.required[name] = minimum
        code = _only_code(place.element)
        if code in CHECKS and child.children:
            inner = self._object(child, self._inside(place, code))
            if inner is not None:
                parts.steps.append(beside(name, inner))
        contents = self._contents(child, place, code)
        if place.element.array:
            self._array(parts, child, place, contents)
        elif contents:
            parts.fields.append((name, single(name, contents)))

    def _array(self, parts: Parts, child: Element, place: _Place, contents: list[Walk]) -> None:
        name = place.element.name
        count = Count(child.minimum or 0, _most(child))
        sliced = self._sliced(child, place)
        if contents or sliced or count != Count(min(count.minimum, 1)):
            parts.fields.append((name, many(name, count, contents, sliced, self._url)))
        if sliced and not count.minimum and not place.element.minimum:
            parts.steps.append(absent(name, sliced))

    def _sliced(self, child: Element, place: _Place) -> Slicer | None:
        slicing = child.slicing
        if slicing is None or not (slicing.slices or slicing.rules == "closed"):
            return None
        code = _only_code(place.element)
        itself = any(
            each.path == "$this" and each.kind in _BY_VALUE for each in slicing.discriminators
        )
        pieces = []
        for name, piece in slicing.slices.items():
            inner = replace(place, label=f"{place.label}:{name}")
            # What tells a slice apart is not asked of its items once more.
            asked = _apart(piece) if itself else piece
            steps = tuple(self._contents(asked, inner, code))
            pieces.append(Piece(name, piece, steps, self._sliced(piece, inner)))
        return slicer(slicing, pieces, self._by, self._url)

    def _choice(self, child: Element, place: _Place) -> list[Walk]:
        base, url = place.element, self._url
        variants = {ref.code: Variant(*names(base, ref.code)) for ref in base.types}
        pieces = self._pieces(child, list(variants))
        allowed = _allowed(child, pieces, variants.keys())
        contents = {
            variant: self._variant(child, place, code, pieces.get(code, []))
            for code, variant in variants.items()
            if code in allowed
        }
        refused = [variant for code, variant in variants.items() if code not in allowed]
        steps = left_out(refused, contents, stem(base), url)
        everything = list(variants.values())
        always = (child.minimum or base.minimum or 0) > 0
        if always and not base.minimum:
            # One of a type that is left out is told as such, not as missing.
            steps.append(needed(everything, stem(base), "", url))
        for code, sliced in pieces.items():
            for name, piece in sliced:
                if piece.minimum:
                    among = everything if always else ()
                    steps.append(needed([variants[code]], stem(base), name, url, among))
        return steps + present(contents)

    def _variant(
        self, child: Element, place: _Place, code: str, pieces: list[tuple[str, Element]]
    ) -> list[Walk]:
        walks = self._contents(child, place, code)
        for name, piece in pieces:
            inner = replace(place, label=f"{place.label}:{name}")
            walks += self._contents(piece, inner, code)
        return walks

    def _pieces(self, child: Element, codes: list[str]) -> dict[str, list[tuple[str, Element]]]:
        """The slices of a choice, by the type that each is for."""
        found: dict[str, list[tuple[str, Element]]] = {}
        for name, piece in (child.slicing.slices if child.slicing else {}).items():
            wanted = {ref.code for ref in piece.types} or {
                code for code in codes if names(child, code)[0] == name
            }
            for code in wanted:
                found.setdefault(code, []).append((name, piece))
        return found

    def _contents(self, element: Element, place: _Place, code: str) -> list[Walk]:
        """What is asked of each value of type `code`."""
        sources, url = self._sources, self._url
        refs = [ref for ref in element.types if ref.code == code]
        walks: list[Walk] = []
        if self._recording is not None:
            walks += self._recording.steps(place.label, element, code)
        walks += compared(element, url)
        walks += longest(element.longest, url)
        walks += bound(element.binding, code, sources.value_sets, url)
        permitted = sources.targets.permitted(refs)
        if permitted is not None:
            walks.append(sources.targets.led(permitted, url))
        for ref in refs:
            walks += self._nested(ref, url)
        if code == "Resource" and element.types:
            walks += resource_types(frozenset(ref.code for ref in element.types), url)
        if code not in CHECKS and element.children:
            inner = self._object(element, self._inside(place, code))
            if inner is not None:
                walks.append(inner)
        walks += constrained(element.constraints, url)
        return walks

    def _inside(self, place: _Place, code: str) -> _Place:
        """Where the children of an element are defined."""
        element = place.element
        if element.same_as is not None:
            return replace(place, element=element_at(place.kind, element.same_as))
        if element.children or code not in self._sources.types:
            return place
        kind = self._sources.types[code]
        return _Place(kind, kind.root, place.label)


def _only_code(element: Element) -> str:
    """The type of an element that is no choice; empty where it is what another element is."""
    return element.types[0].code if element.types else ""


def _apart(piece: Element) -> Element:
    """A slice without what its items were told by."""
    if piece.fixed is not None or piece.pattern is not None:
        return replace(piece, fixed=None, pattern=None)
    binding = piece.binding
    if binding is not None and binding.strength is Strength.REQUIRED:
        return replace(piece, binding=None)
    return piece


def _allowed(
    child: Element, pieces: Mapping[str, list[tuple[str, Element]]], codes: Iterable[str]
) -> set[str]:
    """The types that a choice may have."""
    if child.maximum == 0:
        return set()
    allowed = {ref.code for ref in child.types} or set(codes)
    if child.slicing is not None and child.slicing.rules == "closed":
        allowed &= pieces.keys()
    return {
        code for code in allowed if all(piece.maximum != 0 for _, piece in pieces.get(code, ()))
    }


def _most(element: Element) -> int:
    return UNBOUNDED if element.maximum is None else element.maximum
