"""How much processor time a store needs for pages of Observations: new, the same again, changed.

python -m harness.benchmarks.storing --resources=100000
python -m harness.benchmarks.storing --url=env:STORE_URL
"""

from __future__ import annotations

import argparse
import os
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from harness.config.ehr import SecretRef
from harness.config.secrets import Secrets
from harness.scheduler.leases import acquire
from harness.sync.model import Lease, PageDone, Query, Received, Watermark
from harness.sync.store.database import Place
from harness.sync.store.sqlite import SqliteFile
from harness.sync.store.store import Store

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
PER_PAGE = 100
SIZE = 800


def main() -> None:
    """Measure and print seconds of processor and wall time, a line per case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--resources", type=int, default=100_000)
    parser.add_argument("--url", help="env:NAME of a PostgreSQL URL; without it a file of SQLite")
    given = parser.parse_args()
    first, second = (_observations(given.resources, version) for version in (1, 2))
    with _place(given.url) as place, Store(place) as store:
        lease = acquire(
            store, "bench", "sync", by="bench:1", now=datetime.now(UTC), holder_is_dead=True
        )
        for name, resources in (("new", first), ("unchanged", first), ("changed", second)):
            cpu, wall = _commit(store, lease, name, resources)
            print(f"{name:9} {cpu:6.2f} s of processor, {wall:6.2f} s of wall time")


def _observations(number: int, version: int) -> list[Received]:
    at = NOON + timedelta(days=version)
    return [
        Received(
            "Observation",
            f"{each:08}",
            str(version),
            at + timedelta(milliseconds=each // PER_PAGE),
            f'{{"resourceType": "Observation", "id": "{each:08}", "v": {version}'.ljust(
                SIZE - 1
            ).encode()
            + b"}",
        )
        for each in range(number)
    ]


def _commit(
    store: Store, lease: Lease, name: str, resources: list[Received]
) -> tuple[float, float]:
    run = store.begin(lease, f"{name}-{secrets.token_hex(4)}", NOON)
    cpu, wall = time.process_time(), time.perf_counter()
    for start in range(0, len(resources), PER_PAGE):
        query = Query(f"patient-{start // PER_PAGE}", "Observation")
        page = tuple(resources[start : start + PER_PAGE])
        store.commit(
            lease, run, PageDone(query, page, NOON, watermark=Watermark(query, NOON, NOON))
        )
    return time.process_time() - cpu, time.perf_counter() - wall


@contextmanager
def _place(url: str | None) -> Iterator[Place]:
    if url is None:
        with tempfile.TemporaryDirectory() as folder:
            yield SqliteFile(Path(folder) / "private" / "store.sqlite")
        return
    from harness.sync.store.postgres import PostgresSchema

    scheme, _, name = url.partition(":")
    secret = Secrets(os.environ).resolve(SecretRef(scheme, name))
    yield PostgresSchema(secret, f"bench-{secrets.token_hex(4)}")


if __name__ == "__main__":
    main()
