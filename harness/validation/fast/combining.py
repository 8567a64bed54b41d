"""Several schemas as one that is met where all of them are, with as few looks as can be.

An engine walks a value once for each schema in `allOf`. Merged, two schemas about the same object
are one walk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from harness.validation.fast.primitives import FORMS, PRIMITIVES, REFUSED, Schema

_LEAST: Final = frozenset({"minItems", "minProperties", "minLength", "minimum"})
_MOST: Final = frozenset({"maxItems", "maxProperties", "maxLength", "maximum"})
_GROUPS: Final = (("contains", "minContains", "maxContains"), ("if", "then", "else"))
"""Keywords whose meaning is in others beside them."""

_OF_STRINGS: Final[Mapping[str, Any]] = {"type": "string", "minLength": 1, "anyOf": FORMS}
_PATTERNS: Final = frozenset(
    each["pattern"] for each in PRIMITIVES.values() if isinstance(each, dict) and "pattern" in each
)
"""What goes without saying of a string that a definition names: it is of its type."""

_PREFIX: Final = "#/$defs/"

_ID: Final = r"[A-Za-z0-9\-.]{1,64}"
_BEFORE, _BEHIND = r"^(?:(?:https?://[^\x00-\x20?#]+/)?(?:", rf")/{_ID})$"


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


def leading_to(kinds: Iterable[str]) -> dict[str, Any]:
    """A literal reference to a resource of one of these types."""
    return {"type": "string", "pattern": f"{_BEFORE}{'|'.join(sorted(kinds))}{_BEHIND}"}


def _merged(one: Any, other: Any, definitions: Mapping[str, Schema]) -> Schema:
    one, other = _unfolded(one, other, definitions), _unfolded(other, one, definitions)
    if one.get("additionalProperties", False) != other.get("additionalProperties", False):
        return {"allOf": [one, other]}
    made, apart = dict(one), _groups(one, other)
    for key, value in other.items():
        if key not in made:
            made[key] = value
        elif made[key] != value and key not in apart:
            way = _WAYS[key](made[key], value, definitions) if key in _WAYS else None
            (apart if way is None else made)[key] = value if way is None else way
    if apart:
        made["allOf"] = [*made.get("allOf", ()), apart]
    if isinstance(made.get("const"), str) or _are_strings(made.get("enum")):
        return {k: v for k, v in made.items() if not _goes_without_saying(k, v)}
    for each in (one, other):
        # A property that one of them refuses by not naming it stays refused.
        if each.get("additionalProperties") is False and "properties" in made:
            own = each.get("properties", {})
            made["properties"] = {n: said for n, said in made["properties"].items() if n in own}
    return made


def _groups(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """What of the other's keywords says something else beside those of the first."""
    return {
        key: other[key]
        for group in _GROUPS
        if group[0] in one and group[0] in other
        if any(one.get(each) != other.get(each) for each in group)
        for key in group
        if key in other
    }


def _are_strings(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(each, str) for each in values)


def _goes_without_saying(key: str, value: Any) -> bool:
    if key == "pattern":
        return value in _PATTERNS
    return key in _OF_STRINGS and value == _OF_STRINGS[key]


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


def _leading_to_both(one: str, other: str, _: object) -> str | None:
    """References that both patterns take; None where one of them is of something else."""
    kinds = [
        set(each.removeprefix(_BEFORE).removesuffix(_BEHIND).split("|"))
        for each in (one, other)
        if each.startswith(_BEFORE) and each.endswith(_BEHIND)
    ]
    if len(kinds) < len((one, other)) or kinds[0].isdisjoint(kinds[1]):
        return None
    return str(leading_to(kinds[0] & kinds[1])["pattern"])


_WAYS: Final[Mapping[str, Any]] = {
    "properties": _properties,
    "dependentSchemas": _properties,
    "items": _of_both,
    "required": _union,
    "dependentRequired": _lists,
    "enum": _common,
    "pattern": _leading_to_both,
    "allOf": lambda one, other, _: [*one, *other],
    **dict.fromkeys(_LEAST, lambda one, other, _: max(one, other)),
    **dict.fromkeys(_MOST, lambda one, other, _: min(one, other)),
}
"""How two values of a keyword are said in one; what is not here stays apart."""
