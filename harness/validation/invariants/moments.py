"""Which of two moments is later, where both may be known to different precision.

https://hl7.org/fhir/R4/datatypes.html#Period: a period includes every moment that its end matches,
so that one which ends on 2012-02-03 holds ten o'clock of that day.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

_DAY = len("2012-02-03")
_SECOND = len("2012-02-03T10:00:00")


def after(first: Any, second: Any) -> bool:
    """Whether one moment is certainly after the other; False of what is no date.

    Args:
        first: `date`, `dateTime` or `instant`, as in JSON.
        second: likewise.
    """
    if first.__class__ is not str or second.__class__ is not str:
        return False
    known = min(len(first), len(second), _DAY)
    if len(first) <= _DAY or len(second) <= _DAY:
        return bool(first[:known] > second[:known])
    try:
        return _exactly(first) > _exactly(second)
    except (ValueError, OverflowError):
        return False


def _exactly(moment: str) -> tuple[datetime, str]:
    """The second, with its zone, and the digits of its fraction.

    A leap second counts as the one before it.
    """
    second, rest = moment[:_SECOND].replace(":60", ":59"), moment[_SECOND:]
    fraction = ""
    if rest[:1] == ".":
        digits = rest[1:].rstrip("Z").split("+")[0].split("-")[0]
        fraction, rest = digits.rstrip("0"), rest[1 + len(digits) :]
    at = datetime.fromisoformat(second + rest)
    if at.tzinfo is None:
        raise ValueError(moment)
    return at, fraction
