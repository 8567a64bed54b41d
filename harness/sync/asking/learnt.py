"""What a tenant's EHR was seen to do, as the store remembers it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from harness.sync.model import Learnt, Lease
from harness.sync.order import Outcome
from harness.sync.store.rows import text_of
from harness.sync.store.store import Store

GOOD_FOR = timedelta(days=30)
"""EHRs are upgraded: after so long it is found out again whether `_lastUpdated` is honoured."""

ANY = "*"
"""In the place of a type, for what holds for all."""

_HONOURED, _NOT = "honoured", "not honoured"


def recall(store: Store, now: datetime) -> Learnt:
    """What was learnt; what is older than `GOOD_FOR` is left out, but for needs."""
    rows = store.connection.execute("SELECT type, what, value, at FROM learnt").fetchall()
    since = text_of(now - GOOD_FOR)

    def of(what: str, *, fresh: bool = True) -> dict[str, str]:
        chosen = (row for row in rows if row["what"] == what)
        return {row["type"]: row["value"] for row in chosen if not fresh or row["at"] >= since}

    sizes = of("page_size").get(ANY)
    return Learnt(
        {type_: value == _HONOURED for type_, value in of("last_updated").items()},
        of("needs", fresh=False),
        {type_: frozenset(value.split(",")) for type_, value in of("unknown").items()},
        {type_: value == _HONOURED for type_, value in of("history").items()},
        int(sizes) if sizes else None,
        {type_: value == _HONOURED for type_, value in of("order").items()},
        exports == _HONOURED if (exports := of("export").get(ANY)) else None,
    )


def remember_honours(
    store: Store, lease: Lease, honours: Mapping[str, bool], now: datetime
) -> None:
    """Keep, by type, whether `_lastUpdated` narrows a search."""
    said = {type_: _HONOURED if each else _NOT for type_, each in honours.items()}
    _remember(store, lease, "last_updated", said, now)


def remember_histories(
    store: Store, lease: Lease, histories: Mapping[str, bool], now: datetime
) -> None:
    """Keep, by type, whether what changed since a time can be asked for."""
    said = {type_: _HONOURED if each else _NOT for type_, each in histories.items()}
    _remember(store, lease, "history", said, now)


def remember_exports(store: Store, lease: Lease, now: datetime, *, honoured: bool) -> None:
    """Keep whether a bulk export serves."""
    _remember(store, lease, "export", {ANY: _HONOURED if honoured else _NOT}, now)


def remember_outcome(store: Store, lease: Lease, outcome: Outcome, now: datetime) -> None:
    """Keep what a pull found out about searches."""
    _remember(store, lease, "needs", outcome.needs, now)
    remember_honours(store, lease, dict.fromkeys(outcome.unhonoured, False), now)
    orders = {type_: _HONOURED if each else _NOT for type_, each in outcome.orders.items()}
    _remember(store, lease, "order", orders, now)
    known = recall(store, now).unknown
    unknown = {
        type_: ",".join(sorted(parts | known.get(type_, frozenset())))
        for type_, parts in outcome.unknown.items()
    }
    _remember(store, lease, "unknown", unknown, now)
    if outcome.page_size is not None:
        _remember(store, lease, "page_size", {ANY: str(outcome.page_size)}, now)


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
