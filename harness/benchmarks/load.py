"""Asks one server over loopback as fast as it answers, with next to no work of its own."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CLOCK_TICKS: Final = 100
"""Per second, in which Linux counts the time of a process."""

NextRequest = Callable[[int], bytes]
"""From the number of a request to its bytes."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one round of load measured.

    Args:
        requests: how many were answered.
        seconds: how long it took.
        cpu_seconds: what the server computed meanwhile; None where the system does not tell.
        latencies: seconds from request to answer, of each.
    """

    requests: int
    seconds: float
    cpu_seconds: float | None
    latencies: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def cpu_rate(self) -> float | None:
        """Requests for each second that the server computed; other load does not lower it."""
        return self.requests / self.cpu_seconds if self.cpu_seconds else None

    @property
    def median_ms(self) -> float:
        """Milliseconds that the middle request took."""
        return statistics.median(self.latencies) * 1000


class UnexpectedAnswer(Exception):
    """The server answered something else than what is measured."""


async def press(
    *,
    host: str,
    port: int,
    request: NextRequest,
    expected: int,
    seconds: float,
    connections: int,
    pid: int,
) -> Round:
    """Sends requests over kept-alive connections for some time, one at a time on each.

    Args:
        host: of the server.
        port: of the server.
        request: makes the bytes of a request from its number.
        expected: the only status that counts.
        seconds: how long.
        connections: how many at once.
        pid: of the server, for its processor time.

    Raises:
        UnexpectedAnswer: another status came.
    """
    latencies: list[float] = []
    numbers = iter(range(1, 2**62))
    end = time.perf_counter() + seconds

    async def client() -> None:
        reader, writer = await asyncio.open_connection(host, port, limit=2**22)
        try:
            while (begun := time.perf_counter()) < end:
                writer.write(request(next(numbers)))
                await _answer(reader, expected)
                latencies.append(time.perf_counter() - begun)
        finally:
            writer.close()

    before, begun = cpu_seconds(pid), time.perf_counter()
    await asyncio.gather(*(client() for _ in range(connections)))
    took, after = time.perf_counter() - begun, cpu_seconds(pid)
    computed = after - before if after is not None and before is not None else None
    return Round(len(latencies), took, computed, tuple(latencies))


async def _answer(reader: asyncio.StreamReader, expected: int) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    body = await reader.readexactly(length)
    status = int(head[9:12])
    if status != expected:
        raise UnexpectedAnswer(f"{status} instead of {expected}: {body[:300]!r}")


def cpu_seconds(pid: int) -> float | None:
    """Returns the processor time of a process so far; None where /proc does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def resident_mebibytes(pid: int) -> float | None:
    """Returns the memory that a process holds now; None where /proc does not tell."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    held = next((line.split()[1] for line in lines if line.startswith("VmRSS:")), None)
    return int(held) / 1024 if held else None
