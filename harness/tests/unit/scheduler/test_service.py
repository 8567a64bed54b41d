from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.config.tenant import Tenant
from harness.http.clock import ManualClock
from harness.scheduler import service
from harness.scheduler.clockwork import ticking
from harness.scheduler.jobs import Ended, Site, _bounded
from harness.scheduler.service import Service
from harness.smart.entropy import system_entropy
from harness.sync.account import Account
from harness.sync.model import RunStatus

CLOCK = ManualClock()
TENANT = """
title = "T"
ehr = "reference"
client = "harness-backend-secret"
[patients]
discover = "search"
[schedule]
every_seconds = 60
"""


def account(tenant: str) -> Account:
    return Account(tenant, "r", CLOCK.now(), CLOCK.now(), RunStatus.COMPLETE)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path / "data"))
    made = {}
    for name in ("a", "b", "c"):
        made[name] = tmp_path / f"{name}.toml"
        made[name].write_text(TENANT)
    return made


def serve(
    files: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    job: Callable[[str], Any],
    on_end: Callable[[Tenant | None, Ended], None] = lambda _tenant, _ended: None,
) -> Service:
    async def sync(tenant: Tenant, *_args: Any, **_more: Any) -> Account:
        result: Account = await job(tenant.name)
        return result

    monkeypatch.setattr(service, "write_and_sync", sync)
    site = Site({}, CLOCK, system_entropy)
    return Service(site, lambda: files, lambda: "r", on_end, 1.0)


def once(made: Service) -> dict[str, Ended]:
    async def run() -> tuple[Ended, ...]:
        made.tick()
        return await made.drain()

    return {each.tenant: each for each in asyncio.run(run())}


def test_what_goes_wrong_in_one_tenant_stays_there(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    files["c"].write_text("title = 1\n")

    async def job(name: str) -> Account:
        if name == "a":
            raise RuntimeError("a secret in here")
        return account(name)

    ended = once(serve(files, monkeypatch, job))
    assert ended["a"].error == "a defect of the harness: RuntimeError"
    assert ended["b"].account is not None
    assert "c.toml" in str(ended["c"].error)


def test_a_report_that_cannot_be_written_is_told(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def job(name: str) -> Account:
        return account(name)

    def full(_tenant: Tenant | None, ended: Ended) -> None:
        if ended.tenant == "b":
            raise OSError(28, "No space left on device")

    ended = once(serve(files, monkeypatch, job, full))
    assert ended["b"].error == "its report could not be written: No space left on device"
    assert ended["a"].error is None


def test_a_tenant_under_way_is_not_started_again(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []

    async def run() -> None:
        gate = asyncio.Event()

        async def job(name: str) -> Account:
            started.append(name)
            await gate.wait()
            return account(name)

        made = serve(files, monkeypatch, job)
        made.tick()
        await asyncio.sleep(0)
        made.tick()
        await asyncio.sleep(0)
        gate.set()
        await made.drain()
        made.tick()
        await made.drain()
        made.stop("enough")
        made.tick()
        await made.drain()

    asyncio.run(run())
    assert sorted(started) == ["a", "a", "b", "b", "c", "c"]


def test_a_broken_file_is_complained_about_once(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    broken = {"c": files["c"]}
    files["c"].write_text("title = 1\n")

    async def job(name: str) -> Account:
        return account(name)

    made = serve(broken, monkeypatch, job, lambda _tenant, ended: told.append(ended.tenant))
    made.tick()
    made.tick()
    assert told == ["c"]


class Hanging:
    """A run that hears `stop`, or does not."""

    def __init__(self, *, obedient: bool) -> None:
        self.obedient = obedient
        self.stopped = asyncio.Event()
        self.account: Account | None = None

    def stop(self, _reason: str) -> None:
        if self.obedient:
            self.stopped.set()

    async def run(self) -> Account:
        try:
            await self.stopped.wait()
        finally:
            self.account = account("t")
        return self.account


@pytest.mark.parametrize("obedient", [True, False])
def test_a_run_whose_time_is_up_is_told_to_stop_and_then_cancelled(*, obedient: bool) -> None:
    async def run() -> Account:
        hanging: Any = Hanging(obedient=obedient)
        return await _bounded(hanging, 0.01)

    assert asyncio.run(run()).tenant == "t"


def test_the_clock_ticks_on_the_loop_and_stops_with_its_context() -> None:
    async def run() -> int:
        ticks = 0
        enough = asyncio.Event()

        def tick() -> None:
            nonlocal ticks
            ticks += 1
            if ticks == 2:
                enough.set()

        with ticking(tick, timedelta(milliseconds=10).total_seconds()):
            await asyncio.wait_for(enough.wait(), 10)
        return ticks

    assert asyncio.run(run()) >= 2
