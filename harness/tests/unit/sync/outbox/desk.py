"""An outbox, a fake EHR and everything between them, on one manual clock."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from harness.config.ehr import Limits, WritesSpec
from harness.fhir.client import FhirClient
from harness.fhir.observations import Measured, heart_rate
from harness.http.client import HttpClient
from harness.http.clock import ManualClock
from harness.http.limiter import HostLimiters
from harness.scheduler.leases import acquire
from harness.sync.access.connect import Connection
from harness.sync.access.meter import Meter
from harness.sync.outbox.abilities import Abilities
from harness.sync.outbox.box import Box
from harness.sync.outbox.courier import Courier
from harness.sync.outbox.delivery import Delivery
from harness.sync.outbox.drafting import to_create
from harness.sync.outbox.model import Entry, State
from harness.sync.outbox.wire import Wire
from harness.sync.store.database import Place
from harness.sync.store.store import Store
from harness.tests.unit.sync.outbox.fake_writes import BASE, Crash, FakeWrites

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVERYTHING = tuple(State)


class Desk:
    """What a test of the outbox works with."""

    def __init__(self, place: Place | Path, **ehr: Any) -> None:
        self.clock = ManualClock(NOON)
        self.ehr = FakeWrites(self.clock, **ehr)
        self.spec = WritesSpec()
        self.concurrency = 4
        self.patience = 3600.0 * 24
        self.strangers: set[str] = set()
        self.store = Store(place)
        if isinstance(place, Path):
            # No power fails in a test, and examples are many.
            self.store.connection.execute("PRAGMA synchronous = OFF")
        self.box = Box(self.store)
        self.delivery: Delivery

    def close(self) -> None:
        self.store.close()

    def submit(self, number: int = 1, patient: str = "p", value: int | None = None) -> Entry:
        """Queue a heart rate that is known by its number."""
        return self.box.put(to_create("t", rate(number, patient, value)), self.clock.now())[0]

    def deliver(self) -> None:
        """What a process does until nothing is left to do, or it dies by a `Crash`."""
        self.ehr.dead = False
        with suppress(Crash):
            asyncio.run(self._delivered())

    async def _delivered(self) -> None:
        now = self.clock.now()
        lease = acquire(self.store, "t", "outbox", by="me:1", now=now, holder_is_dead=True)
        visible = timedelta(seconds=self.spec.visible_after_seconds)
        self.box.recover(lease, now, now + visible)
        meter = Meter()
        limits = Limits(requests_per_second=1000.0, concurrency=8, max_retry_after=5.0)
        http = HttpClient(
            base=BASE,
            evidence=meter,
            limiter=HostLimiters(limits, self.clock),
            clock=self.clock,
            transport=self.ehr,
        )
        wire = Wire(_way(meter, http), self.clock)
        abilities = await Abilities.learnt(wire, self.spec)
        courier = Courier(self.box, lease, wire, abilities, self._includes, self.clock)
        self.delivery = Delivery(courier, self.clock, self.concurrency, self.patience)
        await self.delivery.run()

    async def _includes(self, patient: str) -> bool:
        return patient not in self.strangers

    def entry(self, id_: int = 1) -> Entry:
        found = self.box.entry(id_)
        assert found is not None
        return found

    def states(self) -> list[State]:
        return [each.state for each in self.box.entries(EVERYTHING)]


def rate(number: int = 1, patient: str = "p", value: int | None = None) -> dict[str, Any]:
    at = NOON + timedelta(minutes=number)
    measured = Measured(patient, at, ("urn:test", f"m{number}"))
    return heart_rate(measured, 60 + number if value is None else value)


def _way(meter: Meter, http: HttpClient) -> Connection:
    return Connection(meter, None, FhirClient(http, BASE))
