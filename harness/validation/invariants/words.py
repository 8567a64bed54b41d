"""The words in which invariants are written: small tests, combined.

Each makes a function of a JSON node and its scope. "Exists" means what it means in FHIRPath: an
element is there with a value, or with extensions in its place. `value[x]` stands for a choice in
whatever type. None of them raises, whatever the node is; what they answer matters only where the
node has the shape of its type.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import cache
from math import inf
from types import MappingProxyType
from typing import Any, TypeGuard

from harness.validation.invariants.moments import after
from harness.validation.invariants.nodes import each, items, text
from harness.validation.invariants.scope import Scope

Holds = Callable[[Any, Scope], bool]

# https://hl7.org/fhir/R4/datatypes.html#open
_OPEN_TYPES = (
    *("Base64Binary", "Boolean", "Canonical", "Code", "Date", "DateTime", "Decimal", "Id"),
    *("Instant", "Integer", "Markdown", "Oid", "PositiveInt", "String", "Time", "UnsignedInt"),
    *("Uri", "Url", "Uuid", "Address", "Age", "Annotation", "Attachment", "CodeableConcept"),
    *("Coding", "ContactPoint", "Count", "Distance", "Duration", "HumanName", "Identifier"),
    *("Money", "Period", "Quantity", "Range", "Ratio", "Reference", "SampledData", "Signature"),
    *("Timing", "ContactDetail", "Contributor", "DataRequirement", "Expression"),
    *("ParameterDefinition", "RelatedArtifact", "TriggerDefinition", "UsageContext", "Dosage"),
    *("Meta", "Narrative", "Extension", "ElementDefinition"),
)


def table(*translations: tuple[str, Holds]) -> Mapping[str, Holds]:
    """Translations by expression; none of them twice."""
    by_expression = dict(translations)
    if len(by_expression) != len(translations):
        raise ValueError("an expression is translated twice")
    return MappingProxyType(by_expression)


@cache
def spellings(name: str) -> frozenset[str]:
    """The JSON members that an element may be in: `a` and `_a`, or all types of `a[x]`."""
    bare = name.removesuffix("[x]")
    names = [name] if bare == name else [bare + each for each in _OPEN_TYPES]
    return frozenset(spelling for each in names for spelling in (each, f"_{each}"))


def exists(*names: str) -> Holds:
    """Any of these elements exists."""
    wanted = frozenset[str]().union(*map(spellings, names))
    absent = wanted.isdisjoint
    return lambda node, _: node.__class__ is dict and not absent(node)


def empty(*names: str) -> Holds:
    """None of these elements exists."""
    absent = frozenset[str]().union(*map(spellings, names)).isdisjoint
    return lambda node, _: node.__class__ is not dict or absent(node)


def among(name: str, *values: Any) -> Holds:
    """The element has one of these values; it does not when it is absent."""
    return lambda node, _: node.__class__ is dict and node.get(name) in values


def true(name: str) -> Holds:
    """The element is true; it is not when it is absent."""
    return lambda node, _: node.__class__ is dict and node.get(name) is True


def matches(name: str, pattern: str) -> Holds:
    """The whole of the element matches; so does an element that is absent."""
    whole = re.compile(pattern).fullmatch

    def check(node: Any, _: Scope) -> bool:
        text = node.get(name) if node.__class__ is dict else None
        return text.__class__ is not str or whole(text) is not None

    return check


def starts(name: str, *beginnings: str) -> Holds:
    """The element starts with one of these; it does not when it is absent."""

    def check(node: Any, _: Scope) -> bool:
        text = node.get(name) if node.__class__ is dict else None
        return text.__class__ is str and text.startswith(beginnings)

    return check


def bounded(name: str, least: float = -inf, most: float = inf) -> Holds:
    """The number is within the bounds; so is one that is absent."""

    def check(node: Any, _: Scope) -> bool:
        number = node.get(name) if node.__class__ is dict else None
        return not is_number(number) or least <= number <= most

    return check


def is_number(value: Any) -> TypeGuard[float]:
    """Whether it is a JSON number."""
    return value.__class__ in _NUMBERS


_NUMBERS = (int, float, Decimal)


def in_order(first: str, second: str) -> Holds:
    """The moment of the first element is not after that of the second, as far as both are known."""

    def check(node: Any, _: Scope) -> bool:
        return node.__class__ is not dict or not after(node.get(first), node.get(second))

    return check


def counted(*names: str, least: int = 0, most: int | None = None) -> Holds:
    """There are so many of these elements together."""

    def check(node: Any, _: Scope) -> bool:
        total = sum(len(items(node, name)) for name in names)
        return least <= total and (most is None or total <= most)

    return check


def any_of(*tests: Holds) -> Holds:
    """At least one of them holds."""

    def check(node: Any, scope: Scope) -> bool:
        for test in tests:  # noqa: SIM110 - half the time of any()
            if test(node, scope):
                return True
        return False

    return check


def all_of(*tests: Holds) -> Holds:
    """All of them hold."""

    def check(node: Any, scope: Scope) -> bool:
        for test in tests:  # noqa: SIM110 - half the time of all()
            if not test(node, scope):
                return False
        return True

    return check


def implies(first: Holds, second: Holds) -> Holds:
    """Where the first holds, so does the second."""
    return lambda node, scope: not first(node, scope) or second(node, scope)


def exactly_one(*tests: Holds) -> Holds:
    """One of them holds and the others do not."""
    return lambda node, scope: sum(test(node, scope) for test in tests) == 1


def at_most_one(*tests: Holds) -> Holds:
    """No two of them hold."""
    return lambda node, scope: sum(test(node, scope) for test in tests) <= 1


def always(_: Any, __: Scope) -> bool:
    """It holds by what the expression says, whatever the node."""
    return True


def same(first: Holds, second: Holds) -> Holds:
    """Both hold or neither does."""
    return lambda node, scope: first(node, scope) == second(node, scope)


def no(test: Holds) -> Holds:
    """It does not hold."""
    return lambda node, scope: not test(node, scope)


def every(path: str, test: Holds) -> Holds:
    """Each node at the path meets it."""
    names = path.split(".")
    return lambda node, scope: all(test(child, scope) for child in each(node, *names))


def some(path: str, test: Holds) -> Holds:
    """A node at the path meets it."""
    names = path.split(".")
    return lambda node, scope: any(test(child, scope) for child in each(node, *names))


def coded(path: str, system: str, *codes: str) -> Holds:
    """A CodeableConcept at the path has one of the codes of the system."""
    names = (*path.split("."), "coding")

    def check(node: Any, _: Scope) -> bool:
        for coding in each(node, *names):
            if coding.__class__ is dict and coding.get("system") == system:  # noqa: SIM102 - two steps of one question
                if coding.get("code") in codes:
                    return True
        return False

    return check


def known(path: str, among_path: str) -> Holds:
    """Each value at the first path is one of those at the second."""
    names, others = path.split("."), among_path.split(".")

    def check(node: Any, _: Scope) -> bool:
        there = {other for other in each(node, *others) if other.__class__ is str}
        return all(one in there for one in each(node, *names) if one.__class__ is str)

    return check


def alone(path: str, *names: str) -> Holds:
    """The nodes at the path differ in what these elements say together."""
    way = path.split(".")

    def check(node: Any, _: Scope) -> bool:
        nodes = (child for child in each(node, *way) if child.__class__ is dict)
        return all_different(tuple(text(child, name) for name in names) for child in nodes)

    return check


def distinct(path: str) -> Holds:
    """The values at the path differ from each other."""
    names = path.split(".")
    return lambda node, _: all_different(each(node, *names))


def all_different(values: Iterable[Any]) -> bool:
    """Whether no two of the values, strings or tuples of strings, are equal."""
    seen: set[Any] = set()
    for one in values:
        if one.__class__ in _HASHABLE:
            if one in seen:
                return False
            seen.add(one)
    return True


_HASHABLE = (str, tuple, int)
