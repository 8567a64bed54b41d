"""Builds frozen dataclasses from a document that its schema has accepted, by their annotations."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, time
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from harness.config.ehr import SecretRef

T = TypeVar("T")


def build(cls: type[T], table: Mapping[str, Any], folder: Path, **extra: Any) -> T:
    """An instance of `cls` from `table`.

    Args:
        cls: a dataclass; keys of the table are names of its fields.
        table: values as the schema of the file admits them.
        folder: where relative paths start.
        extra: values that the table does not hold.
    """
    hints = _hints(cls)  # type: ignore[arg-type]  # a class is hashable, its metaclass unknown here
    given = {name: _value(hints[name], value, folder) for name, value in table.items()}
    return cls(**given, **extra)


@cache
def _hints(cls: type) -> dict[str, Any]:
    known = get_type_hints(cls)
    return {each.name: known[each.name] for each in fields(cls)}


def _value(hint: Any, value: Any, folder: Path) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _union(args, value, folder)
    if origin in (tuple, frozenset):
        # A list of scopes may be written as the specification sends it: one string with spaces.
        items = value.split() if isinstance(value, str) else value
        return origin(_value(args[0], item, folder) for item in items)
    if origin is dict:
        return {key: _value(args[1], item, folder) for key, item in value.items()}
    if is_dataclass(hint) and hint is not SecretRef and isinstance(hint, type):
        return build(hint, value, folder)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(value)
    return _SIMPLE.get(hint, _same)(value, folder)


def _union(args: tuple[Any, ...], value: Any, folder: Path) -> Any:
    kinds = [arg for arg in args if arg is not types.NoneType]
    if SecretRef in kinds:
        found = reference(value, folder)
        if found is not None or str not in kinds:
            return found
        kinds.remove(SecretRef)
    return _value(kinds[0], value, folder)


def reference(value: str, folder: Path) -> SecretRef | None:
    """The reference that `value` spells, a relative `file:` path starting at `folder`."""
    found = SecretRef.parse(value)
    if found is None or found.scheme != "file":
        return found
    return SecretRef("file", str(_path(found.name, folder)))


def _path(value: str, folder: Path) -> Path:
    path = Path(value)
    try:
        path = path.expanduser()
    except RuntimeError:
        return path  # no home folder: the path stays as written, and is missing where it is used
    return path if path.is_absolute() else folder / path


def _same(value: Any, _: Path) -> Any:
    return value


_SIMPLE: dict[Any, Callable[[Any, Path], Any]] = {
    SecretRef: reference,
    Path: _path,
    date: lambda value, _: date.fromisoformat(value),
    time: lambda value, _: time.fromisoformat(value),
    float: lambda value, _: float(value),
    int: lambda value, _: int(value),
}
