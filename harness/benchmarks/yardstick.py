"""A FHIR server to measure clients with: it answers faster than any of them asks.

    python -m harness.benchmarks.yardstick [--patients 1000] [--rate 50] [--port 0]

It serves made-up patients with heart rates, every page the same each time, and next to no work goes
into an answer. What is asked for beyond its limit is refused, and everything is counted. Started
with `start`, it is a process of its own, on a processor of its own where the system lets it.

Below the FHIR base: `metadata`, `.well-known/smart-configuration`, `Patient`, `Patient/pN`,
`Observation` by `patient` or as a whole, and `$export` of the system, of all patients, or of a
group. Beside it: `POST /auth/token`, `GET /stats`, `POST /reset`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, get_type_hints

READY_WITHIN: Final = 60.0
CORE: Final = 0
"""The processor of the server; clients belong on another."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the yardstick serves, and how much of it.

    Attributes:
        patients: how many, with ids `p0`, `p1` and so on.
        observations: of each patient.
        page: resources on a page.
        rate: requests a second that a bucket of tokens lets pass; 0 for any number.
        burst: tokens that the bucket holds.
        per_minute: requests that pass in each minute of the clock; then all are refused until it
            turns. 0 for any number.
        retry_after: of a refusal: `seconds`, `date`, `zero` or `absent`.
        latency: seconds before each answer.
        polls: how often the status of an export says that it is under way.
        file_lines: resources in each file of an export.
    """

    patients: int = 1000
    observations: int = 100
    page: int = 100
    rate: float = 0.0
    burst: float = 10.0
    per_minute: int = 0
    retry_after: str = "seconds"
    latency: float = 0.0
    polls: int = 2
    file_lines: int = 10_000

    @property
    def resources(self) -> int:
        """How many Observations there are."""
        return self.patients * self.observations


@dataclass(frozen=True, slots=True)
class Yardstick:
    """A yardstick that runs.

    Attributes:
        settings: what it serves.
        port: on loopback.
        pid: of its process.
    """

    settings: Settings
    port: int
    pid: int

    @property
    def base(self) -> str:
        """The FHIR base."""
        return f"http://127.0.0.1:{self.port}/fhir"

    def stats(self) -> dict[str, Any]:
        """What was counted since the last reset.

        `requests` below the FHIR base and of files, of them `ok` and `refused`; `bytes`;
        `connections`; `most_at_once`; `seconds` from the first request to the last good answer;
        `ok_by_second` and `refused_by_second`, by seconds since the first request; `ok_by_minute`,
        by the minute of the clock, as seconds since the epoch.
        """
        return self._ask("GET", "/stats")

    def reset(self) -> None:
        """Count from zero, with a full bucket."""
        self._ask("POST", "/reset")

    def _ask(self, method: str, path: str) -> dict[str, Any]:
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(asked, timeout=30) as response:
            answer: dict[str, Any] = json.load(response)
        return answer


@contextmanager
def start(settings: Settings) -> Iterator[Yardstick]:
    """Run a yardstick on a free port, as a process of its own, as long as the context lasts."""
    process = subprocess.Popen(  # noqa: S603 - ourselves
        [sys.executable, "-m", "harness.benchmarks.yardstick", *arguments(settings)],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    )
    try:
        ready = process.stdout.readline() if process.stdout else b""
        if not ready:
            raise RuntimeError("the yardstick did not start; what it said stands above")
        yield Yardstick(settings, json.loads(ready)["port"], process.pid)
    finally:
        process.terminate()
        process.wait(READY_WITHIN)
        if process.stdout:
            process.stdout.close()


def arguments(settings: Settings) -> list[str]:
    """The settings as options of the command."""
    values = dataclasses.asdict(settings)
    return [f"--{name.replace('_', '-')}={value}" for name, value in values.items()]


def pin(core: int) -> None:
    """Keep this process to one processor, where there are several and the system lets us."""
    if hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(0, {core})


def main(words: Sequence[str] | None = None) -> int:
    """Serve until told to stop; one line of JSON on standard output says where."""
    import uvicorn

    from harness.benchmarks.yardstick_server import application

    parser = argparse.ArgumentParser(description="A FHIR server to measure clients with.")
    for name, kind in get_type_hints(Settings).items():
        default = Settings.__dataclass_fields__[name].default
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, default=default)
    parser.add_argument("--port", type=int, default=0, help="on loopback (default: a free one)")
    options = vars(parser.parse_args(words))
    port = options.pop("port")
    settings = Settings(**options)
    pin(CORE)
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        port = listener.getsockname()[1]
        config = uvicorn.Config(
            application(settings, port),
            access_log=False,
            log_level="warning",
            lifespan="off",
            server_header=False,
        )
        listener.listen(1024)
        print(json.dumps({"port": port}), flush=True)
        uvicorn.Server(config).run(sockets=[listener])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
