"""What a tenant's EHR was seen to do, as the store remembers it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from harness.sync.model import Learnt, Lease
from harness.sync.rows import text_of
from harness.sync.store import Store

GOOD_FOR = timedelta(days=30)
"""EHRs are upgraded: after so long it is found out again whether `_lastUpdated` is honoured."""

_HONOURED, _NOT = "honoured", "not honoured"


def recall(store: Store, now: datetime) -> Learnt:
    """What was learnt, proofs of `_lastUpdated` that are older than `GOOD_FOR` left out."""
    rows = store.connection.execute("SELECT type, what, value, at FROM learnt").fetchall()
    since = text_of(now - GOOD_FOR)
    return Learnt(
        {
            row["type"]: row["value"] == _HONOURED
            for row in rows
            if row["what"] == "last_updated" and row["at"] >= since
        },
        {row["type"]: row["value"] for row in rows if row["what"] == "needs"},
    )


def remember_honours(
    store: Store, lease: Lease, honours: Mapping[str, bool], now: datetime
) -> None:
    """Keep, by type, whether `_lastUpdated` narrows a search."""
    said = {type_: _HONOURED if each else _NOT for type_, each in honours.items()}
    _remember(store, lease, "last_updated", said, now)


def remember_needs(store: Store, lease: Lease, needs: Mapping[str, str], now: datetime) -> None:
    """Keep, by type, which parameter a search needs."""
    _remember(store, lease, "needs", needs, now)


def _remember(
    store: Store, lease: Lease, what: str, values: Mapping[str, str], now: datetime
) -> None:
    rows = [(type_, what, value, text_of(now)) for type_, value in values.items()]
    with store.fenced(lease) as db:
        db.executemany(
            "INSERT INTO learnt VALUES (?, ?, ?, ?)"
            " ON CONFLICT (type, what) DO UPDATE SET value = excluded.value, at = excluded.at",
            rows,
        )
