"""Whether a resource has the shape that its type has in FHIR R4: elements, types, cardinality.

JSON representation: http://hl7.org/fhir/R4/json.html. Extensions are taken as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Final

from harness.reference.fhir.dates import interval
from harness.reference.fhir.elements import CHOICES, ELEMENTS, Element
from harness.reference.fhir.outcome import Issue

_DATE_TIME: Final = re.compile(
    r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d))?)?)?", re.ASCII
)
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_TIME: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?", re.ASCII)
_ID: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}", re.ASCII)
_CODE: Final = re.compile(r"[^\s]+( [^\s]+)*")


def misshapes(value: Any, kind: str, path: str) -> Iterator[Issue]:
    """Yields what is wrong with the shape of a value.

    Args:
        value: parsed JSON.
        kind: a type from `ELEMENTS`, or a primitive.
        path: FHIRPath of the value.
    """
    if kind in {"Any", "Extension"}:
        if not isinstance(value, dict) or not value:
            yield Issue("structure", f"{path} is not an object with members", path)
    elif kind in ELEMENTS:
        if isinstance(value, dict) and value:
            yield from _members(value, kind, path)
        else:
            yield Issue("structure", f"{path} is not an object with members", path)
    elif not _PRIMITIVES[kind](value):
        yield Issue("value", f"{path} is {value!r:.60}, no {kind}", path)


def _members(value: dict[str, Any], kind: str, path: str) -> Iterator[Issue]:
    known = ELEMENTS[kind]
    for name, inner in value.items():
        element = known.get(name)
        if element:
            yield from _occurrences(inner, element, f"{path}.{name}")
        elif name.removeprefix("_") not in known:
            yield Issue("structure", f"{path} has no element {name!r:.80} in FHIR R4", path)
    for name, element in known.items():
        if element.required and name not in value and f"_{name}" not in value:
            yield Issue("required", f"{path}.{name} is missing", f"{path}.{name}")
    for choice in CHOICES.get(kind, ()):
        chosen = [one for one in value if one in known and one[: len(choice)] == choice]
        if len(chosen) > 1:
            yield Issue(
                "structure", f"{path}.{choice}[x] stands {len(chosen)} times", f"{path}.{choice}"
            )


def _occurrences(value: Any, element: Element, path: str) -> Iterator[Issue]:
    if not element.many:
        yield from misshapes(value, element.type, path)
    elif not isinstance(value, list) or not value:
        yield Issue("structure", f"{path} is not an array with elements", path)
    else:
        for index, one in enumerate(value):
            yield from misshapes(one, element.type, f"{path}[{index}]")


def _matching(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and bool(pattern.fullmatch(value))


def _dated(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    def check(value: Any) -> bool:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            return False
        try:
            interval(value)
        except ValueError:
            return False
        return True

    return check


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


_PRIMITIVES: Final[dict[str, Callable[[Any], bool]]] = {
    "boolean": lambda value: isinstance(value, bool),
    "code": _matching(_CODE),
    "dateTime": _dated(_DATE_TIME),
    "decimal": _is_number,
    "id": _matching(_ID),
    "instant": _dated(_INSTANT),
    "integer": _is_integer,
    "positiveInt": lambda value: _is_integer(value) and value > 0,
    "string": _is_text,
    "time": _matching(_TIME),
    "uri": lambda value: isinstance(value, str) and bool(re.fullmatch(r"\S+", value)),
}
