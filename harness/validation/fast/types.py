"""Types of FHIR R4 as definitions of a JSON Schema that accepts less than the types do.

Left to the exact checker: what stands beside a primitive (`_birthDate`), null in an array,
contained resources, references by `#` or `urn:`, ids of elements. All of it is valid FHIR, and rare
enough in bulk that it costs nothing to look at it twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from harness.spec.definitions.model import (
    UNBOUNDED,
    Element,
    Kind,
    Profile,
    Type,
    TypeRef,
    ValueSet,
)
from harness.validation.fast.coded import bound
from harness.validation.fast.combining import both, leading_to
from harness.validation.fast.constraints import inner
from harness.validation.fast.extensions import Known, extension
from harness.validation.fast.primitives import PRIMITIVES, REFUSED, Schema

EXTENSION: Final = "Extension-on-"
"""How the names of the definitions of extensions begin."""

_CORE: Final = "http://hl7.org/fhir/StructureDefinition/"


@dataclass(frozen=True, slots=True)
class Place:
    """An element of a type: where the children of a narrowed element are defined.

    Attributes:
        kind: the type.
        path: of the element in it: `Patient.contact`.
        element: the type's definition of it.
    """

    kind: Type
    path: str
    element: Element


class Types:
    """Schemas of types, each made when it is first referred to.

    Args:
        types: by name.
        value_sets: by URL.
        known: what else has a definition.
        narrowed: the schema of what a profile says beyond its type.

    Attributes:
        definitions: what the schemas refer to, under `$defs`.
    """

    def __init__(
        self,
        types: Mapping[str, Type],
        value_sets: Mapping[str, ValueSet],
        known: Known,
        narrowed: Callable[[Profile], Schema],
    ) -> None:
        self.definitions: dict[str, Schema] = {}
        self.narrowed = narrowed
        self._types = types
        self._value_sets = value_sets
        self._known = known

    def kind(self, name: str) -> Type | None:
        """The type of that name."""
        return self._types.get(name)

    def defined(self, name: str, schema: Callable[[], Schema]) -> Schema:
        """A reference to a schema that is made once."""
        if name not in self.definitions:
            self.definitions[name] = True  # types refer to themselves
            self.definitions[name] = schema()
        return {"$ref": f"#/$defs/{name}"}

    def value_set(self, url: str) -> ValueSet | None:
        """The value set of that URL."""
        return self._value_sets.get(url)

    def place(self, place: Place, base: Element, ref: TypeRef) -> Place | None:
        """Where the children of an element are defined, one of whose types is `ref`."""
        if base.same_as is not None:
            return Place(place.kind, base.same_as, _found(place.kind, base.same_as))
        if base.children:
            return Place(place.kind, f"{place.path}.{base.name}", base)
        kind = self._types.get(ref.code)
        return None if kind is None else Place(kind, kind.name, kind.root)

    def profiled(self, ref: TypeRef) -> Schema:
        """What the profiles of a type reference ask for, of which one has to be met."""
        profiles = [self._known.profile(url) for url in ref.profiles]
        if not profiles or None in profiles:
            return True  # the exact checker cannot know either, and says so without an error
        made = [self.narrowed(each) for each in profiles if each is not None]
        return made[0] if len(made) == 1 else {"anyOf": made}

    def of(self, name: str) -> Schema:
        """The schema of a type's values."""
        if name in PRIMITIVES:
            return PRIMITIVES[name]
        kind = self._types.get(name)
        if kind is None or kind.abstract or kind.kind is Kind.RESOURCE:
            return REFUSED
        return self._at(kind, name, kind.root)

    def resource(self, name: str) -> Schema:
        """The schema of a resource type by itself; nothing is one where there is no such type."""
        kind = self._types.get(name)
        if kind is None or kind.kind is not Kind.RESOURCE or kind.abstract:
            return REFUSED
        return self._object(kind, name, kind.root)

    def element(self, kind: Type, path: str, child: Element, ref: TypeRef) -> Schema:
        """The schema of one value of an element, arrays aside."""
        if child.same_as is not None:
            return self._at(kind, child.same_as, _found(kind, child.same_as))
        if child.children:
            return self._at(kind, f"{path}.{child.name}", child)
        if ref.code == "Extension":
            return REFUSED if child.name == "modifierExtension" else self._extension(kind, path)
        own = self._types.get(ref.code)
        said = set(own.root.constraints) if own else set()
        return both(
            PRIMITIVES["id"] if _is_resource_id(kind, path, child) else self.of(ref.code),
            bound(child.binding, ref.code, self._value_sets),
            inner(each for each in child.constraints if each not in said),
            self.led(ref),
            {"maxLength": child.longest} if child.longest is not None else True,
            self.profiled(ref),
            definitions=self.definitions,
        )

    def led(self, ref: TypeRef) -> Schema:
        """Where a Reference may lead."""
        if ref.code != "Reference":
            return True
        names = self.targets(ref)
        if names is None:
            return REFUSED
        return {"properties": reference(names)}

    def targets(self, ref: TypeRef) -> tuple[str, ...] | None:
        """Names of the resource types that a Reference may lead to; None where one is not known."""
        if not ref.targets or f"{_CORE}Resource" in ref.targets:
            kinds = self._types.values()
            return tuple(e.name for e in kinds if e.kind is Kind.RESOURCE and not e.abstract)
        names = [self._known.resource_of(url) for url in ref.targets]
        return None if None in names else tuple(sorted({str(name) for name in names}))

    def keys(self, child: Element) -> Iterator[tuple[str, TypeRef]]:
        """The properties of an element, but for what stands beside primitives, with their types."""
        if not child.name.endswith("[x]"):
            yield child.name, child.types[0] if child.types else TypeRef("BackboneElement")
            return
        for ref in child.types:
            yield child.name[:-3] + ref.code[0].upper() + ref.code[1:], ref

    def _at(self, kind: Type, path: str, element: Element) -> Schema:
        return self.defined(path, lambda: self._object(kind, path, element))

    def _object(self, kind: Type, path: str, element: Element) -> Schema:
        properties: dict[str, Schema] = {}
        required, exclusive, conditions = [], dict[str, Schema](), list[Schema]()
        is_resource = element is kind.root and kind.kind is Kind.RESOURCE
        if is_resource:
            properties["resourceType"] = {"const": kind.name}
            required.append("resourceType")
        for child in element.children.values():
            found = {
                name: _repeated(child, self.element(kind, path, child, ref))
                for name, ref in self.keys(child)
            }
            properties |= {name: each for name, each in found.items() if each is not REFUSED}
            if child.minimum and len(found) == 1:
                required += found
            elif child.minimum:
                conditions.append({"anyOf": [{"required": [name]} for name in found]})
            for name in list(found)[:-1]:
                others = dict.fromkeys((each for each in found if each != name), False)
                exclusive[name] = {"properties": others}
        if not is_resource:
            del properties["id"]
            conditions.append(inner(element.constraints))
        made: dict[str, Any] = {
            "type": "object",
            "properties": properties,
            "additionalProperties": False,
            **({"required": required} if required else {"minProperties": 1}),
        }
        if exclusive:
            made["dependentSchemas"] = {k: v for k, v in exclusive.items() if k in properties}
        return both(made, *conditions)

    def _extension(self, kind: Type, path: str) -> Schema:
        """An extension on an element: which profiles it may have depends on where it stands."""
        standing = {"Element", path}
        if path == kind.name:
            base: Type | None = kind
            while base is not None:
                standing.add(base.name)
                base = self._types.get(base.base) if base.base else None
        else:
            standing.add("BackboneElement")
        here = frozenset(standing)
        return self.defined(f"{EXTENSION}{path}", lambda: extension(self, self._known, here))


def reference(names: tuple[str, ...]) -> dict[str, Schema]:
    """`reference`, and `type` where it is there, of a Reference to one of these types."""
    return {"reference": leading_to(names), "type": {"enum": list(names)}}


def _repeated(child: Element, one: Schema) -> Schema:
    if one is False or not child.array:
        return one
    made: dict[str, Any] = {"type": "array", "items": one, "minItems": max(1, child.minimum or 0)}
    if child.maximum is not None and 0 < child.maximum < UNBOUNDED:
        made["maxItems"] = child.maximum
    return made


def _is_resource_id(kind: Type, path: str, child: Element) -> bool:
    return child.name == "id" and path == kind.name and kind.kind is Kind.RESOURCE


def _found(kind: Type, path: str) -> Element:
    element = kind.root
    for name in path.split(".")[1:]:
        element = element.children.get(name) or element.children[f"{name}[x]"]
    return element
