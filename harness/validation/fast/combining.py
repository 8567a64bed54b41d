"""Several schemas as one that is met where all of them are, with as few looks as can be.

An engine walks a value once for each schema in `allOf`. Merged, two schemas about the same object
are one walk.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from harness.validation.fast.primitives import REFUSED, Schema

_LEAST: Final = frozenset({"minItems", "minProperties", "minLength", "minimum"})
_MOST: Final = frozenset({"maxItems", "maxProperties", "maxLength", "maximum"})
_GROUPS: Final = ("contains", "if")
"""Keywords whose meaning is in others beside them."""

_OF_STRINGS: Final = frozenset({"const", "type", "pattern", "maxLength"})

_PREFIX: Final = "#/$defs/"


def both(*schemas: Schema, definitions: Mapping[str, Schema] | None = None) -> Schema:
    """What meets all of these.

    Args:
        schemas: of one value.
        definitions: what `$ref` refers to, so that it can be merged with what stands beside it.
    """
    made: Schema = True
    for each in schemas:
        if each is False or made is False:
            return REFUSED
        if each is True or not each:
            continue
        made = each if made is True else _merged(made, each, definitions or {})
    return made


def _merged(one: Any, other: Any, definitions: Mapping[str, Schema]) -> Schema:
    one, other = _unfolded(one, other, definitions), _unfolded(other, one, definitions)
    if any(key in one and key in other for key in _GROUPS):
        return {"allOf": [one, other]}
    made = dict(one)
    for key, value in other.items():
        if key not in made:
            made[key] = value
        elif made[key] != value:
            if key not in _WAYS:
                return {"allOf": [one, other]}
            made[key] = _WAYS[key](made[key], value, definitions)
    if isinstance(made.get("const"), str):
        # The definition's own value is of its type.
        return {"const": made["const"]} if made.keys() <= _OF_STRINGS else made
    for each in (one, other):
        # A property that one of them refuses by not naming it stays refused.
        if each.get("additionalProperties") is False and "properties" in made:
            own = each.get("properties", {})
            made["properties"] = {n: said for n, said in made["properties"].items() if n in own}
    return made


def _unfolded(
    schema: dict[str, Any], beside: dict[str, Any], definitions: Mapping[str, Schema]
) -> Any:
    """The schema that a reference refers to, where it is at hand and something is to be merged."""
    if set(schema) != {"$ref"} or "$ref" in beside:
        return schema
    found = definitions.get(schema["$ref"].removeprefix(_PREFIX))
    return found if isinstance(found, dict) else schema


def _properties(
    one: Mapping[str, Schema], other: Mapping[str, Schema], definitions: Mapping[str, Schema]
) -> dict[str, Schema]:
    names = dict.fromkeys([*one, *other])
    return {
        name: both(one.get(name, True), other.get(name, True), definitions=definitions)
        for name in names
    }


def _of_both(one: Schema, other: Schema, definitions: Mapping[str, Schema]) -> Schema:
    return both(one, other, definitions=definitions)


def _union(one: list[str], other: list[str], _: object) -> list[str]:
    return sorted({*one, *other})


def _lists(
    one: Mapping[str, list[str]], other: Mapping[str, list[str]], _: object
) -> dict[str, list[str]]:
    return {name: sorted({*one.get(name, ()), *other.get(name, ())}) for name in {*one, *other}}


def _common(one: list[Any], other: list[Any], _: object) -> list[Any]:
    return [each for each in one if each in other]


_WAYS: Final[Mapping[str, Any]] = {
    "properties": _properties,
    "dependentSchemas": _properties,
    "items": _of_both,
    "required": _union,
    "dependentRequired": _lists,
    "enum": _common,
    "allOf": lambda one, other, _: [*one, *other],
    **dict.fromkeys(_LEAST, lambda one, other, _: max(one, other)),
    **dict.fromkeys(_MOST, lambda one, other, _: min(one, other)),
}
"""How two values of a keyword are said in one; what is not here stays apart."""
