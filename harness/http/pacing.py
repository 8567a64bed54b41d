"""Pacing without I/O: the generic cell rate algorithm (GCRA), and a rate that learns from answers.

Time is passed in as monotonic seconds. GCRA spaces requests evenly, allows a small burst after
quiet, and its whole state is one number: the theoretical arrival time of the next request.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf

from harness.http.bucket import Turn, explain

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
    burst: float = 1
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
    """Finds the rate that a host permits, from what it lets through and what it refuses.

    It opens by doubling until the first refusal. Each refusal tells which limits explain what was
    seen (`harness.http.bucket`); it goes on just below, rises until the next refusal while there is
    doubt, and then stays: it rises by 1 % in a first minute, and faster the longer nothing is
    refused, because limits change with the hour.

    Attributes:
        rate: requests per second; worth storing, so that tomorrow starts here.
        floor: refusals do not lower it further.
        ceiling: nothing raises it further.
        refused_at: the rate at the last refusal; None before the first.
        burst: how many requests the host lets through at once after quiet; None while unknown.
    """

    rate: float = 5.0
    floor: float = 0.2
    ceiling: float = 100.0
    refused_at: float | None = None
    burst: float | None = None
    _certain: bool = False
    _incidents: int = 0
    _strict: bool = False
    """Whether no two requests may go at once."""
    _base: float = 0.0
    _risen: float = 0.0
    """Seconds of pacing since the last refusal."""
    _last: float | None = None
    _last_cut: float = -inf
    _before: tuple[float, float | None, float | None, bool, float] = (5.0, None, None, False, 0.0)
    _turns: deque[Turn] = field(default_factory=lambda: deque(maxlen=2500))

    _DOUBLES_IN = 0.6
    _STEEPEST = 1.26
    """Per answer: who answers slowly is not run over."""
    _SAME_INCIDENT = 1.0
    _BELOW = 0.99
    _FEW = 6
    _CLOSE = 0.6
    _LATE = 0.05
    _WATCHED = 0.25
    """Seconds."""
    _KEPT_UP = 0.7
    _SEARCHING = 0.03
    """Per second."""
    _PATIENT = 6
    """Incidents from which on it is searched no more slowly."""
    _CUT = 0.8
    _AT_LEAST = 0.97
    _SAME = 0.03

    @classmethod
    def settled(
        cls, rate: float, floor: float, ceiling: float, burst: float | None = None
    ) -> LearntRate:
        """A rate that is known from earlier, or from the EHR file: it is not doubled."""
        learnt = cls(min(rate, ceiling), floor, ceiling, refused_at=rate, burst=burst)
        learnt._certain, learnt._base, learnt._strict = True, learnt.rate, burst == 1.0
        return learnt

    def at_once(self, most: float) -> float:
        """How many requests may go at once after quiet, or to make up for timers that are late.

        At most `most`; as long as the burst is not certain, as many as are due within `_LATE`.
        """
        if self._strict:
            return 1.0
        if self._certain and self.burst is not None:
            return max(1.0, min(most, self.burst - 1.5))
        late = 1.0 + self._LATE * self.rate
        return max(1.0, min(most, late, self.burst / 2 if self.burst is not None else most))

    @property
    def is_settled(self) -> bool:
        """Whether it was refused before, so that it knows how far it may go."""
        return self.refused_at is not None

    def sent(self, turn: Turn) -> None:
        """A request goes."""
        self._turns.append(turn)

    def succeeded(self, now: float) -> None:
        """A request that had to wait for its turn was answered without a refusal."""
        if not self._is_kept_up(now):
            return
        passed = 0.0 if self._last is None else max(0.0, min(now - self._last, 1.0))
        self._last = now
        if self.refused_at is None:
            grown = self.rate * min(self._STEEPEST, 2.0 ** (passed / self._DOUBLES_IN))
        elif not self._certain:
            slower = min(self._incidents, self._PATIENT)
            grown = self.rate * (1.0 + self._SEARCHING / slower * passed)
        else:
            self._risen += passed
            grown = max(self.rate, self._base * (1.0 + 0.01 * (self._risen / 60.0) ** 3))
        self.rate = min(grown, self.ceiling)

    def _came_together(self) -> bool:
        """Whether requests that went at once are refused, soon after a pause: not their rate."""
        if self._strict or self.refused_at is None:
            return False
        since = [turn.at for turn in self._turns if turn.at > self._last_cut]
        gaps = [later - earlier for earlier, later in pairwise(since)]
        return len(since) <= self._FEW and any(gap * self.rate < self._CLOSE for gap in gaps)

    def _is_kept_up(self, now: float) -> bool:
        """Whether requests are sent as fast as they may be: else more gives no more."""
        last = max(2, int(self._WATCHED * self.rate))
        if len(self._turns) <= last:
            return True
        return last >= self._KEPT_UP * self.rate * (now - self._turns[-1 - last].at)

    def told(self, rate: float) -> None:
        """The host says that it permits this much: there is no need to find it out."""
        if self.refused_at is None:
            self.rate = max(self.rate, min(rate, self.ceiling))

    def forget_refusal(self) -> None:
        """The last refusals had another cause than the rate: go on as before them."""
        self.rate, self.refused_at, self.burst, self._certain, self._base = self._before
        self._incidents -= 1
        self._turns.clear()

    def refused(self, now: float) -> None:
        """A request was refused for load; refusals within a second are one incident.

        The turn that was refused is marked so before.
        """
        if now - self._last_cut < self._SAME_INCIDENT:
            return
        if self._last is not None or self._incidents == 0:
            self._before = self.rate, self.refused_at, self.burst, self._certain, self._base
        if self._came_together():
            self.burst, self._strict, self._last_cut = 1.0, True, now
            return
        soon = now - self._last_cut < 5 * self._SAME_INCIDENT and self._certain
        self.refused_at, self._risen, self._last = self.rate, 0.0, None
        self._incidents += 1
        known = self.burst if self._certain else None
        found = explain(self._turns, self.rate, known)
        if found is None:
            since = [turn for turn in self._turns if turn.at > self._last_cut]
            self._turns = deque(since, self._turns.maxlen)
            found = explain(since, self.rate, known)
        self._last_cut = now
        limit = self._CUT * self.rate
        if found is None:
            self._certain = False
        else:
            self.burst, limit = 1.0 if self._strict else found.burst, self._BELOW * found.rate
            self._certain = found.is_certain
        if soon or found is None:
            limit = min(limit, self._CUT * self.rate)
        limit = min(limit, self._AT_LEAST * self.rate)
        self.rate = min(self.rate, max(self.floor, limit))
        self._certain = self._certain or abs(self.rate - self._base) < self._SAME * self.rate
        self._base = self.rate
