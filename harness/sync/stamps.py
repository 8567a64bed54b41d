"""`meta.lastUpdated` as EHRs write it, and Date headers: read tolerantly, never too late.

An `instant` has seconds and a zone (https://hl7.org/fhir/R4/datatypes.html#instant); some EHRs cut
it to a date or leave the zone out. What is missing is taken as the earliest time that it can mean:
a watermark that is too early costs a page, one that is too late loses data.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

EARLIEST_ZONE = timezone(timedelta(hours=14))

_STAMP = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?)?)?)?"
    r"(Z|[+-]\d\d:?\d\d)?",
    re.ASCII | re.IGNORECASE,
)


def earliest(stamp: str) -> datetime | None:
    """The earliest instant that `stamp` can mean, in UTC; None if it means none."""
    match = _STAMP.fullmatch(stamp.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        return datetime(
            int(year),
            int(month or 1),
            int(day or 1),
            int(hour or 0),
            int(minute or 0),
            min(int(second or 0), 59),  # a leap second is the last one of its minute
            int((fraction or "0")[:6].ljust(6, "0")),
            _zone(zone),
        ).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def http_date(value: str | None) -> datetime | None:
    """A Date header (RFC 9110 section 6.6.1), in UTC; None if absent or unreadable."""
    try:
        moment = parsedate_to_datetime(value) if value else None
        return moment.astimezone(UTC) if moment is not None and moment.tzinfo else None
    except (ValueError, IndexError, OverflowError):
        return None


def _zone(text: str | None) -> timezone:
    if text is None:
        return EARLIEST_ZONE
    if text in "Zz":
        return UTC
    hours, minutes = int(text[1:3]), int(text[-2:])
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if text[0] == "-" else offset)
