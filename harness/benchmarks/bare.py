"""The least that a client can do: an httpx + orjson loop that counts and stores nothing.

python -m harness.benchmarks.bare FHIR_BASE PATIENTS [WORKERS]
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator

import httpx
import orjson

WORKERS = 10


async def pull(base: str, patients: int, workers: int) -> int:
    """Ask for every page of every patient's Observations; returns how many there were."""
    numbers = iter(range(patients))
    limits = httpx.Limits(max_connections=workers)
    async with httpx.AsyncClient(limits=limits, trust_env=False) as client:
        counts = await asyncio.gather(*(_work(client, base, numbers) for _ in range(workers)))
    return sum(counts)


async def _work(client: httpx.AsyncClient, base: str, numbers: Iterator[int]) -> int:
    count = 0
    for number in numbers:
        url: str | None = f"{base}/Observation?patient=p{number}&_count=100"
        while url:
            answer = await client.get(url)
            answer.raise_for_status()
            bundle = orjson.loads(answer.content)
            count += len(bundle["entry"])
            links = {each["relation"]: each["url"] for each in bundle["link"]}
            url = links.get("next")
    return count


def main() -> int:
    """Pull, and say how much came."""
    base, patients, *rest = sys.argv[1:]
    workers = int(rest[0]) if rest else WORKERS
    print(f"resources={asyncio.run(pull(base, int(patients), workers))}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
