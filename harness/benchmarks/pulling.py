"""How fast a sync pulls where nothing holds it back, and what memory it takes.

    python -m harness.benchmarks.pulling [--peer NAME=COMMAND ...] [--runs 5]
    python -m harness.benchmarks.pulling --memory [--patients 1000] [--observations 1000]

`harness sync run` pulls from the yardstick into an empty store, in turn with a bare httpx + orjson
loop that stores nothing, and with other clients. Each is a process of its own on one processor, the
yardstick on another; the start of the interpreter counts. What is printed is the median of the
runs after a first one that does not count, and what ours is to each of the others.

A peer's COMMAND is run by the shell with `FHIR_BASE` and `PATIENTS` (ids `p0`, `p1` and so on) in
its environment; it prints `resources=N` when it has all Observations. With `--strategy` the sync
asks in another way, such as `bulk_since`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from harness.benchmarks.laps import Client, Lap, lap, median
from harness.benchmarks.tenants import UNLIMITED, sync_environment, sync_words, write_tenant
from harness.benchmarks.yardstick import Settings, Yardstick, start

OURS: Final = "harness sync run"
BARE: Final = "httpx + orjson, stores nothing"
GOALS: Final = {BARE: 0.6, "smart-fetch": 2.0, "pymedplum": 1.2}
"""How many times as fast as another ours is to be."""

MOST_MEMORY: Final = 150.0
"""Mebibytes, however much is pulled."""

_RESULT = re.compile(rb"resources=(\d+)")


def main() -> int:
    """Measure and print; status 1 where a goal is missed."""
    options = _options()
    observations = options.observations or (1000 if options.memory else 100)
    with start(Settings(patients=options.patients, observations=observations)) as yardstick:
        ours = harness(yardstick, options.strategy, options.validate)
        if options.memory:
            laps = measured([ours], yardstick, options.runs or 1)
            good = _print_memory(median(laps[OURS]))
        else:
            peers = [peer(each, yardstick) for each in options.peer]
            clients = [ours, bare(yardstick), *peers]
            measured(clients, yardstick, 1)
            laps = measured(clients, yardstick, options.runs or 5)
            good = _print_speed({name: median(each) for name, each in laps.items()})
    if options.json:
        figures = {name: [_as_json(each) for each in taken] for name, taken in laps.items()}
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0 if good else 1


def measured(
    clients: Iterable[Client], yardstick: Yardstick, runs: int, within: float = 600.0
) -> dict[str, list[Lap]]:
    """Runs each client in turn; its laps by its name.

    Raises:
        LapFailed: one did not get all.
    """
    clients = tuple(clients)
    expected = yardstick.settings.resources
    taken: dict[str, list[Lap]] = {client.name: [] for client in clients}
    for _ in range(runs):
        for client in clients:
            taken[client.name].append(lap(client, expected=expected, within=within))
    return taken


def harness(yardstick: Yardstick, strategy: str | None, validate: str = "none") -> Client:
    """Our own, as a user starts it."""

    def words(folder: Path) -> list[str]:
        return sync_words(
            write_tenant(folder, yardstick, limits=UNLIMITED, strategy=strategy, validate=validate)
        )

    return Client(OURS, words, sync_environment, _stored)


def bare(yardstick: Yardstick) -> Client:
    """The loop that any client has at its core."""
    module = [sys.executable, "-m", "harness.benchmarks.bare"]
    words = [*module, yardstick.base, str(yardstick.settings.patients)]
    return Client(BARE, lambda _folder: words, lambda _folder: os.environ, _told)


def peer(named: str, yardstick: Yardstick) -> Client:
    """Another client, by `NAME=COMMAND`."""
    name, _, command = named.partition("=")
    patients = str(yardstick.settings.patients)
    environment = {**os.environ, "FHIR_BASE": yardstick.base, "PATIENTS": patients}
    return Client(name, lambda _folder: ["sh", "-c", command], lambda _folder: environment, _told)


def _stored(out: bytes) -> int:
    """Resources that an account says are new."""
    account: dict[str, Any] = json.loads(out)
    return sum(counts["new"] for counts in account["types"].values())


def _told(out: bytes) -> int:
    found = _RESULT.search(out)
    return int(found.group(1)) if found else 0


def _print_speed(medians: dict[str, Lap]) -> bool:
    """A line for each; whether ours is as fast as it should be."""
    print(f"{'':32}{'wall s':>8}{'CPU s':>8}{'res./s':>9}{'MiB':>7}{'ratio':>8}{'by CPU':>8}")
    ours, good = medians[OURS], True
    for name, each in medians.items():
        ratio = each.seconds / ours.seconds
        by_cpu = each.cpu_seconds / ours.cpu_seconds
        goal = GOALS.get(name)
        met = goal is None or ratio >= goal
        good = good and met
        said = "" if goal is None else f"  goal {goal:.2f}: {'met' if met else 'missed'}"
        print(
            f"{name:32}{each.seconds:8.2f}{each.cpu_seconds:8.2f}"
            f"{each.resources / each.seconds:9.0f}{each.peak_mib:7.0f}"
            f"{ratio:8.2f}{by_cpu:8.2f}{said}"
        )
    return good


def _print_memory(taken: Lap) -> bool:
    met = taken.peak_mib <= MOST_MEMORY
    print(
        f"{OURS}: {taken.resources} resources in {taken.seconds:.1f} s"
        f" ({taken.resources / taken.seconds:.0f}/s), {taken.peak_mib:.0f} MiB at most"
        f" (goal {MOST_MEMORY:.0f}: {'met' if met else 'missed'})"
    )
    return met


def _as_json(taken: Lap) -> dict[str, float]:
    return {
        "seconds": taken.seconds,
        "cpu_seconds": taken.cpu_seconds,
        "peak_mib": taken.peak_mib,
        "resources": taken.resources,
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, help="of each (default: 5; of --memory 1)")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=COMMAND")
    parser.add_argument("--memory", action="store_true", help="measure memory: 1,000,000 resources")
    parser.add_argument("--strategy", metavar="NAME", help="of the sync; else a probe decides")
    parser.add_argument("--validate", default="none", help="how much of it (default: none)")
    parser.add_argument("--patients", type=int, default=1000, help="(default: 1000)")
    parser.add_argument("--observations", type=int, help="of each (default: 100; of --memory 1000)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every lap there")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
