"""What is due when: pure, in the tenant's own time zone.

A daily job runs at one moment of its window, the same every day, spread over the window by a hash
of the tenant's name, so that tenants of one EHR do not all start at once. A moment that was missed,
by a halt or a long run, is caught up once, however many were missed. Where the window has an end,
nothing starts outside it: it is there to keep syncs out of the EHR's busy hours.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from zoneinfo import ZoneInfo

from harness.config.tenant import Schedule
from harness.sync.model import RunRow, RunStatus

DAY = timedelta(days=1)


RETRY = timedelta(minutes=10)
"""After a run that was cut off or failed; less would knock at a door that has just been shut."""


def is_due(schedule: Schedule, tenant: str, last: RunRow | None, now: datetime) -> bool:
    """Whether a job should start now.

    Besides its regular moments a job is due when the EHR said when to come back, and some minutes
    after a run that was cut off or failed.

    Args:
        schedule: of the tenant.
        tenant: its name; spreads daily jobs over their window.
        last: the last run; None if there was none, and then the job is due at once.
        now: the time, aware.
    """
    if not is_open(schedule, now):
        return False
    if last is None:
        return True
    moments = [next_due(schedule, tenant, last.started)]
    if last.come_back is not None:
        moments.append(last.come_back)
    if last.status in (RunStatus.RUNNING, RunStatus.CUT_OFF, RunStatus.FAILED):
        moments.append((last.ended or last.started) + RETRY)
    return min(moments) <= now


def is_open(schedule: Schedule, now: datetime) -> bool:
    """Whether the schedule lets a job start at this time of day."""
    if schedule.daily is None or schedule.until is None:
        return True
    today = now.astimezone(ZoneInfo(schedule.zone)).date()
    windows = (_window(schedule, day) for day in (today - DAY, today))
    return any(opens <= now < closes for opens, closes in windows)


def next_due(schedule: Schedule, tenant: str, last: datetime) -> datetime:
    """The first moment after `last` at which the job is due, in UTC.

    A run within a day's window is that day's, though it came before its moment.
    """
    if schedule.every_seconds is not None:
        return last.astimezone(UTC) + timedelta(seconds=schedule.every_seconds)
    day = last.astimezone(ZoneInfo(schedule.zone)).date() - DAY
    while _window(schedule, day)[0] <= last:
        day += DAY
    return _moment(schedule, tenant, day)


def spread(tenant: str) -> float:
    """A number from 0.0 up to 1.0 that is the tenant's own, and stays."""
    return int.from_bytes(sha256(tenant.encode()).digest()[:8]) / 2**64


def _moment(schedule: Schedule, tenant: str, day: date) -> datetime:
    """When the job is due on `day`, in UTC."""
    opens, closes = _window(schedule, day)
    return opens + (closes - opens) * spread(tenant)


def _window(schedule: Schedule, day: date) -> tuple[datetime, datetime]:
    """The window that opens on `day`, in UTC; wall times follow the zone's own changes of clock.

    An hour that comes twice counts the first time. A window within an hour that is left out is as
    long as ever, and opens when that hour would have had its start.
    """
    zone = ZoneInfo(schedule.zone)
    start = schedule.daily or time(0)
    opens = _at(day, start, zone)
    if schedule.until is None:
        return opens, opens
    last = day + DAY if schedule.until <= start else day
    closes = _at(last, schedule.until, zone)
    if closes <= opens:
        closes = opens + (datetime.combine(last, schedule.until) - datetime.combine(day, start))
    return opens, closes


def _at(day: date, wall: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, wall.replace(tzinfo=None), zone).astimezone(UTC)
