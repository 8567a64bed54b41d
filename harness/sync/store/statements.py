"""The writes of a page, each inside the caller's transaction."""

from __future__ import annotations

from harness.sync.model import Counts, Cursor, Query, Watermark
from harness.sync.store.database import Database
from harness.sync.store.rows import key, text_of


def add_counts(db: Database, run: int, patient: str, type_: str, done: Counts) -> None:
    """Add what a page did to what the run did."""
    figures = done.new, done.changed, done.unchanged, done.older, done.deleted, done.pages
    db.execute(
        "INSERT INTO counts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (run, patient, type) DO UPDATE SET"
        " new = counts.new + excluded.new, changed = counts.changed + excluded.changed,"
        " unchanged = counts.unchanged + excluded.unchanged,"
        " older = counts.older + excluded.older, deleted = counts.deleted + excluded.deleted,"
        " pages = counts.pages + excluded.pages",
        (run, patient, type_, *figures),
    )


def put_cursor(db: Database, query: Query, cursor: Cursor) -> None:
    """Set where a query is to go on."""
    db.execute(
        "INSERT INTO cursors (patient, type, part, url, asked_from, started, newest, pages, run,"
        " reached) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (patient, type, part) DO UPDATE SET url = excluded.url,"
        " asked_from = excluded.asked_from, started = excluded.started,"
        " newest = excluded.newest, pages = excluded.pages, run = excluded.run,"
        " reached = excluded.reached",
        (
            *key(query),
            cursor.url,
            text_of(cursor.asked_from),
            text_of(cursor.started),
            text_of(cursor.newest),
            cursor.pages,
            cursor.run,
            text_of(cursor.reached),
        ),
    )


def drop_cursor(db: Database, query: Query) -> None:
    """Let a query have no open page."""
    db.execute("DELETE FROM cursors WHERE patient = ? AND type = ? AND part = ?", key(query))


def put_watermark(db: Database, watermark: Watermark) -> None:
    """Set up to where a query is complete."""
    db.execute(
        'INSERT INTO watermarks (patient, type, part, mark, confirmed, "full")'
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (patient, type, part) DO UPDATE SET"
        ' mark = excluded.mark, confirmed = excluded.confirmed, "full" = excluded."full"',
        (
            *key(watermark.query),
            text_of(watermark.mark),
            text_of(watermark.confirmed),
            text_of(watermark.full),
        ),
    )
