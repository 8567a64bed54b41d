"""The store of a tenant: resources with their bytes, watermarks, cursors, runs.

A page is never divided: resources, counters, and either the cursor to the next page or the
watermark lie in one transaction, which several pages may share. Each such transaction checks the
fence of the lease it runs under, so that a process that was taken for dead cannot write after its
successor began. Whatever instruction a run dies at, the next one goes on at a committed cursor or
at the watermark.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.http.known import Known
from harness.http.pace import Spent
from harness.sync.model import (
    Counts,
    Cursor,
    Gap,
    Lease,
    PageDone,
    Query,
    Received,
    RunRow,
    RunStatus,
    Watermark,
)
from harness.sync.store.database import Database, LeaseLost, Place
from harness.sync.store.rows import cursor_of, instant, key, query_of, run_of, text_of, watermark_of
from harness.sync.store.sqlite import SqliteFile
from harness.sync.store.statements import add_counts, drop_cursor, put_cursor, put_watermark
from harness.sync.store.upsert import stored_among, upsert

__all__ = ["LeaseLost", "Store"]


class Store:
    """One tenant's store. One thread at a time may use it.

    Args:
        place: where it is; a path is that of an SQLite file, made with its folder where missing.

    Raises:
        ConfigError, StoreUnreachable: see `harness.sync.store.database.Place`.
    """

    def __init__(self, place: Place | Path) -> None:
        where = SqliteFile(place) if isinstance(place, Path) else place
        self.connection = where.connect()
        self._joined: Database | None = None
        self.on_taken: Callable[[Sequence[Received]], None] | None = None
        """Told what pages and files brought, once it is in the store."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close it; whatever is not committed is gone."""
        self.connection.close()

    # -- runs

    def begin(self, lease: Lease, name: str, now: datetime) -> int:
        """Write down that a run called `name` begins; one that never ended was cut off."""
        with self.fenced(lease) as db:
            db.execute(
                "UPDATE runs SET status = ?, ended = ? WHERE status = ?",
                (RunStatus.CUT_OFF, text_of(now), RunStatus.RUNNING),
            )
            db.execute(
                "INSERT INTO runs (name, fence, started, status) VALUES (?, ?, ?, ?)",
                (name, lease.fence, text_of(now), RunStatus.RUNNING),
            )
            row = db.execute("SELECT id FROM runs WHERE name = ?", (name,)).fetchone()
        return int(row["id"])

    def finish(self, lease: Lease, run: RunRow, gaps: Iterable[Gap]) -> None:
        """Write down how a run ended; `gaps` name what it could not get."""
        if run.ended is None:
            raise ValueError("a run that finishes has an end")
        traffic = run.traffic
        with self.fenced(lease) as db:
            db.execute(
                "UPDATE runs SET ended = ?, status = ?, requests = ?, refusals = ?, waited = ?,"
                " permitted = ?, reason = ?, come_back = ?, validation = ? WHERE id = ?",
                (
                    text_of(run.ended),
                    run.status,
                    traffic.requests,
                    traffic.refusals,
                    traffic.waited,
                    traffic.permitted,
                    run.reason,
                    text_of(run.come_back),
                    run.validation,
                    run.id,
                ),
            )
            db.executemany(
                "INSERT INTO gaps (run, patient, type, part, reason) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (run, patient, type, part) DO UPDATE SET reason = excluded.reason",
                [(run.id, g.query.patient, g.query.type, g.query.part, g.reason) for g in gaps],
            )

    def runs(self, limit: int = 10) -> tuple[RunRow, ...]:
        """The last runs, newest first."""
        rows = self.connection.execute("SELECT * FROM runs ORDER BY id DESC LIMIT ?", (limit,))
        return tuple(run_of(row) for row in rows)

    def counts(self, run: int) -> dict[tuple[str, str], Counts]:
        """What `run` did, by (patient, type)."""
        rows = self.connection.execute("SELECT * FROM counts WHERE run = ?", (run,))
        return {(row["patient"], row["type"]): Counts(*tuple(row)[3:]) for row in rows}

    def gaps(self, run: int) -> tuple[Gap, ...]:
        """What `run` could not get."""
        rows = self.connection.execute("SELECT * FROM gaps WHERE run = ?", (run,))
        return tuple(Gap(query_of(row), row["reason"]) for row in rows)

    # -- pages

    def commit(self, lease: Lease, run: int, page: PageDone) -> Counts:
        """Commit a page under `lease`; see the module for what that promises.

        Raises:
            LeaseLost: the lease has passed to another holder; nothing was written.
        """
        query = page.query
        with self.fenced(lease) as db:
            brought = upsert(db, page.received, query.patient, run, page.now, fresh=page.fresh)
            done = Counts(pages=1) + brought
            add_counts(db, run, query.patient, query.type, done)
            for one in page.chased:
                chased = upsert(db, [one], query.patient, run, page.now)
                add_counts(db, run, query.patient, one.type, chased)
                done += chased
            if page.cursor is not None:
                put_cursor(db, query, page.cursor)
            else:
                drop_cursor(db, query)
            if page.watermark is not None:
                put_watermark(db, page.watermark)
        self.taken(page.received)
        return done

    def taken(self, received: Sequence[Received]) -> None:
        """These are in the store now."""
        if self.on_taken is not None:
            self.on_taken(received)

    def forget_cursor(self, lease: Lease, query: Query) -> None:
        """Let `query` start again from its watermark: its paging session is gone."""
        with self.fenced(lease) as db:
            drop_cursor(db, query)

    # -- state

    def watermark(self, query: Query) -> Watermark | None:
        """Up to where `query` is complete; None if it never was."""
        row = self.connection.execute(
            "SELECT * FROM watermarks WHERE patient = ? AND type = ? AND part = ?", key(query)
        ).fetchone()
        return watermark_of(row) if row else None

    def watermarks(self) -> tuple[Watermark, ...]:
        """Every watermark, by patient, type and part."""
        rows = self.connection.execute("SELECT * FROM watermarks ORDER BY patient, type, part")
        return tuple(watermark_of(row) for row in rows)

    def confirmed(self) -> dict[str, datetime]:
        """When each patient's watermark that is confirmed the longest ago was confirmed."""
        rows = self.connection.execute(
            "SELECT patient, min(confirmed) AS oldest FROM watermarks GROUP BY patient"
        )
        return {row["patient"]: instant(row["oldest"]) for row in rows}

    def cursor(self, query: Query) -> Cursor | None:
        """Where `query` was left in the middle; None if it was not."""
        row = self.connection.execute(
            "SELECT * FROM cursors WHERE patient = ? AND type = ? AND part = ?", key(query)
        ).fetchone()
        return cursor_of(row) if row else None

    def cursors(self) -> dict[Query, Cursor]:
        """Every query that was left in the middle."""
        rows = self.connection.execute("SELECT * FROM cursors ORDER BY patient, type, part")
        return {query_of(row): cursor_of(row) for row in rows}

    def seen(self, query: Query, run: int) -> frozenset[str]:
        """Ids of the query's patient and type that `run` has seen."""
        rows = self.connection.execute(
            "SELECT id FROM resources WHERE patient = ? AND type = ? AND seen_in = ?",
            (query.patient, query.type, run),
        )
        return frozenset(row["id"] for row in rows)

    def held(self, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], bytes]:
        """Those of these (type, id) that are there and not deleted, with the SHA-256 of each."""
        known = stored_among(self.connection, keys)
        return {key: each.hash for key, each in known.items() if not each.deleted}

    def body(self, type_: str, id_: str) -> bytes | None:
        """The current version of a resource, exactly as received; None if absent or deleted."""
        row = self.connection.execute(
            "SELECT body FROM resources WHERE type = ? AND id = ? AND deleted = 0", (type_, id_)
        ).fetchone()
        return bytes(row["body"]) if row else None

    def bodies(self, type_: str) -> Iterator[tuple[str, bytes]]:
        """The current versions of all resources of a type by id; deleted ones are left out."""
        rows = self.connection.stream(
            "SELECT id, body FROM resources WHERE type = ? AND deleted = 0 ORDER BY id", (type_,)
        )
        for row in rows:
            yield row["id"], bytes(row["body"])

    def patient_with(self, type_: str, patients: Sequence[str]) -> str:
        """One of these patients, if there is one with resources of the type; else the first."""
        rows = self.connection.execute(
            "SELECT DISTINCT patient FROM resources WHERE type = ? AND deleted = 0", (type_,)
        )
        known = {row["patient"] for row in rows}
        return next((each for each in patients if each in known), patients[0])

    def holdings(self) -> dict[str, int]:
        """How many resources the store holds by type, deleted ones left out."""
        rows = self.connection.execute(
            "SELECT type, count(*) AS n FROM resources WHERE deleted = 0 GROUP BY type"
        )
        return {row["type"]: row["n"] for row in rows}

    def rates(self) -> dict[str, Known]:
        """What earlier runs learnt of the pace of each host."""
        rows = self.connection.execute("SELECT host, known FROM rates")
        return {row["host"]: Known.read(row["known"] or "{}") for row in rows}

    def remember_rates(self, rates: Mapping[str, Known]) -> None:
        """Let the next run start with what this one learnt."""
        values = [(host, each.rate or 0.0, each.text()) for host, each in rates.items()]
        with self.connection.transaction() as db:
            db.executemany(
                "INSERT INTO rates (host, rate, known) VALUES (?, ?, ?) ON CONFLICT (host)"
                " DO UPDATE SET rate = excluded.rate, known = excluded.known",
                values,
            )

    def spent(self) -> dict[str, Spent]:
        """What earlier runs spent of a day's budget, by host."""
        rows = self.connection.execute("SELECT host, begun, spent FROM spent")
        return {row["host"]: Spent(instant(row["begun"]), row["spent"]) for row in rows}

    def remember_spent(self, spent: Mapping[str, Spent]) -> None:
        """Let the next run go on counting from here."""
        values = [(host, text_of(each.begun), each.amount) for host, each in spent.items()]
        with self.connection.transaction() as db:
            db.executemany(
                "INSERT INTO spent VALUES (?, ?, ?) ON CONFLICT (host) DO UPDATE SET"
                " begun = excluded.begun, spent = excluded.spent",
                values,
            )

    def pseudonym(self, identity: str, kind: str = "patient") -> str:
        """The name of an id in reports: stable in this store, and meaningless without it."""
        key = self.connection.execute("SELECT key FROM pseudonyms").fetchone()["key"]
        return f"{kind}-{hmac.digest(key, identity.encode(), 'sha256').hex()[:10]}"

    @contextmanager
    def together(self, lease: Lease) -> Iterator[None]:
        """One transaction for all that is committed under `lease` inside.

        Raises:
            LeaseLost: it has passed to another holder; nothing was written.
        """
        with self.fenced(lease) as db:
            self._joined = db
            try:
                yield
            finally:
                self._joined = None

    @contextmanager
    def fenced(self, lease: Lease) -> Iterator[Database]:
        """A transaction under `lease`, or the one that is open by `together`.

        Raises:
            LeaseLost: it has passed to another holder; nothing was written.
        """
        if self._joined is not None:
            yield self._joined
            return
        with self.connection.transaction() as db:
            held = db.execute(
                "SELECT 1 FROM leases WHERE tenant = ? AND job = ? AND fence = ?",
                (lease.tenant, lease.job, lease.fence),
            ).fetchone()
            if held is None:
                raise LeaseLost(
                    f"tenant {lease.tenant}: another process has taken over its {lease.job}",
                    hint="let that one finish; nothing is lost",
                )
            yield db
