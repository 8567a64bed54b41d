"""Time as an argument: what the harness believes the time to be, and how it waits.

The reference EHR's clock can be moved to test long spans, and a `SystemClock` that is told how
moves it and follows. Only wall time moves: `monotonic` and `sleep` stay real, so pacing is never
fooled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Protocol

_START = datetime(2026, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """Wall time, elapsed time and waiting."""

    def now(self) -> datetime:
        """Wall time, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that only grow; the zero point means nothing."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; zero and less only lets others run."""
        ...

    async def elapse(self, seconds: float) -> None:
        """Let so much wall time go by, for both sides; returns when it has."""
        ...


class SystemClock:
    """The machine's clock, with an offset that can be moved.

    Args:
        offset: added to wall time.
        advance: moves the clock of the other side by so many seconds; None where nobody can.
    """

    def __init__(
        self,
        offset: timedelta = timedelta(),
        advance: Callable[[float], object] | None = None,
    ) -> None:
        self.offset = offset
        self._advance = advance

    def now(self) -> datetime:
        """Wall time plus the offset, in UTC."""
        return datetime.now(UTC) + self.offset

    def monotonic(self) -> float:
        """Real elapsed seconds; the offset does not count."""
        return monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait in real time."""
        await asyncio.sleep(max(0.0, seconds))

    async def elapse(self, seconds: float) -> None:
        """Wait in real time, or move both clocks where the other one can be moved."""
        if self._advance is None:
            await self.sleep(seconds)
        else:
            await asyncio.to_thread(self._advance, max(0.0, seconds))
            self.move(timedelta(seconds=max(0.0, seconds)))

    def move(self, by: timedelta) -> None:
        """Shift wall time further by `by`."""
        self.offset += by


class ManualClock:
    """A clock that moves only when told, or when somebody sleeps on it.

    Args:
        start: the first wall time, aware.
    """

    def __init__(self, start: datetime = _START) -> None:
        self._start = start
        self._elapsed = 0.0
        self.slept: list[float] = []
        """Every sleep asked for, in seconds."""

    def now(self) -> datetime:
        """The start plus what has elapsed, in UTC."""
        return (self._start + timedelta(seconds=self._elapsed)).astimezone(UTC)

    def monotonic(self) -> float:
        """Seconds since the start."""
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        """Advance at once by `seconds`, and let others run."""
        self.slept.append(seconds)
        self._elapsed += max(0.0, seconds)
        await asyncio.sleep(0)

    async def elapse(self, seconds: float) -> None:
        """Advance at once, as `sleep` does."""
        await self.sleep(seconds)

    def advance(self, seconds: float) -> None:
        """Move on by `seconds`."""
        self._elapsed += seconds

    def advance_to(self, moment: datetime) -> None:
        """Move on to `moment`; never back."""
        self._elapsed = max(self._elapsed, (moment - self._start).total_seconds())
