"""The time that acts were told, kept, so that a replay tells them the same.

Acts run concurrently, so a clock that merely starts where the recording did would drift: what they
make of the time (an effective time, an expiry) would no longer equal what the recording shows.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from harness.http.clock import Clock
from harness.http.evidence import current_act


@dataclass(frozen=True, slots=True)
class Reading:
    """What an act was told, UTC."""

    act: str
    moment: datetime


class KeptClock:
    """A clock for acts: each act's readings are kept, or told again in the same order.

    Args:
        clock: the real one, which the HTTP client uses itself.
        replayed: the readings of a recording; None tells the time.
    """

    def __init__(self, clock: Clock, replayed: Iterable[Reading] | None = None) -> None:
        self._clock = clock
        self._lock = Lock()
        self._readings: list[Reading] = []
        self._replayed: defaultdict[str, deque[datetime]] = defaultdict(deque)
        for reading in replayed or ():
            self._replayed[reading.act].append(reading.moment)

    def now(self) -> datetime:
        """Wall time in UTC; in a replay the act's next reading, as long as there is one."""
        act = current_act.get()
        with self._lock:
            left = self._replayed[act]
            moment = left.popleft() if left else self._clock.now()
            self._readings.append(Reading(act, moment))
        return moment

    def monotonic(self) -> float:
        """See the clock itself."""
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        """See the clock itself."""
        await self._clock.sleep(seconds)

    @property
    def readings(self) -> tuple[Reading, ...]:
        """What was told so far, in order."""
        with self._lock:
            return tuple(self._readings)
