"""One JSON object: its properties, whether those it needs are there, and what all of it must meet.

https://hl7.org/fhir/R4/json.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from harness.spec.definitions.model import UNBOUNDED, Element
from harness.validation.findings import Rule
from harness.validation.walking.fields import Field, Walk
from harness.validation.walking.judging import Judging
from harness.validation.walking.keys import Key, by_name, is_choice, keys, stem
from harness.validation.walking.paths import Path


def walked(
    elements: Mapping[str, Element],
    owner: str,
    compiled: Callable[[Key], Field],
    extras: Sequence[Walk],
    *,
    whole: bool = True,
    resource_type: Field | None = None,
) -> Walk:
    """A walk over an object.

    Args:
        elements: that it may have.
        owner: what it is, for a person: `Observation`, `Patient.contact`.
        compiled: makes the field of a property; called when the first value of it is met.
        extras: what is asked of the object as a whole.
        whole: whether all that it says is in it; of a primitive the value stands beside it.
        resource_type: of a resource, the property that is no element.
    """
    fields = {} if resource_type is None else {"resourceType": resource_type}
    get, find = fields.get, _finder(by_name(elements, owner), owner, compiled, fields)
    required = frozenset(
        e.name for e in elements.values() if (e.minimum or 0) > 0 and not is_choice(e)
    )
    missing = _missing([e for e in elements.values() if e.name in required])
    steps = (*_cardinalities(elements.values()), *extras)

    def walk(node: Any, path: Path, run: Judging) -> None:
        if not node or (whole and "id" in node and len(node) == 1):
            if required:
                missing(node, path, run)
            else:
                run.error(Rule.EMPTY, path, "a value or a child besides id", node)
            return
        for name, value in node.items():
            (get(name) or find(name))(value, node, path, run)
        if required and not node.keys() >= required:
            missing(node, path, run)
        for step in steps:
            step(node, path, run)

    return walk


def _finder(
    known: Mapping[str, Key],
    owner: str,
    compiled: Callable[[Key], Field],
    fields: dict[str, Field],
) -> Callable[[Any], Field]:
    """Makes the field of a property that is met for the first time; what is unknown is not kept."""

    def find(name: Any) -> Field:
        key = known.get(name)
        if key is None:
            return _unknown(name, owner)
        made = compiled(key)
        fields[name] = _exclusive(key, made) if is_choice(key.element) else made
        return fields[name]

    return find


def _missing(required: Sequence[Element]) -> Walk:
    def step(node: Any, path: Path, run: Judging) -> None:
        for element in required:
            # A primitive may have extensions in place of a value.
            if element.name not in node and f"_{element.name}" not in node:
                run.add_missing((path, element.name), element.minimum or 1)

    return step


def _unknown(name: Any, owner: str) -> Field:
    def field(value: Any, _: dict[str, Any], path: Path, run: Judging) -> None:
        run.error(Rule.UNKNOWN_ELEMENT, (path, name), f"an element of {owner}", value)

    return field


def _exclusive(key: Key, made: Field) -> Field:
    """The field of one type of a choice, which no other may stand beside."""
    name = stem(key.element)
    own = key.name.removeprefix("_")
    others = frozenset(each.name for each in keys(key.element)) - {own, f"_{own}"}
    if not others:
        return made

    def field(value: Any, node: dict[str, Any], path: Path, run: Judging) -> None:
        if not others.isdisjoint(node):
            found = ", ".join(sorted(others.intersection(node).union({own})))
            run.add_error(Rule.CHOICE, (path, name), f"one of {name}[x] only", found)
        made(value, node, path, run)

    return field


def _cardinalities(elements: Iterable[Element]) -> list[Walk]:
    steps = []
    for element in elements:
        minimum = element.minimum or 0
        if is_choice(element) and minimum:
            steps.append(_one_of(element))
        elif element.array and (minimum > 1 or 0 < (element.maximum or UNBOUNDED) < UNBOUNDED):
            steps.append(_counted(element.name, minimum, element.maximum or UNBOUNDED))
    return steps


def _one_of(element: Element) -> Walk:
    names = frozenset(key.name for key in keys(element))
    name = stem(element)

    def step(node: Any, path: Path, run: Judging) -> None:
        if names.isdisjoint(node):
            run.add_missing((path, name), 1)

    return step


def _counted(name: str, minimum: int, maximum: int) -> Walk:
    def step(node: Any, path: Path, run: Judging) -> None:
        values = node.get(name)
        if isinstance(values, list) and not minimum <= len(values) <= maximum:
            run.add_count((path, name), minimum, maximum, len(values))

    return step
