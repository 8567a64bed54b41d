"""How fast validation is: NDJSON bytes to verdict on one processor, beside what else there is.

    python -m harness.benchmarks.validating [--json FILE] [--laps 7] [--lines 1000000]

All ways judge the same bytes in the same process, in turn, lap by lap; what is printed is the
median of the laps, in resources for each second of processor time. fhir.resources and jsonschema
know nothing of profiles; jsonschema, in Python, runs the schema of our own filter.
"""

from __future__ import annotations

import argparse
import gc
import gzip
import io
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

import orjson

from harness.benchmarks.laps import CORE
from harness.benchmarks.yardstick import pin
from harness.reference.data.world import World
from harness.spec.definitions import load
from harness.validation.fast import available
from harness.validation.fast.filters import Filters
from harness.validation.fast.quick import Quick
from harness.validation.findings import Finding, Severity
from harness.validation.reading.resource import read
from harness.validation.reading.streams import texts
from harness.validation.selecting.choosing import us_core
from harness.validation.validator import Validator

US_CORE: Final = "6.1.0"
SECONDS: Final = 0.5
"""Of processor time that one lap of a way takes, about."""
_HARNESS: Final = """\
import re, sys, time
from harness.cli import main
main()
peak = re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())
print(time.process_time(), peak[1])
"""

Check = Callable[[Any, bytes], tuple[Finding, ...]]
"""From a parsed resource, and the JSON that it was read from, to its findings."""
Judge = Callable[[bytes], bool]
"""From the bytes of one resource to whether it is valid."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to validate, and what is validated with it.

    Attributes:
        name: as it is printed.
        lines: NDJSON.
        judge: None for ours, which judges the stream.
        invalid: how many of the lines have to be found invalid; None where that is not known.
    """

    name: str
    lines: Sequence[bytes]
    judge: Callable[[Sequence[bytes]], int]
    invalid: int | None = None


