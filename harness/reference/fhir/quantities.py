"""Numbers with units, and the prefixes of quantity search.

A value stands for the interval that its last digit leaves open: `7.0` is anything from 6.95 up to
but below 7.05 (FHIR R4, search, "number" and "quantity":
http://hl7.org/fhir/R4/search.html#number).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

_NUMBER: Final = re.compile(
    r"(?P<prefix>eq|ne|gt|lt|ge|le|sa|eb|ap)?"
    r"(?P<number>[+-]?\d{1,18}(\.\d{1,18})?([eE][+-]?\d{1,2})?)",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Amount:
    """The number and the unit of a Quantity in a resource."""

    value: Decimal
    system: str | None
    code: str | None
    unit: str | None


@dataclass(frozen=True, slots=True)
class Measured:
    """One value of a quantity parameter: `[prefix][number]|[system]|[code]`.

    Args:
        prefix: such as `ge`.
        value: what was written.
        slack: half of what its last digit stands for.
        system: of the unit; None for any.
        code: of the unit; None for any.
    """

    prefix: str
    value: Decimal
    slack: Decimal
    system: str | None
    code: str | None


def amount(element: Any) -> Amount | None:
    """Returns what a Quantity holds; None if it has no number."""
    value = element.get("value") if isinstance(element, dict) else None
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    texts = (element.get(name) for name in ("system", "code", "unit"))
    return Amount(Decimal(str(value)), *(one if isinstance(one, str) else None for one in texts))


def measured(parts: list[str]) -> Measured:
    """Reads a value of a quantity parameter, split at its bars.

    Raises:
        ValueError: it is no number, or has too many parts.
    """
    number, system, code = [*parts, "", ""][:3]
    match = _NUMBER.fullmatch(number)
    if not match or len(parts) > 3:  # noqa: PLR2004 - number, system, code
        raise ValueError("[prefix]number|system|code expected")
    value = Decimal(match["number"])
    exponent = int(value.as_tuple().exponent)
    slack = Decimal(5).scaleb(exponent - 1)
    return Measured(match["prefix"] or "eq", value, slack, system or None, code or None)


def measures(want: Measured, found: Amount) -> bool:
    """Tells whether a quantity is what is asked for; units are compared, not converted."""
    if want.system is not None and want.system != found.system:
        return False
    if want.code is not None:
        codes = (found.code,) if want.system is not None else (found.code, found.unit)
        if want.code not in codes:
            return False
    return _COMPARISONS[want.prefix](want, found.value)


def _near(want: Measured, value: Decimal, slack: Decimal) -> bool:
    return want.value - slack <= value < want.value + slack


_COMPARISONS: Final[dict[str, Callable[[Measured, Decimal], bool]]] = {
    "eq": lambda want, value: _near(want, value, want.slack),
    "ne": lambda want, value: not _near(want, value, want.slack),
    "gt": lambda want, value: value > want.value,
    "lt": lambda want, value: value < want.value,
    "ge": lambda want, value: value >= want.value,
    "le": lambda want, value: value <= want.value,
    "sa": lambda want, value: value > want.value,
    "eb": lambda want, value: value < want.value,
    "ap": lambda want, value: abs(value - want.value) <= abs(want.value) / 10,
}
