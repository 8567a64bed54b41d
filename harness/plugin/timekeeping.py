"""What acts read from the clock: noted when a run is live, recalled when it is replayed.

A replay is faster, and its acts take turns in another order. So each act is told the very times
that it was told before.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from datetime import datetime
from threading import Lock

from harness.http.clock import Clock
from harness.http.evidence import current_act

Reading = tuple[str, str]
"""An act, and a time that it was told (ISO 8601, UTC)."""


class ActClock:
    """The clock of acts.

    Args:
        clock: the time behind it.
        recalled: the readings of a recording; None reads `clock`.
    """

    def __init__(self, clock: Clock, recalled: Iterable[Reading] | None = None) -> None:
        self._clock = clock
        self._lock = Lock()
        self._noted: list[Reading] = []
        self._recalled: dict[str, deque[str]] = defaultdict(deque)
        for act, moment in recalled or ():
            self._recalled[act].append(moment)

    @property
    def noted(self) -> list[Reading]:
        """Every reading so far, in order."""
        with self._lock:
            return list(self._noted)

    def now(self) -> datetime:
        """Wall time, in UTC; in a replay as it was for this act."""
        act = current_act.get()
        if queue := self._recalled.get(act):
            return datetime.fromisoformat(queue.popleft())
        moment = self._clock.now()
        with self._lock:
            self._noted.append((act, moment.isoformat()))
        return moment

    def monotonic(self) -> float:
        """Elapsed seconds."""
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait; in a replay without waiting."""
        await self._clock.sleep(seconds)

    async def elapse(self, seconds: float) -> None:
        """Let wall time go by; in a replay without waiting."""
        await self._clock.elapse(seconds)
