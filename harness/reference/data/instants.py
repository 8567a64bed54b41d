"""How the data writes points in time (FHIR R4, datatypes, dateTime and instant)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from functools import cache


def instant(moment: datetime) -> str:
    """Returns an instant in UTC with milliseconds, such as `2026-03-01T14:05:09.120Z`."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def date_time(moment: datetime, offset_hours: float) -> str:
    """Returns a dateTime to the second in the zone of a patient; zone 0 is written `Z`."""
    return (
        moment.astimezone(_zone(offset_hours)).isoformat(timespec="seconds").replace("+00:00", "Z")
    )


@cache
def _zone(offset_hours: float) -> timezone:
    return timezone(timedelta(hours=offset_hours))
