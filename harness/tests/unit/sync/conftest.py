from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harness.config.ehr import Limits
from harness.http.client import HttpClient
from harness.http.clock import ManualClock
from harness.http.exchange import Exchange
from harness.http.limiter import HostLimiters
from harness.scheduler.leases import acquire
from harness.sync.access.meter import Meter
from harness.sync.asking.probe import honours
from harness.sync.asking.strategy import Plan
from harness.sync.model import Lease, RunStatus
from harness.sync.order import Order, Outcome, by_need
from harness.sync.pull.pull import Pull
from harness.sync.store.store import Store
from harness.tests.unit.sync.fake_ehr import BASE, FakeEhr

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class PlainReader:
    """Asks through the real HTTP client, without a token."""

    def __init__(self, http: HttpClient) -> None:
        self.http = http

    async def first(self, type_: str, parameters: Sequence[tuple[str, str]]) -> Exchange:
        query = "&".join(f"{name}={value}" for name, value in parameters)
        return await self.http.get(f"{BASE}/{type_}?{query}")

    async def next(self, url: str, type_: str | None = None) -> Exchange:
        del type_
        return await self.http.get(url)

    async def read(self, type_: str, id_: str) -> Exchange:
        return await self.http.get(f"{BASE}/{type_}/{id_}")


class Bench:
    """A store, a fake EHR and everything between them, on one manual clock."""

    def __init__(self, path: Path) -> None:
        self.clock = ManualClock(NOON)
        self.ehr = FakeEhr(self.clock)
        self.store = Store(path)
        self.plan: Plan
        self.patients: tuple[str, ...] = ("p", "q")
        self.types: tuple[str, ...] = ("Patient", "Observation")
        self.batch_size = 10
        self.concurrency = 1
        self.max_wait = 60.0
        self.limits = Limits(requests_per_second=100.0, concurrency=8)
        self.meter = Meter()
        self.runs = 0
        self.pull: Pull

    def lease(self) -> Lease:
        now = self.clock.now()
        return acquire(self.store, "t", "sync", by="me:1", now=now, holder_is_dead=True)

    def sync(self) -> Outcome:
        """One run to its end; its row stays `running`, as after a kill, until the next begins."""
        return asyncio.run(self.run())

    def reader(self) -> PlainReader:
        """One that asks the fake EHR, through a client and a limiter of its own."""
        limiters = HostLimiters(self.limits, self.clock, chance=lambda: 0.5)
        return PlainReader(
            HttpClient(
                base=BASE,
                evidence=self.meter,
                limiter=limiters,
                clock=self.clock,
                transport=self.ehr,
            )
        )

    async def run(self) -> Outcome:
        lease = self.lease()
        self.runs += 1
        run = self.store.begin(lease, f"r{self.runs}", self.clock.now())
        self.meter = Meter()
        reader = self.reader()
        self.pull = Pull(
            self.store,
            lease,
            reader_of=lambda _: reader,
            plan=self.plan,
            clock=self.clock,
        )
        order = Order(
            run,
            by_need(self.patients, self.store.confirmed()),
            self.types,
            self.batch_size,
            self.concurrency,
            self.max_wait,
        )
        return await self.pull.run(order)

    def probed(self) -> dict[str, bool]:
        """What the first patient tells of `_lastUpdated`."""
        likely = dict.fromkeys(self.types, self.patients[0])
        return asyncio.run(honours(self.reader(), self.plan, likely, self.clock.now))

    def stored(self) -> dict[tuple[str, str], bytes]:
        rows = self.store.connection.execute("SELECT type, id, body FROM resources")
        return {(row["type"], row["id"]): bytes(row["body"]) for row in rows}

    def last_status(self) -> RunStatus:
        return self.store.runs()[0].status


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "private" / "store.sqlite")
    made.plan = Plan(timedelta(minutes=5))
    with made.store.connection.hurried():
        yield made
    broken = made.store.connection.execute("PRAGMA foreign_key_check").fetchall()
    assert broken == [], "rows that name a run which is not there"
    made.store.close()
