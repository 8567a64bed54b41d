"""The writes of a page, each inside the caller's transaction."""

from __future__ import annotations

import sqlite3
from dataclasses import astuple

from harness.sync.model import Counts, Cursor, Query, Watermark
from harness.sync.rows import key, text_of


def add_counts(db: sqlite3.Connection, run: int, patient: str, type_: str, done: Counts) -> None:
    """Add what a page did to what the run did."""
    db.execute(
        "INSERT INTO counts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (run, patient, type) DO UPDATE SET new = new + excluded.new,"
        " changed = changed + excluded.changed, unchanged = unchanged + excluded.unchanged,"
        " older = older + excluded.older, deleted = deleted + excluded.deleted,"
        " pages = pages + excluded.pages",
        (run, patient, type_, *astuple(done)),
    )


def put_cursor(db: sqlite3.Connection, query: Query, cursor: Cursor) -> None:
    """Set where a query is to go on."""
    db.execute(
        "INSERT OR REPLACE INTO cursors"
        " (patient, type, part, url, asked_from, started, newest, pages, run)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *key(query),
            cursor.url,
            text_of(cursor.asked_from),
            text_of(cursor.started),
            text_of(cursor.newest),
            cursor.pages,
            cursor.run,
        ),
    )


def drop_cursor(db: sqlite3.Connection, query: Query) -> None:
    """Let a query have no open page."""
    db.execute("DELETE FROM cursors WHERE patient = ? AND type = ? AND part = ?", key(query))


def put_watermark(db: sqlite3.Connection, watermark: Watermark) -> None:
    """Set up to where a query is complete."""
    db.execute(
        "INSERT OR REPLACE INTO watermarks (patient, type, part, mark, confirmed, full)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (
            *key(watermark.query),
            text_of(watermark.mark),
            text_of(watermark.confirmed),
            text_of(watermark.full),
        ),
    )
