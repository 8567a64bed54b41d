"""`_birthDate` beside `birthDate`: what a primitive value has besides its value.

https://hl7.org/fhir/R4/json.html#primitive: the sibling holds `id` and `extension`; of an array,
both are arrays, filled with null so that the same index is the same value.
"""

from __future__ import annotations

from typing import Any

from harness.validation.findings import Rule, Severity
from harness.validation.walking.fields import (
    AN_ARRAY,
    NO_NULL,
    NOT_EMPTY_ARRAY,
    Field,
    Walk,
    complex_one,
    no_object,
)
from harness.validation.walking.judging import Judging
from harness.validation.walking.paths import Path

AN_EXTENSION = "an extension that says why there is no value"


def sibling(step: str, name: str, walk: Walk) -> Field:
    """The sibling of the single value `name`; it is told at the path of the value."""
    one = complex_one(step, walk)

    def field(value: Any, node: dict[str, Any], path: Path, run: Judging) -> None:
        one(value, node, path, run)
        if name not in node and value.__class__ is dict and "extension" not in value:
            run.error(Rule.EMPTY, (path, step), AN_EXTENSION, value)

    return field


def siblings(step: str, name: str, walk: Walk) -> Field:
    """The sibling of the array `name`."""

    def field(values: Any, node: dict[str, Any], path: Path, run: Judging) -> None:
        here = (path, step)
        if values.__class__ is not list:
            run.error(Rule.ARRAY, here, AN_ARRAY, values)
            return
        if not values:
            run.error(Rule.EMPTY, here, NOT_EMPTY_ARRAY, values)
        beside = node.get(name)
        if beside.__class__ is not list:
            beside = []
        for index, value in enumerate(values):
            said = index < len(beside) and beside[index] is not None
            _item(value, walk, (here, index), run, said=said)
        if beside and len(beside) != len(values):
            expected = f"as many items in {name} as in _{name}"
            actual = f"{len(beside)} and {len(values)}"
            run.add(Severity.WARNING, Rule.ARRAY, here, expected, actual)

    return field


def _item(value: Any, walk: Walk, path: Path, run: Judging, *, said: bool) -> None:
    if value.__class__ is dict:
        walk(value, path, run)
        if not said and "extension" not in value:
            run.error(Rule.EMPTY, path, AN_EXTENSION, value)
    elif value is not None:
        no_object(value, path, run)
    elif not said:
        run.error(Rule.EMPTY, path, NO_NULL, value)
