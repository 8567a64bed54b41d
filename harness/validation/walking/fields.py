"""Properties of a JSON object: primitive or complex, single or array.

https://hl7.org/fhir/R4/json.html

A field judges the value of one property. Whatever costs something (a path, a text) is made where
something is wrong, not before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from harness.validation.findings import Rule
from harness.validation.values.primitives import CHECKS
from harness.validation.walking.judging import Judging
from harness.validation.walking.paths import Path

Field: TypeAlias = Callable[[Any, dict[str, Any], Path, Judging], None]
"""Judges a value, given the object that it is a property of and the path of that object."""
Walk: TypeAlias = Callable[[Any, Path, Judging], None]
"""Judges a value at a path."""

ONE_VALUE = "one value, not an array"
AN_ARRAY = "an array"
AN_OBJECT = "a JSON object"
NOT_EMPTY_ARRAY = "at least one item, or no property"
NO_NULL = "a value; null stands only beside an item of the same index in the other array"

_OFTEN_REPEATED = frozenset({"uri", "url", "canonical", "code"})
_MOST_REMEMBERED = 2000
_LONGEST_REMEMBERED = 100
_BOOLEANS = frozenset({"boolean"})
_NUMBERS = frozenset({"integer", "unsignedInt", "positiveInt", "decimal"})


def primitive(step: str, code: str, extras: Sequence[Walk], accepted: frozenset[str]) -> Field:
    """A property that holds one primitive value.

    Args:
        step: its name in a path.
        code: its type.
        extras: what else is asked of a well-formed value.
        accepted: values that need no look at anything else; empty where there are none.
    """
    check = CHECKS[code]
    if code in _OFTEN_REPEATED and not extras:
        return _repeated(step, code)

    def plain(value: Any, _: dict[str, Any], path: Path, run: Judging) -> None:
        if (expected := check(value)) is not None:
            refuse(value, code, expected, (path, step), run)

    def narrowed(value: Any, _: dict[str, Any], path: Path, run: Judging) -> None:
        if value.__class__ is str and value in accepted:
            return
        if (expected := check(value)) is not None:
            refuse(value, code, expected, (path, step), run)
            return
        for extra in extras:
            extra(value, (path, step), run)

    return narrowed if extras else plain


def _repeated(step: str, code: str) -> Field:
    """A property whose values are few: what was right once is right again."""
    check = CHECKS[code]
    right: set[str] = set()

    def field(value: Any, _: dict[str, Any], path: Path, run: Judging) -> None:
        if value.__class__ is str and value in right:
            return
        if (expected := check(value)) is not None:
            refuse(value, code, expected, (path, step), run)
        elif len(right) < _MOST_REMEMBERED and len(value) <= _LONGEST_REMEMBERED:
            right.add(value)

    return field


def primitives(
    step: str, sibling: str, code: str, extras: Sequence[Walk], accepted: frozenset[str]
) -> Field:
    """A property that holds an array of primitive values.

    `sibling` is the property that holds their ids and extensions.
    """
    check = CHECKS[code]

    def field(values: Any, node: dict[str, Any], path: Path, run: Judging) -> None:
        if values.__class__ is not list:
            run.error(Rule.ARRAY, (path, step), AN_ARRAY, values)
            return
        if not values:
            run.error(Rule.EMPTY, (path, step), NOT_EMPTY_ARRAY, values)
            return
        for index, value in enumerate(values):
            if value.__class__ is str and value in accepted:
                continue
            if (expected := check(value)) is not None:
                if value is not None:
                    refuse(value, code, expected, ((path, step), index), run)
                elif not _beside(node.get(sibling), index):
                    run.error(Rule.EMPTY, ((path, step), index), NO_NULL, value)
                continue
            for extra in extras:
                extra(value, ((path, step), index), run)

    return field


def complex_one(step: str, walk: Walk, extras: Sequence[Walk] = ()) -> Field:
    """A property that holds one object, of which more may be asked than the walk over it does."""

    def field(value: Any, _: dict[str, Any], path: Path, run: Judging) -> None:
        if value.__class__ is not dict:
            no_object(value, (path, step), run)
            return
        here = (path, step)
        walk(value, here, run)
        for extra in extras:
            extra(value, here, run)

    return field


def entry(step: str, walk: Walk, extras: Sequence[Walk]) -> Field:
    """A property that holds a resource, and may stand beside its `fullUrl`."""
    one = complex_one(step, walk, extras)

    def field(value: Any, node: dict[str, Any], path: Path, run: Judging) -> None:
        url = node.get("fullUrl")
        run.entry_url = url if url.__class__ is str else None
        one(value, node, path, run)

    return field


def complex_many(step: str, walk: Walk, extras: Sequence[Walk] = ()) -> Field:
    """A property that holds an array of objects, likewise."""

    def field(values: Any, _: dict[str, Any], path: Path, run: Judging) -> None:
        here = (path, step)
        if values.__class__ is not list:
            run.error(Rule.ARRAY, here, AN_ARRAY, values)
            return
        if not values:
            run.error(Rule.EMPTY, here, NOT_EMPTY_ARRAY, values)
        for index, value in enumerate(values):
            at = (here, index)
            if value.__class__ is not dict:
                no_object(value, at, run)
                continue
            walk(value, at, run)
            for extra in extras:
                extra(value, at, run)

    return field


def no_object(value: Any, path: Path, run: Judging) -> None:
    """Says what stands where an object was expected."""
    if value.__class__ is list:
        run.error(Rule.ARRAY, path, ONE_VALUE, value)
    else:
        run.error(Rule.EMPTY if value is None else Rule.TYPE, path, AN_OBJECT, value)


def refuse(value: Any, code: str, expected: str, path: Path, run: Judging) -> None:
    """Says what is wrong with a primitive value."""
    run.error(_broken_rule(value, code), path, _asked(value, code, expected), value)


def _broken_rule(value: Any, code: str) -> Rule:
    if value is None or value == "":
        return Rule.EMPTY
    if isinstance(value, list):
        return Rule.ARRAY
    if isinstance(value, bool):
        right = code in _BOOLEANS
    elif isinstance(value, str):
        right = code not in _BOOLEANS and code not in _NUMBERS
    else:
        right = not isinstance(value, dict) and code in _NUMBERS
    return Rule.VALUE if right else Rule.TYPE


def _asked(value: Any, code: str, expected: str) -> str:
    if value is None:
        return "a value, or no property"
    return ONE_VALUE if isinstance(value, list) else f"{code}: {expected}"


def _beside(others: Any, index: int) -> bool:
    return isinstance(others, list) and index < len(others) and others[index] is not None
