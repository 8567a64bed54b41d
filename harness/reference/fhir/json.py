"""JSON as FHIR needs it: strict when read, decimals to the digit when written.

The precision of a decimal is significant (FHIR R4, datatypes, decimal), so a number that a float
cannot give back as it came is kept as a Decimal.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, NoReturn

import orjson

_INTEGER_DIGITS = 18  # what 64 bits hold in any case


class NotJson(ValueError):
    """The text is not the JSON that FHIR permits."""


def dumps(value: Any) -> bytes:
    """Returns compact JSON in UTF-8."""
    return orjson.dumps(value, default=_fragment)


def packed(value: Any) -> bytes:
    """Returns what `dumps` returns, without the spare room that its buffer keeps: to be stored."""
    return bytes(memoryview(dumps(value)))


def loads(text: str) -> Any:
    """Reads JSON.

    Raises:
        NotJson: it is broken, nested too deeply to be read, has a member twice, or a number that
            JSON does not know.
    """
    try:
        return json.loads(
            text,
            parse_float=_number,
            parse_int=_integer,
            parse_constant=_constant,
            object_pairs_hook=_members,
        )
    except RecursionError:
        raise NotJson("it is nested too deeply") from None
    except json.JSONDecodeError as broken:
        raise NotJson(
            f"it breaks at line {broken.lineno}, column {broken.colno}: {broken.msg}"
        ) from None


def reread(body: bytes) -> Any:
    """Reads what `dumps` wrote, to the digit."""
    quickly = orjson.loads(body)
    # What the quick reader gives back to the byte has no number that a float would change.
    return quickly if orjson.dumps(quickly) == body else loads(body.decode())


def _integer(literal: str) -> int | Decimal:
    return int(literal) if len(literal) <= _INTEGER_DIGITS else Decimal(literal)


def _number(literal: str) -> float | Decimal:
    number = float(literal)
    return number if repr(number) == literal else Decimal(literal)


def _constant(literal: str) -> NoReturn:
    raise NotJson(f"{literal} is not a JSON number")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NotJson(f"the member {twice!r} stands twice in one object")
    return members


def _fragment(value: Any) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value))
    raise TypeError(f"no JSON for {type(value).__name__}")
