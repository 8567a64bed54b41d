"""When the yardstick refuses, and what it says then; time is an argument."""

from __future__ import annotations

import math
from email.utils import formatdate
from typing import Final

from harness.benchmarks.yardstick import Settings

MINUTE: Final = 60.0


class Limit:
    """A bucket of tokens and the calendar minute, each where the settings have it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._tokens = settings.burst
        self._filled = 0.0
        self._minute = -1.0
        self._in_minute = 0

    def refused(self, now: float) -> float | None:
        """Take one request; the seconds to wait if it is refused.

        Args:
            now: seconds since the epoch.
        """
        return self._by_minute(now) or self._by_bucket(now)

    def retry_after(self, seconds: float, now: float) -> list[tuple[bytes, bytes]]:
        """What a refusal says of the wait, as header fields."""
        whole = max(1, math.ceil(seconds))
        said = {
            "seconds": str(whole),
            "date": formatdate(math.ceil(now) + whole, usegmt=True),
            "zero": "0",
        }.get(self._settings.retry_after)
        return [(b"retry-after", said.encode())] if said else []

    def _by_bucket(self, now: float) -> float | None:
        settings = self._settings
        if not settings.rate:
            return None
        gained = (now - self._filled) * settings.rate
        self._tokens = min(settings.burst, self._tokens + gained)
        self._filled = now
        if self._tokens < 1:
            return (1 - self._tokens) / settings.rate
        self._tokens -= 1
        return None

    def _by_minute(self, now: float) -> float | None:
        if not self._settings.per_minute:
            return None
        minute = now // MINUTE
        if minute != self._minute:
            self._minute, self._in_minute = minute, 0
        self._in_minute += 1
        over = self._in_minute > self._settings.per_minute
        return (minute + 1) * MINUTE - now if over else None
