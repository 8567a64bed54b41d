"""`meta.lastUpdated` and Date headers, read such that they are never too late.

Some EHRs cut an instant to a date or leave its zone out. What is missing is taken as the earliest
time that it can mean: a watermark that is too early costs a page, one that is too late loses data.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

from harness.fhir.dates import parse

_WHOLE = len("2026-01-01T12:00:00Z")


def earliest(stamp: object) -> datetime | None:
    """The earliest instant that `stamp` can mean, in UTC; None if it means none."""
    if isinstance(stamp, str) and stamp[10:11] == "T" and len(stamp) >= _WHOLE:
        # Where nothing is missing there is nothing to interpret, which takes ten times as long.
        try:
            moment = datetime.fromisoformat(stamp)
            if moment.tzinfo is not None:
                return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
        except (ValueError, OverflowError):
            pass  # such as second 60; `suppress` would take as long as all the rest
    interval = parse(stamp)
    return None if interval is None else interval.widened().low.astimezone(UTC)


@lru_cache(maxsize=8)  # the answers of a second have the same
def http_date(value: str | None) -> datetime | None:
    """A Date header (RFC 9110 section 6.6.1), in UTC; None if absent or unreadable."""
    try:
        moment = parsedate_to_datetime(value) if value else None
        return moment.astimezone(UTC) if moment is not None and moment.tzinfo else None
    except (ValueError, IndexError, OverflowError):
        return None
