"""For how long nobody asks after a refusal: pure, time and chance are passed in.

What the host says is obeyed. Where it says nothing, each refusal in a row waits twice as long, with
full jitter, so that clients that were refused together do not come back together; and only one
request tries.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from harness.http.retry import FLOOR, Policy, backoff

_BLOCKED_AFTER = 3
"""Refusals in a row; nothing came through between them."""
_BLOCKED_FOR = 1.5
_MISSED = 8.0
"""Requests that would have come through in that time at the rate that did before."""
_SPREAD = 0.05


@dataclass(slots=True)
class Hold:
    """The pauses of one host.

    Attributes:
        chance: gives numbers from 0.0 to 1.0.
        until: monotonic seconds before which nothing goes.
        in_a_row: refusals since something was let through; those of one moment count once.
    """

    chance: Callable[[], float]
    until: float = -inf
    in_a_row: int = 0
    _since: float = 0.0
    _last: float = -inf

    @property
    def is_testing(self) -> bool:
        """Whether nothing came through yet since the last refusal: then only one may try."""
        return self.in_a_row > 0

    def pause(self, until: float) -> None:
        """Let nothing go before `until`; never shortens a pause."""
        self.until = max(self.until, until)

    def refused(self, sent_at: float, now: float) -> None:
        """A request that was sent at `sent_at` was refused."""
        if sent_at <= self._last and self.in_a_row:
            return
        self._last = now
        self.in_a_row += 1
        if self.in_a_row == 1:
            self._since = now

    def let_through(self, sent_at: float) -> None:
        """A request that was sent at `sent_at` was not refused."""
        if sent_at > self._last:
            self.in_a_row = 0

    def wait(self, hint: float | None) -> float:
        """Seconds to pause: what the host says, a little spread, or more from time to time."""
        if hint is None:
            return backoff(self.in_a_row, Policy(), self.chance)
        said = max(FLOOR, hint) + min(1.0, _SPREAD * hint) * self.chance()
        again = backoff(self.in_a_row - 1, Policy(), self.chance) if self.in_a_row > 1 else 0.0
        return max(said, again)

    def is_blocked(self, now: float, rate: float) -> bool:
        """Whether more came through at `rate` before than a slow refill could explain."""
        blocked_for = now - self._since
        return (
            self.in_a_row >= _BLOCKED_AFTER
            and blocked_for >= _BLOCKED_FOR
            and rate * blocked_for >= _MISSED
        )
