"""FHIR date, dateTime, instant and Period as intervals of time in UTC.

A partial date means all of its span: `2026` is a year, `2026-05-01T10:00:00Z` is one second.
https://hl7.org/fhir/R4/datatypes.html#dateTime, https://hl7.org/fhir/R4/search.html#date
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

_DATE = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)"
    r"(?:[Tt ](?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d+))?)?"
    r"(?P<zone>[Zz]|[+-]\d\d:?\d\d)?)?)?)?",
    re.ASCII,
)
EARLIEST = datetime.min.replace(tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)
_LEAP_SECOND = 60
_EAST, _WEST = timedelta(hours=14), timedelta(hours=12)
_FARTHEST_ZONE = timedelta(hours=15)


@dataclass(frozen=True, slots=True)
class Interval:
    """`low` belongs to it, `high` does not; both in UTC.

    Attributes:
        low: the first moment.
        high: the first moment after.
        precision: `year`, `month`, `day`, `minute`, `second`, `fraction` or `period`.
        zoned: whether the text names its zone; where not, UTC was assumed.
    """

    low: datetime
    high: datetime
    precision: str = "period"
    zoned: bool = True

    @property
    def lacks_zone(self) -> bool:
        """A time of day without a zone, which FHIR forbids; days and longer never have one."""
        return not self.zoned and self.precision in ("minute", "second", "fraction")

    def widened(self) -> Interval:
        """All that it can mean wherever it was written: 14 h earlier to 12 h later, if unzoned."""
        if self.zoned:
            return self
        return Interval(
            _shift(self.low, -_EAST), _shift(self.high, _WEST), self.precision, zoned=False
        )

    def contains(self, other: Interval) -> bool:
        """Whether `other` lies inside."""
        return self.low <= other.low and other.high <= self.high

    def overlaps(self, other: Interval) -> bool:
        """Whether they share a moment."""
        return self.low < other.high and other.low < self.high


def parse(text: object) -> Interval | None:
    """A date, dateTime or instant; None for anything else.

    Tolerated, because servers send it: second 60, a missing zone (`zoned` is False), a zone without
    colon, a space or small letters for `T` and `Z`, more than six digits of a second.
    """
    match = _DATE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    try:
        return _interval(match)
    except ValueError:
        return None


def period(value: object) -> Interval | None:
    """A Period (JSON object); an open end reaches as far as time does. None for anything else."""
    if not isinstance(value, dict) or not ({"start", "end"} & value.keys()):
        return None
    start, end = parse(value.get("start")), parse(value.get("end"))
    if (start is None and "start" in value) or (end is None and "end" in value):
        return None
    low, high = start.low if start else EARLIEST, end.high if end else LATEST
    zoned = (start is None or start.zoned) and (end is None or end.zoned)
    return Interval(low, high, zoned=zoned) if low < high else None


def matches(prefix: str, resource: Interval, asked: Interval) -> bool:
    """Whether a resource is found by `prefix` and the value asked for.

    Args:
        prefix: `eq` (or empty), `ne`, `gt`, `lt`, `ge`, `le`, `sa`, `eb`, `ap`.
        resource: when the resource happened.
        asked: the value of the parameter.

    Raises:
        KeyError: no such prefix.
    """
    inside = asked.contains(resource)
    above, below = resource.high > asked.high, resource.low < asked.low
    return {
        "": inside,
        "eq": inside,
        "ne": not inside,
        "gt": above,
        "lt": below,
        "ge": above or inside,
        "le": below or inside,
        "sa": resource.low >= asked.high,
        "eb": resource.high <= asked.low,
        "ap": asked.overlaps(resource),
    }[prefix]


def _interval(match: re.Match[str]) -> Interval:
    part: dict[str, Any] = match.groupdict()
    number = {n: int(part[n]) for n in ("year", "month", "day", "hour", "minute") if part[n]}
    day = datetime(number["year"], number.get("month", 1), number.get("day", 1), tzinfo=UTC)
    if part["hour"] is None:
        return _of_days(day, part)
    low = day.replace(hour=number["hour"], minute=number["minute"])
    second = int(part["second"] or 0)
    if second > _LEAP_SECOND:
        raise ValueError(second)
    fraction = (part["fraction"] or "")[:6]
    micros = int(fraction.ljust(6, "0")) if fraction else 0
    low = _shift(low, timedelta(seconds=second, microseconds=micros) - _offset(part["zone"]))
    if fraction:
        span, precision = timedelta(microseconds=10 ** (6 - len(fraction))), "fraction"
    elif part["second"]:
        span, precision = timedelta(seconds=1), "second"
    else:
        span, precision = timedelta(minutes=1), "minute"
    return Interval(low, _shift(low, span), precision, zoned=part["zone"] is not None)


def _of_days(low: datetime, part: dict[str, Any]) -> Interval:
    if part["day"]:
        high, precision = _shift(low, timedelta(days=1)), "day"
    elif part["month"]:
        # The 1st plus 32 days is always in the next month.
        high, precision = _shift(low, timedelta(days=32)).replace(day=1), "month"
    else:
        high, precision = _shift(low, timedelta(days=366)).replace(day=1, month=1), "year"
    return Interval(low, high if high > low else LATEST, precision, zoned=False)


def _offset(zone: str | None) -> timedelta:
    if zone is None or zone in "Zz":
        return timedelta()
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    offset = timedelta(hours=hours, minutes=minutes)
    if offset > _FARTHEST_ZONE:
        raise ValueError(zone)
    return -offset if zone[0] == "-" else offset


def _shift(moment: datetime, by: timedelta) -> datetime:
    """Sum that stays within what a datetime can hold."""
    try:
        return moment + by
    except OverflowError:
        return EARLIEST if by < timedelta() else LATEST
