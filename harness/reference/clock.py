"""An instance's own time: real time plus what the control listener advanced it by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class InstanceClock:
    """The time of one instance; tokens, codes and `meta.lastUpdated` follow it.

    Args:
        start: fixes the time, for tests; None follows the machine's clock.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self._start = start
        self._advanced = timedelta(0)

    def now(self) -> datetime:
        """The present, in UTC."""
        return (self._start or datetime.now(UTC)) + self._advanced

    def advance(self, seconds: float) -> None:
        """Moves the clock forward.

        Raises:
            ValueError: on a negative number; what was issued must not become younger.
        """
        if seconds < 0:
            raise ValueError("a clock only moves forward")
        self._advanced += timedelta(seconds=seconds)
