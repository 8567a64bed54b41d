"""How long an application waits from submitting a measurement until the EHR was seen to have it.

    python -m harness.benchmarks.writing [--writes 200] [--json]

Against the embedded reference EHR over loopback: each write is kept on disk, created under its
condition, read back, compared and kept as confirmed; one after the other, then all at once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from harness.api import Outbox
from harness.fhir.observations import Measured, heart_rate
from harness.reference.process import Running, start

_TENANT = """
title = "benchmark"
ehr = "{ehr}"
fhir_base = "{base}"
client = "harness-backend-secret"
scopes = "system/Patient.rs system/Observation.cruds"
store = "{store}"
[patients]
discover = "search"
[schedule]
every_seconds = 3600
[outbox]
enabled = true
"""
_EHR = """
title = "reference EHR, as fast as it is"
fhir_base = "{base}"
data = "synthetic"
[auth]
kind = "smart"
[limits]
requests_per_second = 2000
burst = 100
concurrency = 8
[[clients]]
name = "harness-backend-secret"
id = "harness-backend-secret"
auth = "client_secret_basic"
secret = "env:REFERENCE_BACKEND_SECRET"
grants = ["client_credentials"]
scopes = "system/*.rs"
"""
WARM = 10
"""Writes before it is measured: the first one pays for token and CapabilityStatement."""


def described(folder: Path, base: str) -> Path:
    """Writes an EHR file and a tenant file, and returns the latter's path."""
    folder.chmod(0o700)
    ehr = folder / "ehr.toml"
    ehr.write_text(_EHR.format(base=base))
    tenant = folder / "bench.toml"
    store = folder / "private" / "store.sqlite"
    tenant.write_text(_TENANT.format(ehr=ehr, base=base, store=store))
    return tenant


def readings(patients: list[str], count: int, begin: int = 0) -> list[dict[str, Any]]:
    """Heart rates of these patients in turn, a second apart."""
    start_at = datetime(2026, 3, 1, tzinfo=UTC)
    return [
        heart_rate(
            Measured(
                patients[number % len(patients)],
                start_at + timedelta(seconds=number),
                ("urn:benchmark", f"w{number}"),
            ),
            50 + number % 90,
        )
        for number in range(begin, begin + count)
    ]


async def measured(tenant: Path, patients: list[str], writes: int) -> dict[str, float]:
    """Submits one by one, then all at once; milliseconds, and writes a second."""
    async with Outbox.open(str(tenant)) as outbox:
        kept, seconds = [], []
        for number, each in enumerate(readings(patients, WARM + writes)):
            begun = time.perf_counter()
            receipt = await outbox.submit(each)
            submitted = time.perf_counter()
            await outbox.confirmed(receipt, timeout=60)
            if number >= WARM:
                kept.append(submitted - begun)
                seconds.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        receipts = [
            await outbox.submit(each) for each in readings(patients, writes, begin=WARM + writes)
        ]
        for receipt in receipts:
            await outbox.confirmed(receipt, timeout=600)
        rate = writes / (time.perf_counter() - begun)
    return {
        "submit_median_ms": 1000 * statistics.median(kept),
        "confirmed_median_ms": 1000 * statistics.median(seconds),
        "confirmed_p95_ms": 1000 * statistics.quantiles(seconds, n=20)[-1],
        "writes_per_second": rate,
    }


def trial(running: Running, writes: int) -> Mapping[str, float]:
    """One measurement in a folder of its own."""
    os.environ.update(running.credentials)
    found = running.control("GET", "/instances/default/resources/Patient")
    patients = sorted(each["id"] for each in found)
    with tempfile.TemporaryDirectory() as folder:
        tenant = described(Path(folder), running.fhir_base)
        return asyncio.run(measured(tenant, patients, writes))


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--writes", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with start(patients=20) as running:
        found = trial(running, args.writes)
    if args.json:
        print(json.dumps({name: round(value, 2) for name, value in found.items()}))
        return
    print(f"kept on disk            median {found['submit_median_ms']:.1f} ms")
    print(f"submission to confirmed median {found['confirmed_median_ms']:.1f} ms")
    print(f"                        p95    {found['confirmed_p95_ms']:.1f} ms")
    print(f"all at once             {found['writes_per_second']:.0f} writes a second")


if __name__ == "__main__":
    main()
