"""How far an answer reaches: pure, so that time is an argument.

FHIR R4 search, `_lastUpdated` (https://hl7.org/fhir/R4/search.html#lastUpdated).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

TRUSTED_LAG = timedelta(days=1)
"""How far a server's `lastUpdated` may lag behind its Date header: a stale replica, a slow index.

The mark follows the newest stamp seen, but no further back than this, else a patient whose record
came in one import would be fetched again for ever.
"""

SKEW = timedelta(minutes=1)
"""How far after the start of a query a stamp may lie and still be no stamp of the future."""


def server_start(date: datetime | None, seconds: float, ours: datetime) -> datetime:
    """A server time that is surely not after the moment when a request reached the server.

    Our own clock can only lower it, so that a Date in the future never hides later changes.

    Args:
        date: the response's Date header; None if absent or unreadable.
        seconds: how long the exchange took.
        ours: when we sent the request, by our clock.
    """
    if date is None:
        return ours - TRUSTED_LAG
    return min(date - timedelta(seconds=seconds), ours)


def believable(stamps: Iterable[datetime | None], started: datetime) -> datetime | None:
    """The newest of these `lastUpdated` stamps that is not from the future of `started`."""
    limit = started + SKEW
    known = [each for each in stamps if each is not None]
    newest = max(known, default=None)
    if newest is None or newest <= limit:
        return newest
    return max((each for each in known if each <= limit), default=None)


def latest(one: datetime | None, other: datetime | None) -> datetime | None:
    """The later of two times; None is earlier than any."""
    return max((each for each in (one, other) if each is not None), default=None)


def advance(mark: datetime | None, started: datetime, newest: datetime | None) -> datetime:
    """The watermark after a query was read to its end.

    It is the start of the query, not its end: what changed while paging is asked for again. It does
    not pass the newest stamp seen by more than `TRUSTED_LAG` allows, and never goes back.

    Args:
        mark: the watermark so far.
        started: server time when the first page was asked.
        newest: the newest believable stamp among all pages.
    """
    reached = latest(newest, started - TRUSTED_LAG) or started
    safe = min(started, reached)
    return safe if mark is None else max(mark, safe)
