"""Lost answers, refusals and `kill -9` of the delivering process: each write is there once."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import pytest

from harness.config.tenant import Tenant, load_tenant
from harness.fhir.observations import Measured, heart_rate
from harness.reference.process import Running
from harness.sync.outbox.box import Box
from harness.sync.outbox.drafting import to_create
from harness.sync.outbox.model import State
from harness.sync.store.places import place_of
from harness.sync.store.store import Store
from harness.tests.chaos.wire import Trial

SOAK = bool(os.environ.get("HARNESS_SOAK"))
WRITES = 10_000 if SOAK else 200
KILLS = 20 if SOAK else 3
LONGEST = 1800.0 if SOAK else 90.0
WRITING = """
outbox = { enabled = true }
scopes = "system/Patient.rs system/Observation.cruds"
"""
PROMPT = "[sync.writes]\nvisible_after_seconds = 0\n"


def queue(tenant: Tenant, patients: list[str]) -> None:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    with Store(place_of(tenant, os.environ)) as store:
        store.connection.execute("PRAGMA synchronous = OFF")
        box = Box(store)
        for number in range(WRITES):
            at = start + timedelta(minutes=number)
            measured = Measured(patients[number % len(patients)], at, ("urn:soak", f"w{number}"))
            box.put(to_create(tenant.name, heart_rate(measured, 50 + number % 90)), at)


def confirmed(tenant: Tenant) -> int:
    with Store(place_of(tenant, os.environ)) as store:
        return Box(store).counts().get(State.CONFIRMED, 0)


def await_some(tenant: Tenant, process: subprocess.Popen[bytes], target: int) -> None:
    """Until so many are confirmed, or the process has ended."""
    deadline = time.monotonic() + LONGEST
    while process.poll() is None and confirmed(tenant) < target:
        assert time.monotonic() < deadline, "it does not get on"
        try:
            process.wait(timeout=0.05)
        except subprocess.TimeoutExpired:
            continue


@pytest.mark.parametrize("variants", [(), ("conditional-create-not-offered",)])
def test_writes_survive_losses_refusals_and_kills(
    tmp_path: Path, reference: Running, variants: tuple[str, ...]
) -> None:
    name = "outbox-killed" if variants else "outbox-killed-conditional"
    trial = Trial.of(
        tmp_path,
        reference,
        name,
        patients=6,
        tenant=WRITING,
        ehr=PROMPT,
        limits={"requests_per_second": 1000, "burst": 50, "concurrency": 6},
        variants=list(variants),
    )
    with patch.dict(os.environ, trial.environment):
        tenant = load_tenant(str(trial.path))
        before = observations(trial)
        queue(tenant, trial.patients[:6])
        chance = random.Random(7)
        for number in range(KILLS + 1):
            module = "harness.tests.chaos.outbox_process"
            process = subprocess.Popen(
                [sys.executable, "-m", module, str(trial.path), str(number)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            if number < KILLS:
                share = WRITES // (KILLS + 1)
                await_some(tenant, process, number * share + chance.randrange(1, share))
                process.kill()
            out, err = process.communicate(timeout=LONGEST)
        assert process.returncode == 0, (out, err)
        with Store(place_of(tenant, os.environ)) as store:
            entries = Box(store).entries(State)
    assert {each.state for each in entries} == {State.CONFIRMED}
    ids = {each.server_id for each in entries}
    assert len(ids) == len(entries) == WRITES
    assert ids == observations(trial) - before, "each is there once, and nothing else"
    assert sum(each.attempts > 1 for each in entries) > 0 or not variants
    assert {each.note for each in entries} == {None}


def observations(trial: Trial) -> set[str]:
    """Ids of the EHR's Observations."""
    found = trial.site.running.control("GET", f"/instances/{trial.instance}/resources/Observation")
    return {each["id"] for each in found}
