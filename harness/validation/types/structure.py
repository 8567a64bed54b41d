"""Types of FHIR R4 as walks over JSON, each compiled when the first value of it is met.

https://hl7.org/fhir/R4/json.html, https://hl7.org/fhir/R4/datatypes.html
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.spec.definitions.model import Element, Kind, Type, TypeRef
from harness.validation.elements.bindings import accepted, bound
from harness.validation.elements.constraints import constrained
from harness.validation.elements.systems import listed
from harness.validation.profiling.profiles import Profiles
from harness.validation.sources import Sources
from harness.validation.types.extensions import Extensions
from harness.validation.types.objects import walked
from harness.validation.types.resources import Resources
from harness.validation.types.siblings import sibling, siblings
from harness.validation.values.primitives import CHECKS
from harness.validation.walking.fields import (
    Field,
    Walk,
    complex_many,
    complex_one,
    entry,
    primitive,
    primitives,
)
from harness.validation.walking.judging import Judging
from harness.validation.walking.keys import Key, element_at, stem
from harness.validation.walking.paths import Path
from harness.validation.walking.walks import bounded, longest, nothing

_CLOSES_A_CYCLE = "Identifier"
"""Reference and Identifier hold each other; whichever cycle there is, one of these is on it."""


@dataclass(frozen=True, slots=True)
class _Place:
    """An object of which properties are compiled.

    Attributes:
        kind: the type that it belongs to.
        path: in that type: `Patient.contact`.
        element: its own.
        standing: what an extension on it stands on, in the words of extension contexts.
    """

    kind: Type
    path: str
    element: Element
    standing: frozenset[str]

    @property
    def of_resource(self) -> bool:
        """Whether it is a resource itself."""
        return self.element is self.kind.root and self.kind.kind is Kind.RESOURCE


class Structure:
    """The types of R4, compiled.

    Args:
        sources: the definitions.
        profiles: what profiles ask of extensions and of values of other types.
        applied: judges a resource by the profiles that apply to it, told whether it is a
            contained one.

    Attributes:
        resources: walks over resources.
    """

    __slots__ = ("_extensions", "_profiles", "_sources", "_walks", "resources")

    def __init__(
        self, sources: Sources, profiles: Profiles, applied: Callable[[bool], Walk]
    ) -> None:
        self._sources = sources
        self._profiles = profiles
        self._walks: dict[str, Walk] = {}
        self._extensions = Extensions(self.walk, sources, profiles.walk)
        self.resources = Resources(self.walk, sources.types, applied)

    def walk(self, name: str) -> Walk:
        """The walk over objects of a type; of a primitive, over what stands beside its value.

        It judges nothing where the type is not known.
        """
        made = self._walks.get(name)
        if made is None:
            kind = self._sources.types.get(name)
            made = nothing if kind is None else self._of_type(kind)
            self._walks[name] = made
        return made

    def _is_resource(self, name: str) -> bool:
        """Whether a type of that name is a resource."""
        kind = self._sources.types.get(name)
        return kind is not None and kind.kind is Kind.RESOURCE

    def _of_type(self, kind: Type) -> Walk:
        standing = {"Element"}
        base: Type | None = kind
        while base is not None:
            standing.add(base.name)
            base = None if base.base is None else self._sources.types.get(base.base)
        made = self._object(_Place(kind, kind.name, kind.root, frozenset(standing)))
        return bounded(made) if kind.name == _CLOSES_A_CYCLE else made

    def _inline(self, kind: Type, path: str) -> Walk:
        """The walk over a backbone, from wherever it is referred to."""
        made = self._walks.get(path)
        if made is None:
            standing = frozenset({path, "BackboneElement", "Element"})
            made = self._object(_Place(kind, path, element_at(kind, path), standing))
            self._walks[path] = made
        return made

    def _object(self, place: _Place) -> Walk:
        advice = (listed(self._sources.code_systems),) if place.path == "Coding" else ()
        return walked(
            place.element.children,
            place.path,
            lambda key: self._field(place, key),
            (*advice, *constrained(place.element.constraints, None)),
            whole=place.kind.kind is not Kind.PRIMITIVE,
            resource_type=_judged_before if place.of_resource else None,
        )

    def _field(self, place: _Place, key: Key) -> Field:
        code = key.type.code
        if key.sibling:
            walk = self.walk(code)
            if key.element.array:
                return siblings(key.step, key.name.removeprefix("_"), walk)
            return sibling(key.step, key.name.removeprefix("_"), walk)
        if code in CHECKS:
            return self._primitive(place, key)
        walk, extras = self._complex(place, key), self._extras(key.element, key.type)
        if self._is_resource(code) and not key.element.array:
            return entry(key.step, walk, extras)
        made = complex_many if key.element.array else complex_one
        return made(key.step, walk, extras)

    def _primitive(self, place: _Place, key: Key) -> Field:
        element, code = key.element, key.type.code
        if element.name == "id" and place.of_resource:
            code = "id"
        elif element.name == "reference" and place.path == "Reference":
            # A string by its type, a URL by https://hl7.org/fhir/R4/references.html#literal
            code = "uri"
        extras = (
            *longest(element.longest, None),
            *bound(element.binding, code, self._sources.value_sets, None),
            *constrained(element.constraints, None),
        )
        # What else is asked of a value has to be asked of those in the value set as well.
        alone = len(extras) == 1
        sure = accepted(element.binding, code, self._sources.value_sets) if alone else frozenset()
        if element.array:
            return primitives(key.step, f"_{key.name}", code, extras, sure)
        return primitive(key.step, code, extras, sure)

    def _complex(self, place: _Place, key: Key) -> Walk:
        element, code = key.element, key.type.code
        if element.same_as is not None:
            return bounded(self._inline(place.kind, element.same_as))
        if element.children:
            return self._inline(place.kind, f"{place.path}.{stem(element)}")
        if code == "Extension":
            return self._extensions.walk(place.standing, element.name == "modifierExtension")
        if self._is_resource(code):
            return self.resources.walk(element.name == "contained")
        return self.walk(code)

    def _extras(self, element: Element, ref: TypeRef) -> tuple[Walk, ...]:
        kind = self._sources.types.get(ref.code)
        # The walk over a backbone judges what is asked of it.
        own = element.constraints if element.children else kind.root.constraints if kind else ()
        permitted = self._sources.targets.permitted([ref])
        return (
            *bound(element.binding, ref.code, self._sources.value_sets, None),
            *(() if permitted is None else (self._sources.targets.led(permitted, None),)),
            *self._profiles.of(ref, None),
            *constrained(element.constraints, None, own),
        )


def _judged_before(_value: Any, _node: dict[str, Any], _path: Path, _run: Judging) -> None:
    """`resourceType` decided which walk this is."""
