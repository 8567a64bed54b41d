"""How a sync fares under a limit: how much of what is permitted it makes use of, and its refusals.

    python -m harness.benchmarks.throttled [--quick] [--only known,unknown,minute] [--json FILE]

`harness sync run` pulls from the yardstick, which limits it. The limit is known (50 requests a
second in the EHR file), or unknown, with `Retry-After` as seconds, as a date, or absent; then all
but what was learnt of the host is forgotten, and the same is pulled again. The last limit is 250
requests in each minute of the clock, with all refused until it turns.

Measured at the yardstick, from the first request of the job to its last good answer, discovery and
all probes included; and as a person waits for it, from the start of the process to its end.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from harness.benchmarks.tenants import sync_environment, sync_words, write_tenant
from harness.benchmarks.yardstick import Settings, Yardstick, start

RATE: Final = 50
PER_MINUTE: Final = 250
WITHIN: Final = 900.0
KEPT: Final = frozenset({"rates", "pseudonyms"})


@dataclass(frozen=True, slots=True)
class Case:
    """One measurement.

    Attributes:
        name: as it is printed.
        settings: of the yardstick.
        limits: of the EHR file.
        goal: least share of what is permitted.
        again: whether what was learnt is kept for a second run, and the goal of that.
    """

    name: str
    settings: Settings
    limits: Mapping[str, float]
    goal: float
    again: float | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run did.

    Attributes:
        name: of the case.
        goal: least share of what is permitted.
        share: of what is permitted, by the yardstick's clock.
        seconds: by the yardstick's clock.
        wall: seconds from the start of the process to its end.
        requests: asked.
        refused: of them.
        complete: whether the store holds everything, and the run says so.
    """

    name: str
    goal: float
    share: float
    seconds: float
    wall: float
    requests: int
    refused: int
    complete: bool

    @property
    def is_good(self) -> bool:
        """Whether the goals are met."""
        return self.complete and self.share >= self.goal and self.refused < 0.01 * self.requests


def cases(*, quick: bool) -> Iterator[Case]:
    """What is measured; `quick` has a third of the requests, and misses what takes its time."""
    one, three = (400, 1000) if quick else (1000, 3000)
    known = {"requests_per_second": RATE, "concurrency": 4}
    yield Case("known", Settings(patients=one, rate=RATE), known, 0.97)
    for hint in ("seconds", "date", "absent"):
        settings = Settings(patients=three, rate=RATE, retry_after=hint)
        unknown = {"concurrency": 4}
        yield Case(f"unknown, Retry-After {hint}", settings, unknown, 0.88, 0.97)
    minute = Settings(patients=one, per_minute=PER_MINUTE, retry_after="absent")
    by_minute = {"per_minute": PER_MINUTE, "concurrency": 4}
    yield Case("minute, known", minute, by_minute, 0.95)
    yield Case("minute, unknown", minute, {"concurrency": 4}, 0.95, 0.95)


def measured(case: Case) -> Iterator[Figures]:
    """Run a case; twice where what was learnt is to be of use."""
    with start(case.settings) as yardstick, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tenant = write_tenant(folder, yardstick, limits=case.limits)
        yield _run(case.name, case.goal, yardstick, tenant)
        if case.again is not None:
            _forget_all_but_pace(folder)
            yield _run(f"{case.name}, second run", case.again, yardstick, tenant)


def _run(name: str, goal: float, yardstick: Yardstick, tenant: Path) -> Figures:
    yardstick.reset()
    began = time.perf_counter()
    process = subprocess.run(  # noqa: S603 - ourselves
        sync_words(tenant),
        env=dict(sync_environment(tenant.parent)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=WITHIN,
        check=False,
    )
    wall = time.perf_counter() - began
    if not process.stdout:
        raise RuntimeError(process.stderr.decode()[-2000:])
    account: dict[str, Any] = json.loads(process.stdout)
    stats = yardstick.stats()
    stored = sum(counts["new"] for counts in account["types"].values())
    complete = process.returncode == 0 and stored == yardstick.settings.resources
    return Figures(
        name,
        goal,
        _share(yardstick.settings, stats),
        stats["seconds"],
        wall,
        stats["requests"],
        stats["refused"],
        complete,
    )


def _share(settings: Settings, stats: Mapping[str, Any]) -> float:
    """Good answers as a share of what was permitted in the time that they took."""
    if settings.rate:
        return float(stats["ok"] / stats["seconds"] / settings.rate)
    # Whole minutes only: in the first and the last there was less to do, or less time for it.
    whole = [count for _, count in sorted(stats["ok_by_minute"].items())][1:-1]
    return sum(whole) / len(whole) / settings.per_minute if whole else 0.0


def _forget_all_but_pace(folder: Path) -> None:
    """Empty the tenant's store, but for what it knows of hosts."""
    (store,) = folder.glob("data/**/store.sqlite")
    with closing(sqlite3.connect(store)) as db, db:
        tables = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            if table not in KEPT and not table.startswith("sqlite_"):
                db.execute(f"DELETE FROM {table}")  # noqa: S608 - a table of our own


def main() -> int:
    """Measure and print; status 1 where a goal is missed."""
    options = _options()
    print(f"{'':40}{'share':>8}{'seconds':>9}{'wall':>8}{'asked':>7}{'refused':>9}{'all':>5}")
    found = []
    for case in cases(quick=options.quick):
        if options.only and not case.name.startswith(tuple(options.only.split(","))):
            continue
        for each in measured(case):
            found.append(each)
            print(
                f"{each.name:40}{each.share:8.1%}{each.seconds:9.1f}{each.wall:8.1f}"
                f"{each.requests:7}{each.refused:9}{'yes' if each.complete else 'NO':>5}"
                f"  goal {each.goal:.0%}: {'met' if each.is_good else 'missed'}",
                flush=True,
            )
    if options.json:
        options.json.write_text(json.dumps([asdict(each) for each in found], indent=2) + "\n")
    return 0 if all(each.is_good for each in found) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a third of the requests")
    parser.add_argument("--only", metavar="NAMES", help="cases that begin so, with commas")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
