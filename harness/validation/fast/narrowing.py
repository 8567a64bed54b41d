"""What a profile says beyond its type, as schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from harness.spec.definitions.model import (
    UNBOUNDED,
    Element,
    Kind,
    Profile,
    Slicing,
    TypeRef,
    ValueSet,
)
from harness.validation.fast import coded, slices
from harness.validation.fast.combining import both
from harness.validation.fast.constraints import inner
from harness.validation.fast.primitives import REFUSED, Schema
from harness.validation.fast.types import Place, Types, reference

_SELF: Final = "$this"


@dataclass(slots=True)
class _Object:
    """A schema in the making."""

    properties: dict[str, Schema] = field(default_factory=dict)
    required: list[str] = field(default_factory=list)
    conditions: list[Schema] = field(default_factory=list)

    def schema(self) -> Schema:
        made: dict[str, Any] = {}
        if self.properties:
            made["properties"] = self.properties
        if self.required:
            made["required"] = sorted(set(self.required))
        return both(made or True, *self.conditions)


class Narrowing:
    """Schemas of profiles.

    Args:
        types: schemas and definitions of types.
        value_sets: by URL.
    """

    def __init__(self, types: Types, value_sets: Mapping[str, ValueSet]) -> None:
        self._types = types
        self._value_sets = value_sets

    def profile(self, profile: Profile) -> Schema:
        """What a profile asks for beyond its type; the invariants of a whole resource aside."""
        kind = self._types.kind(profile.type)
        if kind is None:
            return REFUSED
        made = self.object(profile.root, Place(kind, kind.name, kind.root))
        own = inner(profile.root.constraints) if kind.kind is not Kind.RESOURCE else {}
        return both(made, own)

    def object(self, element: Element, place: Place) -> Schema:
        """What the children of an element ask of the object that holds them."""
        made = _Object()
        for name, child in element.children.items():
            base = place.element.children.get(name)
            if base is None:
                return REFUSED
            self._child(child, base, place, made)
        return made.schema()

    def _child(self, child: Element, base: Element, place: Place, made: _Object) -> None:
        refs = {ref.code: ref for ref in child.types}
        names = []
        for name, ref in self._types.keys(base):
            if child.maximum == 0 or (refs and ref.code not in refs):
                made.properties[name] = REFUSED
                continue
            names.append(name)
            one = self._value(child, refs.get(ref.code), ref, base, place)
            one = self._repeated(child, one) if base.array else one
            if one is not True:
                made.properties[name] = one
        if child.minimum and len(names) == 1:
            made.required += names
        elif child.minimum:
            made.conditions.append({"anyOf": [{"required": [name]} for name in names]})
        if child.slicing is not None:
            if base.array:
                self._sliced(child, child.slicing, base, place, made)
            else:
                self._choice(child, base, place, made)

    def _repeated(self, child: Element, one: Schema) -> Schema:
        made: dict[str, Any] = {"items": one} if one is not True else {}
        if child.minimum:
            made["minItems"] = child.minimum
        if child.maximum is not None and child.maximum < UNBOUNDED:
            made["maxItems"] = child.maximum
        return made or True

    def _value(
        self, child: Element, said: TypeRef | None, ref: TypeRef, base: Element, place: Place
    ) -> Schema:
        """What is asked of one value."""
        below = self._types.place(place, base, ref) if child.children else None
        return both(
            True if below is None else self.object(child, below),
            REFUSED if child.children and below is None else True,
            coded.bound(child.binding, ref.code, self._value_sets),
            True if child.fixed is None else {"const": child.fixed},
            True if child.pattern is None else coded.pattern(child.pattern),
            inner(child.constraints) or True,
            True if child.longest is None else {"maxLength": child.longest},
            self._typed(said),
        )

    def _typed(self, said: TypeRef | None) -> Schema:
        """What a type reference asks for beyond the type."""
        if said is None:
            return True
        if said.code == "Reference":
            names = self._types.targets(said)
            return REFUSED if names is None else {"properties": reference(names)}
        if said.code == "Extension":
            return True  # its profile is judged wherever it stands
        return self._types.profiled(said)

    def _choice(self, child: Element, base: Element, place: Place, made: _Object) -> None:
        """Slices of a choice, one for each type."""
        slicing = child.slicing
        if slicing is None or [(e.kind, e.path) for e in slicing.discriminators] != [
            ("type", _SELF)
        ]:
            made.conditions.append(REFUSED)
            return
        for piece in slicing.slices.values():
            kinds = {ref.code: ref for ref in piece.types}
            names = []
            for name, ref in self._types.keys(base):
                if ref.code not in kinds:
                    continue
                names.append(name)
                one = self._value(piece, kinds[ref.code], ref, base, place)
                if piece.maximum == 0:
                    one = REFUSED
                made.properties[name] = both(made.properties.get(name, True), one)
            if piece.minimum:
                made.conditions.append({"anyOf": [{"required": [name]} for name in names]})
        if slicing.rules == "closed":
            sliced = {ref.code for piece in slicing.slices.values() for ref in piece.types}
            others = [name for name, ref in self._types.keys(base) if ref.code not in sliced]
            made.properties |= dict.fromkeys(others, REFUSED)
        elif slicing.rules != "open":
            made.conditions.append(REFUSED)

    def _sliced(
        self, child: Element, slicing: Slicing, base: Element, place: Place, made: _Object
    ) -> None:
        """Slices of an array."""
        ((name, ref),) = self._types.keys(base)
        below = self._types.place(place, base, ref)
        pieces = list(slicing.slices.values())
        found = [slices.matching(each, slicing, below, self._types) for each in pieces]
        tests = [each for each in found if each is not None]
        if len(tests) < len(pieces) or slicing.ordered or slicing.rules == "openAtEnd":
            made.properties[name] = REFUSED
            return
        asked: list[Schema] = []
        contents: list[tuple[Schema, Schema]] = []
        for index, piece in enumerate(pieces):
            test = tests[index]
            # What is asked of every item goes without saying.
            further = [one for one in piece.constraints if one not in child.constraints]
            narrower = replace(piece, constraints=tuple(further))
            content = self._value(
                narrower, piece.types[0] if piece.types else None, ref, base, place
            )
            contents.append((test, content))
            asked.append(slices.counted(piece, test))
            if piece.slicing is not None:
                asked.append(REFUSED)
            if piece.minimum:
                made.required.append(name)
        asked.append(slices.items(contents))
        if slicing.rules == "closed":
            asked.append({"items": {"anyOf": tests}})
        made.properties[name] = both(made.properties.get(name, True), *asked)
