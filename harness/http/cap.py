"""How many requests are under way at a time: pure, time is passed in.

Never more than permitted, and fewer where more gain nothing.
Where latency grows as fast as concurrency, the host works off a queue, and waiting in it helps
nobody. So now and then it is tried with half as many, and later with more again; what gets as many
answers a second with fewer at a time is kept. A host that refuses for concurrency is believed.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

_SHORTEST = 16
_ROUNDS = 4
_REST = 20
"""Windows between two trials."""
_LONG_REST = 200
_NO_WORSE = 0.95
_GAIN = 0.3
"""Of what so many more could gain that must be gained, for them to be kept."""
_FEWEST_TRIED = 4
RESERVED_FROM = 4
"""From here on one place is kept for what is urgent."""


@dataclass(slots=True)
class LearntCap:
    """The concurrency of one host.

    Attributes:
        most: what is permitted.
        now: what is made use of.
    """

    most: int
    now: int = 0
    _refused_at: int | None = None
    _incident: float = -inf
    _together: int = 0
    _refused: int = 0
    _since: float | None = None
    _answers: int = 0
    _rest: int = 1
    _before: tuple[int, float] | None = None
    _up_next: bool = False

    def __post_init__(self) -> None:
        self.now = min(self.now or self.most, self.most)

    def places(self, *, urgent: bool) -> int:
        """How many may be under way: one fewer for what is not urgent."""
        return self.now if urgent or self.now < RESERVED_FROM else self.now - 1

    def refused(self, sent_at: float, under_way: int, now: float) -> None:
        """The host refused because so many were under way, the one that it refused among them.

        Of those that were under way together it let through as many as it did not refuse.
        """
        if sent_at > self._incident:
            self._incident, self._together, self._refused = now, under_way, 0
            self._restart(_REST if self._refused_at is None else _LONG_REST)
        self._refused += 1
        self._together = max(self._together, under_way)
        self.now = max(1, self._together - self._refused)
        self._refused_at = self.now + 1

    def answered(self, now: float, *, full: bool) -> None:
        """An answer came; `full`: its request took the last place that was free."""
        if not full:
            return
        if self._since is None:
            self._since, self._answers = now, 0
            return
        self._answers += 1
        if self._answers >= max(_SHORTEST, _ROUNDS * self.now) and now > self._since:
            self._judge(self._answers / (now - self._since))
            self._since = None

    def _judge(self, speed: float) -> None:
        """A window ended with so many answers a second."""
        if self._before is not None:
            old, old_speed = self._before
            needed = _NO_WORSE if self.now < old else 1 + _GAIN * (self.now / old - 1)
            if speed < needed * old_speed:
                self.now = old
            self._restart(_REST)
        elif self._rest > 0:
            self._rest -= 1
        else:
            self._try(speed)

    def _try(self, speed: float) -> None:
        more = min(self.most, 2 * self.now if self._refused_at is None else self.now + 1)
        if self._up_next and more > self.now:
            self._before, self.now = (self.now, speed), more
        elif self.now >= _FEWEST_TRIED:
            self._before, self.now = (self.now, speed), self.now // 2
        else:
            self._rest = _REST
        self._up_next = not self._up_next

    def _restart(self, rest: int) -> None:
        self._before, self._since, self._rest = None, None, rest
