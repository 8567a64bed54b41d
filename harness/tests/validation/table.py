"""Validators side by side: what they catch, what they refuse for nothing, how fast they are.

    python -m harness.tests.validation.table

Prints a table of the validators that are installed, ours among them; rates are for a second of
processor. `--peer NAME=COMMAND` adds a program, as in `crosscheck`; its rate is by the clock on the
wall, with what it costs to talk to it and without its start.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import chain, islice
from typing import Any, Final

import orjson

from harness.reference.data.world import World
from harness.spec.definitions import load
from harness.tests.validation import packages, peers
from harness.tests.validation.crosscheck import Judge, unversioned
from harness.tests.validation.mutants import HERE, US_CORE, Mutant, bases, mutants
from harness.tests.validation.program import Program
from harness.validation import fast
from harness.validation.fast.quick import Quick
from harness.validation.findings import Finding, Severity
from harness.validation.validator import Validator

SECONDS: Final = 2.0
"""How long a validator is timed, at least; it is timed three times."""
SAMPLE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Row:
    """One validator.

    Args:
        name: of it.
        caught: how many mutants by hand it objects to.
        alarms: to how many official examples without errors it objects, or None without them.
        observations, mixed: resources a second, from bytes to verdict.
    """

    name: str
    caught: int
    alarms: int | None
    observations: float
    mixed: float


def ours(*, quickly: bool = False) -> Judge:
    """Returns the exact validator, or the filter with the exact validator behind it."""

    @cache
    def check(version: str) -> Callable[[Any, bytes], tuple[Finding, ...]]:
        definitions = load("hl7.fhir.us.core", version)
        exact = Validator(definitions)
        if quickly:
            return Quick(exact.check, definitions).check
        return lambda resource, _: exact.check(resource)

    def judge(version: str, line: bytes) -> list[str]:
        found = check(version)(orjson.loads(line), line)
        return [one.path for one in found if one.severity is Severity.ERROR]

    return judge


def row(name: str, judge: Judge, clock: Callable[[], float]) -> Row:
    """Returns what one validator does; rates are by a clock in seconds."""
    caught = sum(bool(judge(one.us_core, orjson.dumps(one.resource))) for one in defects())
    alarms = None
    if packages.FOLDER is not None:
        alarms = sum(
            bool(judge(version, orjson.dumps(example)))
            for version in packages.VERSIONS
            for name, example in packages.examples(version).items()
            if (version, name) not in wrong()
        )
    return Row(name, caught, alarms, *(rate(judge, lines, clock) for lines in samples()))


@cache
def defects() -> tuple[Mutant, ...]:
    """Returns the mutants that are wrong by what they declare themselves."""
    return tuple(one for one in mutants() if one.profile is None)


@cache
def wrong() -> frozenset[tuple[str, str]]:
    """Returns the official examples that have errors."""
    known = tomllib.loads((HERE / "official.toml").read_text("utf-8"))["error"]
    return frozenset((one["us_core"], one["example"]) for one in known)


def rate(judge: Judge, lines: Sequence[bytes], clock: Callable[[], float]) -> float:
    """Returns resources a second: the median of three."""
    return statistics.median(_rate(judge, lines, clock) for _ in range(3))


@cache
def samples() -> tuple[list[bytes], list[bytes]]:
    """Returns Observations, and resources of all types, of the reference EHR; all are valid."""
    world = World(1, 4, datetime(2026, 3, 1, 12, tzinfo=UTC))
    held = [world.records(ordinal) for ordinal in range(1, 5)]
    everything = [version for history in chain.from_iterable(held) for version in history]
    readings = [one for one in everything if one["resourceType"] == "Observation"]
    others = [one for one in everything if one["resourceType"] != "Observation"]
    mixed = [*islice(readings, 0, None, 8), *others]
    return _lines(readings), _lines(mixed)


def _lines(resources: Sequence[Any]) -> list[bytes]:
    step = max(1, len(resources) // SAMPLE)
    return [orjson.dumps(one) for one in resources[::step]][:SAMPLE]


def _rate(judge: Judge, lines: Sequence[bytes], clock: Callable[[], float]) -> float:
    for line in lines[:20]:
        judge(US_CORE, line)
    began, judged = clock(), 0
    while True:
        for line in lines:
            judge(US_CORE, line)
            judged += 1
            if clock() - began > SECONDS:
                return judged / (clock() - began)


def table(rows: Iterable[Row]) -> str:
    """Returns Markdown."""
    head = (
        f"| validator | caught of {len(defects())} mutants | refused without cause"
        " | Observations/s | mixed/s |\n|---|---|---|---|---|\n"
    )
    return head + "\n".join(
        f"| {one.name} | {one.caught} | {'-' if one.alarms is None else one.alarms}"
        f" | {one.observations:,.0f} | {one.mixed:,.0f} |"
        for one in rows
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=COMMAND")
    args = parser.parse_args(argv)
    judges = {"ours": ours()}
    if fast.available():
        judges["ours, `[fast]`"] = ours(quickly=True)
    judges |= {name: unversioned(judge) for name, judge in peers.at_hand()}
    rows = [row(name, judge, time.process_time) for name, judge in judges.items()]
    for peer in args.peer:
        name, _, command = peer.partition("=")
        with Program(command) as program:
            rows.append(row(name, program.judge, time.perf_counter))
    print(f"{len(bases())} resources of our own are valid.\n\n{table(rows)}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
