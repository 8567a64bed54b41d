"""Between the store's rows and the words of a sync. Times are UTC text that sorts as time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import overload

import msgspec

from harness.sync.model import Cursor, Query, RunRow, RunStatus, Traffic, Watermark
from harness.sync.store.database import Row

_json = msgspec.json.Encoder().encode


@overload
def text_of(at: datetime) -> str: ...
@overload
def text_of(at: None) -> None: ...
@overload
def text_of(at: datetime | None) -> str | None: ...
def text_of(at: datetime | None) -> str | None:
    """An aware time as the store writes it."""
    if at is None:
        return None
    # Nearly all are in UTC, which is known at once; msgspec writes them twice as fast as they do.
    text = _json(at if at.tzinfo is UTC else at.astimezone(UTC)).decode()
    return f"{text[1:27]}+00:00" if at.microsecond else f"{text[1:20]}.000000+00:00"


def instant(text: str) -> datetime:
    """A time that the store wrote."""
    return datetime.fromisoformat(text)


def instant_or_none(text: str | None) -> datetime | None:
    """A time that the store wrote, or none."""
    return None if text is None else instant(text)


def key(query: Query) -> tuple[str, str, str]:
    """The columns that name a query."""
    return query.patient, query.type, query.part


def query_of(row: Row) -> Query:
    """The query that a row belongs to."""
    return Query(row["patient"], row["type"], row["part"])


def watermark_of(row: Row) -> Watermark:
    """A row of `watermarks`."""
    return Watermark(
        query_of(row),
        instant(row["mark"]),
        instant(row["confirmed"]),
        instant_or_none(row["full"]),
    )


def cursor_of(row: Row) -> Cursor:
    """A row of `cursors`."""
    return Cursor(
        row["url"],
        instant_or_none(row["asked_from"]),
        instant(row["started"]),
        instant_or_none(row["newest"]),
        row["pages"],
        row["run"],
        instant_or_none(row["reached"]),
    )


def run_of(row: Row) -> RunRow:
    """A row of `runs`."""
    return RunRow(
        row["id"],
        row["name"],
        instant(row["started"]),
        instant_or_none(row["ended"]),
        RunStatus(row["status"]),
        Traffic(row["requests"], row["refusals"], row["waited"], row["permitted"]),
        row["reason"],
        instant_or_none(row["come_back"]),
        row["validation"],
    )
