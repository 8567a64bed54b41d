"""Whether a definition has the types that its class promises.

What comes of somebody's JSON is trusted from here on: a validator that compares how often an
element is there does not look whether a number is what the definition gave.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Hashable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, cast

T = TypeVar("T")


def checked(value: T) -> T:
    """A dataclass, as it came, if all that is in it is what it should be.

    Raises:
        TypeError: naming the member that is something else.
    """
    for name, wanted in _members(cast("Hashable", type(value))):
        if not _fits(getattr(value, name), wanted):
            raise TypeError(f"{name} of {type(value).__name__} is something else")
    return value


@cache
def _members(kind: Hashable) -> tuple[tuple[str, Any], ...]:
    hints = typing.get_type_hints(kind)
    return tuple((each.name, hints[each.name]) for each in fields(cast("Any", kind)))


def _fits(value: Any, wanted: Any) -> bool:
    of, parts = typing.get_origin(wanted), typing.get_args(wanted)
    if of is types.UnionType:
        return any(_fits(value, each) for each in parts)
    if of is not None:
        return isinstance(value, of) and _GENERIC[of](value, parts)
    if wanted is Any or wanted is int:
        return wanted is Any or type(value) is int  # for bool is one as well
    return isinstance(value, wanted) and (not is_dataclass(wanted) or checked(value) is value)


def _tuple(value: tuple[Any, ...], parts: tuple[Any, ...]) -> bool:
    alike = parts[1:] == (...,)
    return all(map(_fits, value, parts[:1] * len(value) if alike else parts)) and (
        alike or len(value) == len(parts)
    )


def _set(value: frozenset[Any], parts: tuple[Any, ...]) -> bool:
    return all(_fits(each, parts[0]) for each in value)


def _mapping(value: Mapping[Any, Any], parts: tuple[Any, ...]) -> bool:
    return all(_fits(key, parts[0]) and _fits(each, parts[1]) for key, each in value.items())


_GENERIC: Mapping[type, Callable[[Any, tuple[Any, ...]], bool]] = {
    tuple: _tuple,
    frozenset: _set,
    Mapping: _mapping,
}
