"""Nodes of FHIR, drawn at random around what an expression speaks of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from harness.spec.definitions import Definitions
from harness.spec.definitions.model import Constraint, Element, Type


@dataclass(frozen=True, slots=True)
class Context:
    """Where a constraint is stated.

    Attributes:
        path: `Observation.component`.
        kind: the type of its nodes: `BackboneElement`, `Quantity`, `dateTime`.
        element: whose children they have.
        constraint: the constraint.
    """

    path: str
    kind: str
    element: Element
    constraint: Constraint


def contexts(definitions: Definitions) -> Iterator[Context]:
    """Every place in types and profiles where a constraint is stated."""
    types = definitions.types
    for name, each in types.items():
        yield from _below(name, name, each.root, each.root, types)
    for profile in definitions.profiles.values():
        whole = types[profile.type].root
        yield from _below(profile.type, profile.type, profile.root, whole, types)


def _below(
    path: str, kind: str, element: Element, whole: Element, types: Mapping[str, Type]
) -> Iterator[Context]:
    for constraint in element.constraints:
        yield Context(path, kind, whole, constraint)
    for part in element.slicing.slices.values() if element.slicing else ():
        yield from _below(path, kind, part, whole, types)
    for name, child in element.children.items():
        known = whole.children.get(name, child)
        inner = resolved(known, types)
        of = known.types[0].code if known.types else "BackboneElement"
        yield from _below(f"{path}.{name.removesuffix('[x]')}", of, child, inner, types)


def resolved(element: Element, types: Mapping[str, Type]) -> Element:
    """The element that has the children of this one: itself, or that of its type."""
    if element.same_as:
        first, *rest = element.same_as.split(".")
        there = types[first].root
        for name in rest:
            there = there.children[name]
        return there
    if element.children or len(element.types) != 1 or element.types[0].code not in types:
        return element
    return types[element.types[0].code].root


_POOL: dict[str, list[Any]] = {
    "boolean": [True, False],
    "integer": [0, 1, 2, 7],
    "positiveInt": [1, 2],
    "unsignedInt": [0, 1, 3],
    "decimal": [0, 1, 2.5, -1, 101],
    "date": ["2020", "2021-01", "2021-01-31", "2021-02-01"],
    "dateTime": ["2020-01-01", "2021-01-31T10:00:00Z", "2021-01-31T10:00:00+01:00"],
    "instant": ["2021-01-31T10:00:00Z", "2021-01-31T10:00:00+01:00"],
    "time": ["10:00:00"],
    "id": ["a", "b"],
    "uri": ["urn:a", "http://hl7.org/fhir/StructureDefinition/x", "#a", "#"],
    "string": ["a", "b", "#a", "#", "1", "*", "1234567893", "a.b", "Aa"],
}
_DEEPEST = 5


class Draw:
    """Draws nodes for one expression; the same seed, the same nodes."""

    def __init__(self, expression: str, types: Mapping[str, Type], seed: int) -> None:
        self.names = frozenset(re.findall(r"[A-Za-z]+", expression))
        self.literals = re.findall(r"'([^'\\]*)'", expression)
        self.types = types
        self.chance = Random(f"{seed} {expression}")

    def node(self, element: Element, kind: str, depth: int = 0) -> Any:
        """A node with the children of an element."""
        if kind not in self.types or self.types[kind].kind == "primitive-type":
            return self.primitive(kind)
        node: dict[str, Any] = {}
        if self.types[kind].kind == "resource":
            node["resourceType"] = kind
        for name, child in element.children.items():
            needed = bool(child.minimum)
            if needed or self.wanted(name.removesuffix("[x]"), depth):
                self.fill(node, name, child, depth)
        return node or {"id": "a"}

    def wanted(self, name: str, depth: int) -> bool:
        """Whether a child is to be there: mostly those that the expression names."""
        if name in ("extension", "modifierExtension", "text", "contained"):
            return name in self.names and self.chance.random() < 0.5 and depth < 2
        return self.chance.random() < (0.6 if name in self.names else 0.03)

    def fill(self, node: dict[str, Any], name: str, child: Element, depth: int) -> None:
        """Give a node a child."""
        if depth >= _DEEPEST:
            return
        kinds = [each.code for each in child.types] or ["BackboneElement"]
        kind = self.chance.choice(kinds)
        if name.endswith("[x]"):
            if self.names & set(kinds):
                kind = self.chance.choice([*(sorted(self.names & set(kinds))), kind])
            name = name.removesuffix("[x]") + kind[0].upper() + kind[1:]
        if kind == "Resource":
            kind = self.chance.choice(["Patient", "Composition", "MessageHeader", "Practitioner"])
        inner = resolved(child, self.types) if child.same_as or child.children else None
        if inner is None:
            inner = self.types[kind].root if kind in self.types else child
        count = self.chance.choice([1, 1, 2, 3]) if child.array else 1
        values = [self.node(inner, kind, depth + 1) for _ in range(count)]
        node[name] = values if child.array else values[0]

    def primitive(self, kind: str) -> Any:
        """A value of a primitive type; strings mostly those that the expression names."""
        pool = _POOL.get(kind) or _POOL["string"]
        if kind in ("string", "code", "uri", "canonical", "markdown", "url") and self.literals:
            pool = [*pool, *self.literals, *self.literals]
        pool = [value for value in pool if value != ""]
        if kind in ("uri", "url", "canonical", "code", "id"):
            pool = [value for value in pool if " " not in str(value)] or ["a"]
        return self.chance.choice(pool)
