"""FHIR dates as intervals, and the prefixes of date search.

A partial date is the interval that it leaves open; a comparison asks how two intervals lie to
each other (FHIR R4, search, "prefixes" and "date": http://hl7.org/fhir/R4/search.html#prefix).
What has no zone is taken as UTC, the zone of this server.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
LATEST: Final = datetime.max.replace(tzinfo=UTC)
PREFIXES: Final = ("eq", "ne", "gt", "ge", "lt", "le", "sa", "eb", "ap")

_DATE = re.compile(
    r"(?P<year>\d{4})(-(?P<month>\d\d)(-(?P<day>\d\d)"
    r"(T(?P<hour>\d\d):(?P<minute>\d\d)(:(?P<second>\d\d)(\.(?P<fraction>\d{1,9}))?)?"
    r"(?P<zone>Z|[+-]\d\d:\d\d)?)?)?)?",
    re.ASCII,
)
_DIGITS: Final = {0, 3, 6}
"""How many of a second's fraction Python reads itself."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A span of time: from `start` on, and before `end`; both aware."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class DateCriterion:
    """One value of a date parameter: prefix and interval."""

    prefix: str
    interval: Interval


def interval(text: str) -> Interval:
    """Reads a date, dateTime or instant of any precision.

    Raises:
        ValueError: it is none, or a day or a time that does not exist.
    """
    match = _DATE.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not a FHIR date, dateTime or instant")
    year, month, day = int(match["year"]), int(match["month"] or 1), int(match["day"] or 1)
    start = datetime(year, month, day, tzinfo=UTC)
    if match["hour"] is None:
        return Interval(start, _after_date(start, match))
    try:
        start = _moment(start, match)
        return Interval(start, start + _precision(match))
    except OverflowError:
        raise ValueError(f"{text!r} lies outside the years 1 to 9999") from None


def criterion(text: str) -> DateCriterion:
    """Reads one value of a date parameter, such as `ge2026-03-01` (no prefix means eq).

    Raises:
        ValueError: the rest behind the prefix is no date.
    """
    prefix, rest = (text[:2], text[2:]) if text[:2] in PREFIXES else ("eq", text)
    if " " in rest:
        raise ValueError(f"{rest!r} has a blank where a + was meant; write it %2B in the URL")
    return DateCriterion(prefix, interval(rest))


def of_element(element: Any) -> Interval | None:
    """Returns the interval of a dateTime, an instant or a Period; None where it is unusable."""
    try:
        if isinstance(element, str):
            return interval(element)
        if isinstance(element, dict):
            start, end = element.get("start"), element.get("end")
            return Interval(
                interval(start).start if start else EARLIEST,
                interval(end).end if end else LATEST,
            )
    except ValueError:
        return None
    return None


def holds(asked: DateCriterion, target: Interval, now: datetime) -> bool:
    """Tells whether a target lies to the search value as the prefix wants it.

    Args:
        asked: what the client searches for.
        target: the value in the resource.
        now: for `ap`, which allows a tenth of the distance between the value and the present.
    """
    return _COMPARISONS[asked.prefix](asked.interval, target, now)


def _equal(value: Interval, target: Interval, _now: datetime) -> bool:
    return value.start <= target.start and target.end <= value.end


def _approximate(value: Interval, target: Interval, now: datetime) -> bool:
    slack = abs(now - value.start) / 10
    start = value.start - min(slack, value.start - EARLIEST)
    end = value.end + min(slack, LATEST - value.end)
    return start < target.end and target.start < end


_COMPARISONS: Final[dict[str, Callable[[Interval, Interval, datetime], bool]]] = {
    "eq": _equal,
    "ne": lambda value, target, now: not _equal(value, target, now),
    "gt": lambda value, target, _now: target.end > value.end,
    "lt": lambda value, target, _now: target.start < value.start,
    "ge": lambda value, target, now: target.end > value.end or _equal(value, target, now),
    "le": lambda value, target, now: target.start < value.start or _equal(value, target, now),
    "sa": lambda value, target, _now: target.start >= value.end,
    "eb": lambda value, target, _now: target.end <= value.start,
    "ap": _approximate,
}


def _moment(day: datetime, match: re.Match[str]) -> datetime:
    second = match["second"] or "0"
    if second != "60" and match["zone"] and len(match["fraction"] or "") in _DIGITS:
        return datetime.fromisoformat(match[0]).astimezone(UTC)
    local = day.replace(
        hour=int(match["hour"]),
        minute=int(match["minute"]),
        second=59 if second == "60" else int(second),  # a leap second is the one before
        microsecond=int((match["fraction"] or "").ljust(6, "0")[:6]),
        tzinfo=None,
    )
    return datetime.fromisoformat(f"{local.isoformat()}{match['zone'] or 'Z'}").astimezone(UTC)


def _after_date(start: datetime, match: re.Match[str]) -> datetime:
    if match["day"]:
        return start + timedelta(days=1) if start.date() != LATEST.date() else LATEST
    year, month = start.year, start.month
    year, month = (year + month // 12, month % 12 + 1) if match["month"] else (year + 1, 1)
    return LATEST if year > LATEST.year else start.replace(year=year, month=month)


def _precision(match: re.Match[str]) -> timedelta:
    if match["second"] is None:
        return timedelta(minutes=1)
    digits = min(len(match["fraction"] or ""), 6)
    return timedelta(microseconds=10 ** (6 - digits))
