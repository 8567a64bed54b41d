"""A circuit breaker for one host: pure, time is passed in as monotonic seconds.

A host that is down is not knocked at by every tenant in turn: after runs that ended in silence it
is left alone for a while, then one run tries; success closes the breaker, silence opens it longer.
Within a run the same is done with requests, and in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

FIRST = 60.0
LONGEST = 1800.0


@dataclass(slots=True)
class Breaker:
    """Closed while `silent` is 0.

    Attributes:
        silent: how often in a row the host gave no answer.
        until: when one may try again, while it is open.
        first: seconds for which it opens at first; twice as long each time, up to `longest`.
        tolerated: how often in a row the host may be silent before it opens.
    """

    silent: int = 0
    until: float = float("-inf")
    first: float = FIRST
    longest: float = LONGEST
    tolerated: int = 0

    @property
    def is_open(self) -> bool:
        """Whether the host is taken for down."""
        return self.silent > self.tolerated

    def wait(self, now: float) -> float:
        """Seconds until a run may try; 0.0 when it may now, and then others wait for its end."""
        if not self.is_open:
            return 0.0
        if now < self.until:
            return self.until - now
        self.until = now + self._period()
        return 0.0

    def answered(self) -> None:
        """The host gave an answer, whatever it was."""
        self.silent = 0

    def unanswered(self, now: float) -> None:
        """A run, or a request, ended in silence."""
        self.silent += 1
        self.until = now + self._period()

    def _period(self) -> float:
        doublings = max(0, min(self.silent - self.tolerated - 1, 10))
        return min(self.longest, self.first * 2.0**doublings)
