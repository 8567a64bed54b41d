"""How far a server's clock is from ours, from the `Date` of its answers (RFC 9110 section 6.6.1).

A `Date` has whole seconds, and some servers write one for more than a second: each answer bounds
the difference to within two, many answers to within less. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

_WIDTH = timedelta(seconds=2)
_NONE = timedelta()


@dataclass(slots=True)
class Skew:
    """The server's clock less ours lies between these."""

    lowest: timedelta | None = None
    highest: timedelta | None = None

    def heard(self, date: datetime, sent: datetime, got: datetime) -> None:
        """An answer to what was sent and got at these times of ours bears this `Date`."""
        low, high = date - got, date + _WIDTH - sent
        if self.lowest is None or self.highest is None:
            self.lowest, self.highest = low, high
            return
        self.lowest, self.highest = max(self.lowest, low), min(self.highest, high)
        if self.lowest > self.highest:  # one of the clocks was set
            self.lowest, self.highest = low, high

    @property
    def of_server(self) -> timedelta:
        """What to add to our time to get the server's; nothing while ours may be right.

        Else the least that is possible, so that a wait for its time does not end too early.
        """
        if self.lowest is None or self.highest is None or self.lowest <= _NONE <= self.highest:
            return _NONE
        return self.lowest
