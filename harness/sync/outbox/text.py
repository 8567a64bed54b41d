"""Resources as JSON text: decimals keep their digits, and equal content gives equal text.

FHIR counts the digits of a decimal (72.50 is not 72.5): http://hl7.org/fhir/R4/json.html#primitive
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from hashlib import sha256
from typing import Any

from harness.errors import UsageError


def loads(text: str | bytes) -> Any:
    """JSON as Python values; numbers with a fraction become Decimal.

    Raises:
        ValueError: no JSON.
    """
    return json.loads(text, parse_float=Decimal, parse_constant=_refuse)


def loads_plain(text: str) -> dict[str, Any]:
    """A resource of the outbox with plain numbers, to compare it with what was read."""
    value: dict[str, Any] = json.loads(text)
    return value


def dumps(value: Any) -> str:
    """Compact JSON text; a Decimal is written digit by digit."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_text(name)}:{dumps(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(dumps, value)) + "]"
    if isinstance(value, Decimal) and value.is_finite():
        return str(value)
    return _text(value)


def digest(value: Any) -> str:
    """SHA-256 of the content, whatever the order of its members."""
    return sha256(dumps(_sorted(value)).encode()).hexdigest()


def _text(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):
        kind = type(value).__name__
        raise UsageError(f"resource: expected JSON values, got one of type {kind}") from None


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return [_sorted(each) for each in value] if isinstance(value, list | tuple) else value


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
