"""Pacing without I/O: the generic cell rate algorithm (GCRA), and a rate that learns from answers.

Time is passed in as monotonic seconds. GCRA spaces requests evenly, allows a small burst after
quiet, and its whole state is one number: the theoretical arrival time of the next request.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

# Float sums of intervals drift; a slot that is due within a nanosecond is due.
_EPSILON = 1e-9


@dataclass(slots=True)
class Gcra:
    """At most `rate * seconds + burst` requests in any window.

    Attributes:
        rate: requests per second; may be changed at any time. None does not pace.
        burst: requests that may go at once after quiet.
    """

    rate: float | None
    burst: int = 1
    arrival: float = -inf

    def delay(self, now: float) -> float:
        """Seconds until the next request may go; 0.0 when it may go now."""
        if self.rate is None:
            return 0.0
        wait = self.arrival - (self.burst - 1) / self.rate - now
        return wait if wait > _EPSILON else 0.0

    def take(self, now: float, cost: float = 1.0) -> None:
        """Count a request that goes at `now`; call it only when `delay(now)` is 0.0.

        One of a higher `cost` holds back those that follow for as long as that many would.
        """
        if self.rate is not None:
            self.arrival = max(self.arrival, now) + cost / self.rate


@dataclass(slots=True)
class LearntRate:
    """Additive-increase, multiplicative-decrease (AIMD) for an EHR whose limit nobody published.

    It doubles about every ten paced answers until the first refusal, then cuts, returns quickly
    to just below where it was refused, and from there on probes slowly.

    Attributes:
        rate: requests per second; worth storing, so that tomorrow starts here.
        refused_at: the rate at the last refusal.
    """

    rate: float = 5.0
    floor: float = 0.2
    ceiling: float = 100.0
    refused_at: float | None = None
    _last_cut: float = -inf

    _CUT = 0.7
    _SAME_INCIDENT = 1.0

    def succeeded(self) -> None:
        """A paced request was answered without a refusal."""
        if self.refused_at is None:
            grown = self.rate * 1.07
        elif self.rate < 0.9 * self.refused_at:
            grown = self.rate * 1.02
        else:
            grown = self.rate + 0.002 * max(self.rate, self.refused_at)
        self.rate = min(grown, self.ceiling)

    def refused(self, now: float) -> None:
        """A request was refused for load; refusals within a second are one incident."""
        if now - self._last_cut < self._SAME_INCIDENT:
            return
        self._last_cut = now
        self.refused_at = self.rate
        self.rate = max(self.floor, self.rate * self._CUT)
