"""Rate limiting of one instance: the generic cell rate algorithm on real, monotonic time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from enum import StrEnum


class RetryAfter(StrEnum):
    """How a refusal says when to come back (RFC 9110 section 10.2.3)."""

    SECONDS = "seconds"
    DATE = "date"
    NONE = "none"


@dataclass(slots=True)
class Throttle:
    """Admits `rate` requests a second, `burst` of them at once.

    Args:
        rate: requests per second; None admits everything.
        burst: how many may come at once after a pause; at least 1.
        retry_after: how a refusal announces the wait.
    """

    rate: float | None = None
    burst: int = 1
    retry_after: RetryAfter = RetryAfter.SECONDS
    refused: int = 0
    _arrival: float = -math.inf

    @classmethod
    def checked(cls, rate: float | None, burst: int | None, retry_after: str) -> Throttle:
        """A throttle from what a person or a control request gives.

        Raises:
            ValueError: a number is not positive, or the kind of Retry-After is not known.
            TypeError: a number is none.
        """
        if rate is not None and not 0 < rate < math.inf:
            raise ValueError("rate must be a positive number of requests per second")
        if burst is not None and (burst != int(burst) or burst < 1):
            raise ValueError("burst must be a positive whole number")
        return cls(rate, int(burst or 1), RetryAfter(retry_after))

    def admit(self, monotonic: float) -> float | None:
        """None where the request is admitted, else the seconds after which it would be."""
        if self.rate is None:
            return None
        interval = 1 / self.rate
        arrival = max(self._arrival, monotonic)
        wait = arrival - monotonic - interval * (self.burst - 1)
        if wait > 1e-9:  # noqa: PLR2004 - rounding of binary fractions, not a duration
            self.refused += 1
            return wait
        self._arrival = arrival + interval
        return None

    def headers(self, wait: float, now: datetime) -> dict[str, str]:
        """The Retry-After header for a refusal, whole seconds, never too early."""
        seconds = max(1, math.ceil(wait))
        match self.retry_after:
            case RetryAfter.SECONDS:
                return {"Retry-After": str(seconds)}
            case RetryAfter.DATE:
                # An HTTP-date has no fractions: the second after the next, so as not to be early.
                moment = now.replace(microsecond=0) + timedelta(seconds=seconds + 1)
                return {"Retry-After": format_datetime(moment, usegmt=True)}
            case RetryAfter.NONE:
                return {}