def main() -> int:
    """Measure and print."""
    options = _options()
    pin(CORE)
    rates = throughput(options.laps)
    for name, rate in rates.items():
        print(f"{name:58}{rate:12,.0f}")
    figures = {"per_second": rates}
    if options.lines:
        figures["processes"] = processes(options.laps, options.lines)
        for name, value in figures["processes"].items():
            print(f"{name:58}{value:12,.2f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def throughput(laps: int) -> dict[str, float]:
    """Resources for each second of processor time, by way: medians of so many laps."""
    ways = list(_ways())
    sizes = {each.name: _calibrated(each) for each in ways}
    gc.collect()
    gc.freeze()
    rates: dict[str, list[float]] = {each.name: [] for each in ways}
    for _ in range(laps):
        for way in ways:
            size = sizes[way.name]
            lines = list(islice(cycle(way.lines), size))
            rates[way.name].append(len(lines) / _taken(way, lines))
    return {name: statistics.median(each) for name, each in rates.items()}


def _taken(way: Way, lines: Sequence[bytes]) -> float:
    began = time.process_time()
    way.judge(lines)
    return time.process_time() - began


def _calibrated(way: Way) -> int:
    """How many lines take about `SECONDS`; what is wrong with the verdicts is found here too."""
    found = way.judge(way.lines[:50])
    if way.invalid is not None and found != min(way.invalid, 50):
        raise SystemExit(f"{way.name}: {found} of 50 are invalid, where {way.invalid} should be")
    sample = way.lines[:200]
    return max(20, int(len(sample) / _taken(way, sample) * SECONDS))


def _ways() -> Iterator[Way]:
    definitions = load("hl7.fhir.us.core", US_CORE)
    chooser = us_core(definitions.profiles)
    validator = Validator(definitions, chooser=chooser)
    exact: Check = lambda resource, _: validator.check(resource)  # noqa: E731 - as the command's
    resources = _resources()
    lab = [_lean(each) for each in resources if each["resourceType"] == "Observation"]
    observations, mixed = _encoded(lab), _encoded(resources)
    narrated = _encoded([_narrated(each) for each in lab])
    broken = _encoded([_broken(each) for each in lab])
    every = len(broken)
    yield Way("exact: Observations", observations, partial(_stream, exact), 0)
    yield Way("exact: Observations with narrative", narrated, partial(_stream, exact), 0)
    yield Way("exact: mixed US Core resources", mixed, partial(_stream, exact), 0)
    yield Way("exact: Observations, all invalid", broken, partial(_stream, exact), every)
    if available():
        quick = Quick(validator.check, definitions, chooser=chooser).check
        yield Way("fast: Observations", observations, partial(_stream, quick), 0)
        yield Way("fast: Observations with narrative", narrated, partial(_stream, quick), 0)
        yield Way("fast: mixed US Core resources", mixed, partial(_stream, quick), 0)
        yield Way("fast: Observations, all invalid", broken, partial(_stream, quick), every)
    yield Way("orjson alone: Observations", observations, partial(_each, _parsed), 0)
    yield Way(
        "fhir.resources R4B (no profiles): Observations", observations, partial(_each, _model())
    )
    schema = Filters(definitions).schema("Observation", [])
    yield Way(
        "jsonschema in Python (no profiles): Observations",
        _encoded([_undeclared(each) for each in lab]),
        partial(_each, _schema(schema)),
    )


def _stream(check: Check, lines: Sequence[bytes]) -> int:
    """How many resources of a stream are invalid, judged as `harness validate` does."""
    invalid = 0
    for _, text in texts(io.BytesIO(b"\n".join(lines))):
        if isinstance(text, Finding):
            invalid += 1
            continue
        value, flaws = read(text)
        found = (*flaws, *check(value, text)) if flaws else check(value, text)
        if found and any(each.severity is Severity.ERROR for each in found):
            invalid += 1
    return invalid


def _each(judge: Judge, lines: Sequence[bytes]) -> int:
    return sum(not judge(line) for line in lines)


def _parsed(line: bytes) -> bool:
    orjson.loads(line)
    return True


def _model() -> Judge:
    from fhir.resources.R4B.observation import Observation

    def judge(line: bytes) -> bool:
        try:
            Observation.model_validate_json(line)
        except ValueError:
            return False
        return True

    return judge


def _schema(schema: Mapping[str, Any] | None) -> Judge:
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(schema or {})
    return lambda line: bool(validator.is_valid(orjson.loads(line)))


def processes(laps: int, lines: int) -> dict[str, float]:
    """What the command takes: seconds for one resource, seconds and MiB for a long stream."""
    lean = [_lean(each) for each in _resources() if each["resourceType"] == "Observation"]
    encoded = _encoded(lean)
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        one, many = Path(name) / "one.json", Path(name) / "many.ndjson.gz"
        one.write_bytes(encoded[0])
        with gzip.open(many, "wb", compresslevel=1) as file:
            for start in range(0, lines, len(encoded)):
                file.write(b"\n".join(encoded[: lines - start]) + b"\n")
        cold = [_run(one) for _ in range(laps)]
        figures["cold start, one resource, seconds"] = _median(cold, "seconds")
        figures["cold start, one resource, seconds of processor"] = _median(cold, "processor")
        figures["cold start, one resource, MiB"] = _median(cold, "mebibytes")
        for extra in ([], ["--fast"]) if available() else ([],):
            long = _run(many, *extra)
            what = f"{lines:,} lines of gzip {' '.join(extra)}".strip()
            figures[f"{what}, seconds of processor"] = long.processor
            figures[f"{what}, MiB"] = long.mebibytes
    return figures


@dataclass(frozen=True, slots=True)
class _Run:
    """What one run of the command took, from its start to its end."""

    seconds: float
    processor: float
    mebibytes: float


def _run(file: Path, *extra: str) -> _Run:
    words = [sys.executable, "-c", _HARNESS, "validate", *extra, str(file)]
    began = time.perf_counter()
    done = subprocess.run(words, capture_output=True, text=True, check=True)  # noqa: S603 - ourselves
    seconds = time.perf_counter() - began
    # What the process itself says: the system counts the memory of its parent before it began.
    processor, kibibytes = done.stdout.split()[-2:]
    return _Run(seconds, float(processor), int(kibibytes) / 1024)


def _median(runs: Sequence[_Run], name: str) -> float:
    values: list[float] = [getattr(each, name) for each in runs]
    return statistics.median(values)


def _resources() -> list[dict[str, Any]]:
    world = World(seed=1, patients=8, now=datetime(2026, 6, 1, 12, tzinfo=UTC))
    numbers = range(1, world.patients + 1)
    records = [each for number in numbers for each in world.records(number)]
    return [
        each[-1]
        for each in [*world.shared, *(world.patient(number) for number in numbers), *records]
    ]


def _lean(resource: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in resource.items() if name != "text"}


def _undeclared(resource: dict[str, Any]) -> dict[str, Any]:
    return resource | {"meta": {k: v for k, v in resource["meta"].items() if k != "profile"}}


def _narrated(resource: dict[str, Any]) -> dict[str, Any]:
    told = resource.get("code", {}).get("text", "Observation")
    div = f'<div xmlns="http://www.w3.org/1999/xhtml"><p><b>{told}</b></p><p>final</p></div>'
    return resource | {"text": {"status": "generated", "div": div}}


def _broken(resource: dict[str, Any]) -> dict[str, Any]:
    return resource | {"status": "done", "effectiveDateTime": "2026-02-30"}


def _encoded(resources: Sequence[dict[str, Any]]) -> list[bytes]:
    return [orjson.dumps(each) for each in resources]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--laps", type=int, default=7, help="of each way (default: 7)")
    text = "of the long stream (default: 1000000; 0 leaves processes out)"
    parser.add_argument("--lines", type=int, default=1_000_000, help=text)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
