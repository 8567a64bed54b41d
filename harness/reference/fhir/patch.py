"""JSON Patch (RFC 6902) with JSON Pointer (RFC 6901), on copies: what is patched stays as it is.

FHIR R4, patch: http://hl7.org/fhir/R4/http.html#patch
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

MOST_OPERATIONS: Final = 1000
_INDEX: Final = re.compile(r"0|[1-9]\d{0,8}", re.ASCII)


class NotAPatch(ValueError):
    """The document is no JSON Patch."""


class NotApplicable(ValueError):
    """An operation cannot be done on this document, or its test fails."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    Args:
        op: add, remove, replace, move, copy or test.
        path: where, as the parts of a JSON Pointer.
        source: of move and copy: from where.
        value: of add, replace and test.
    """

    op: str
    path: tuple[str, ...]
    source: tuple[str, ...] = ()
    value: Any = None


def read(document: Any) -> tuple[Operation, ...]:
    """Reads a JSON Patch; members that it does not define are ignored (section 4).

    Raises:
        NotAPatch: it is none, or has more than `MOST_OPERATIONS`.
    """
    if not isinstance(document, list):
        raise NotAPatch("it is not an array of operations")
    if len(document) > MOST_OPERATIONS:
        raise NotAPatch(f"it has more than {MOST_OPERATIONS} operations")
    return tuple(_operation(one, number) for number, one in enumerate(document))


def apply(operations: tuple[Operation, ...], document: Any) -> Any:
    """Returns the document after all operations, in order.

    Raises:
        NotApplicable: one of them fails; then none counts.
    """
    root = [deepcopy(document)]
    for number, one in enumerate(operations):
        try:
            _APPLY[one.op](root, one)
        except NotApplicable as problem:
            raise NotApplicable(f"operation {number} ({one.op}): {problem}") from None
    return root[0]


def parts(pointer: str) -> tuple[str, ...]:
    """Returns the parts of a JSON Pointer; raises ValueError where it is none."""
    if pointer and not pointer.startswith("/"):
        raise ValueError(f"{pointer!r:.80} is no JSON Pointer")
    if re.search(r"~(?![01])", pointer):
        raise ValueError(f"{pointer!r:.80} has a ~ that escapes nothing")
    raw = pointer.split("/")[1:]
    return tuple(one.replace("~1", "/").replace("~0", "~") for one in raw)


def _operation(given: Any, number: int) -> Operation:
    where = f"operation {number}"
    if not isinstance(given, Mapping):
        raise NotAPatch(f"{where} is no object")
    op = given.get("op")
    if not isinstance(op, str) or op not in _APPLY:
        raise NotAPatch(f"{where}: op is {op!r:.40}, one of {', '.join(_APPLY)} expected")
    if op in {"add", "replace", "test"} and "value" not in given:
        raise NotAPatch(f"{where} ({op}) has no value")
    source = _parts(given, "from", where) if op in {"move", "copy"} else ()
    return Operation(op, _parts(given, "path", where), source, given.get("value"))


def _parts(given: Mapping[str, Any], member: str, where: str) -> tuple[str, ...]:
    pointer = given.get(member)
    if not isinstance(pointer, str):
        raise NotAPatch(f"{where}: {member} is {pointer!r:.40}, a JSON Pointer expected")
    try:
        return parts(pointer)
    except ValueError as problem:
        raise NotAPatch(f"{where}: {member}: {problem}") from None


def _add(root: list[Any], one: Operation) -> None:
    _put(root, one.path, deepcopy(one.value))


def _put(root: list[Any], path: tuple[str, ...], value: Any) -> None:
    if not path:
        root[0] = value
        return
    holder, name = _at(root, path[:-1]), path[-1]
    if isinstance(holder, dict):
        holder[name] = value
    elif isinstance(holder, list):
        holder.insert(len(holder) if name == "-" else _index(name, len(holder) + 1), value)
    else:
        raise NotApplicable(f"{_text(path[:-1])} is neither object nor array")


def _remove(root: list[Any], one: Operation) -> None:
    _take(root, one.path)


def _take(root: list[Any], path: tuple[str, ...]) -> Any:
    value = _at(root, path)
    if not path:
        root[0] = None
        return value
    holder, name = _at(root, path[:-1]), path[-1]
    del holder[name if isinstance(holder, dict) else int(name)]
    return value


def _replace(root: list[Any], one: Operation) -> None:
    _at(root, one.path)
    if not one.path:
        root[0] = deepcopy(one.value)
        return
    holder, name = _at(root, one.path[:-1]), one.path[-1]
    holder[name if isinstance(holder, dict) else int(name)] = deepcopy(one.value)


def _move(root: list[Any], one: Operation) -> None:
    if one.path[: len(one.source)] == one.source and one.path != one.source:
        raise NotApplicable(f"{_text(one.source)} cannot be moved into itself")
    _put(root, one.path, _take(root, one.source))


def _copy(root: list[Any], one: Operation) -> None:
    _put(root, one.path, deepcopy(_at(root, one.source)))


def _test(root: list[Any], one: Operation) -> None:
    if not equal(_at(root, one.path), one.value):
        raise NotApplicable(f"{_text(one.path)} is not the value expected")


_APPLY: Final[Mapping[str, Callable[[list[Any], Operation], None]]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "move": _move,
    "copy": _copy,
    "test": _test,
}


def equal(left: Any, right: Any) -> bool:
    """Whether two JSON values are equal (section 4.6): numbers by value, and true is no number."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, (int, float, Decimal)) and isinstance(right, (int, float, Decimal)):
        return Decimal(str(left)) == Decimal(str(right))
    return type(left) is type(right) and bool(left == right)


def _at(root: list[Any], path: tuple[str, ...]) -> Any:
    value = root[0]
    for depth, name in enumerate(path):
        if isinstance(value, list):
            value = value[_index(name, len(value))]
        elif isinstance(value, dict) and name in value:
            value = value[name]
        else:
            raise NotApplicable(f"there is nothing at {_text(path[: depth + 1])}")
    return value


def _index(name: str, end: int) -> int:
    if not _INDEX.fullmatch(name) or int(name) >= end:
        raise NotApplicable(f"{name!r:.40} is no index of an array of {end}")
    return int(name)


def _text(path: tuple[str, ...]) -> str:
    joined = "".join("/" + one.replace("~", "~0").replace("/", "~1") for one in path)
    return repr(joined)[:120]
