"""Clients as processes of their own, in turn, with what each took: time, processor, memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.benchmarks.yardstick import pin

CORE: Final = 1
"""The processor of clients; the yardstick has another."""
_KIB: Final = 1024


class LapFailed(Exception):
    """A client ended badly, or got something else than all."""


@dataclass(frozen=True, slots=True)
class Client:
    """One that is measured.

    Attributes:
        name: as it is printed.
        words: of its process, given a folder of its own for this lap.
        environment: of its process, given the same.
        count: how many resources it says that it got, from its standard output.
    """

    name: str
    words: Callable[[Path], Sequence[str]]
    environment: Callable[[Path], Mapping[str, str]]
    count: Callable[[bytes], int]


@dataclass(frozen=True, slots=True)
class Lap:
    """What one run of a client took.

    Attributes:
        seconds: from its start to its end, the start of its interpreter included.
        cpu_seconds: that it and its children computed.
        peak_mib: the most memory that it, or one of its children, held.
        resources: that it got.
    """

    seconds: float
    cpu_seconds: float
    peak_mib: float
    resources: int


def lap(client: Client, *, expected: int, within: float) -> Lap:
    """Run a client once, in an empty folder.

    Args:
        client: which.
        expected: resources that it is to get.
        within: seconds after which it is killed.

    Raises:
        LapFailed: it ended with a status, or did not get all.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (folder / "out").open("w+b") as out, (folder / "err").open("w+b") as err:
            words, environment = client.words(folder), dict(client.environment(folder))
            # Wherever that is set, users have compiled modules.
            environment.pop("PYTHONDONTWRITEBYTECODE", None)
            began = time.perf_counter()
            process = subprocess.Popen(  # noqa: S603 - what the caller wants measured
                words,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                preexec_fn=lambda: pin(CORE),  # noqa: PLW1509 - we have no other thread yet
            )
            timer = threading.Timer(within, process.kill)
            timer.start()
            _, ended, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - began
            timer.cancel()
            process.returncode = os.waitstatus_to_exitcode(ended)
            said = (folder / "out").read_bytes(), (folder / "err").read_text()
        if process.returncode:
            raise LapFailed(f"{client.name} ended with {process.returncode}: {said[1][-2000:]}")
    resources = client.count(said[0])
    if resources != expected:
        raise LapFailed(f"{client.name} got {resources} of {expected} resources")
    unit = _KIB if sys.platform == "linux" else _KIB * _KIB
    cpu = usage.ru_utime + usage.ru_stime
    return Lap(seconds, cpu, usage.ru_maxrss / unit, resources)


def median(laps: Sequence[Lap]) -> Lap:
    """The median of each figure."""
    return Lap(
        statistics.median(each.seconds for each in laps),
        statistics.median(each.cpu_seconds for each in laps),
        statistics.median(each.peak_mib for each in laps),
        int(statistics.median(each.resources for each in laps)),
    )
