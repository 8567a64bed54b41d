"""How many requests a second a server kept up, from what a pull sent and got; pure.

What a daily refresh needs is `NEEDED`; docs/operators.md says where the figures come from.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from harness.http.exchange import Exchange

OK = 200
REFUSED = (429, 503)
SETTLED = 120
"""Answers after the last refusal that show a rate."""
ENOUGH = 30
"""Answers after it that show that a pause helps; of fewer, all since the first refusal count."""

PATIENTS, EACH, HOURS = 1200, 10, 3.5
"""A panel of one practice, what a refresh asks for each of its patients, and one night's window."""
NEEDED = 1.0
"""Requests per second: `PATIENTS * EACH` in `HOURS`, rounded up."""


@dataclass(frozen=True, slots=True)
class Sustained:
    """What a server kept up while a client took as much as it was given.

    Attributes:
        answers: results that came in the stretch that counts.
        seconds: how long that stretch was.
        refused: attempts that were refused for load, of the whole pull.
        attempts: of the whole pull.
    """

    answers: int
    seconds: float
    refused: int
    attempts: int

    @property
    def rate(self) -> float:
        """Results per second."""
        return self.answers / self.seconds if self.seconds > 0 else 0.0

    @property
    def hours(self) -> float:
        """How long the refresh of a panel would take; endless where nothing came."""
        return PATIENTS * EACH / self.rate / 3600 if self.rate else float("inf")

    def __str__(self) -> str:
        more = "" if self.refused else "at least "
        took = f"{self.refused} of {self.attempts} requests refused on the way"
        panel = f"{PATIENTS:,} patients with {EACH} requests each"
        if not self.answers:
            return f"usable rate: none; {took}, and nothing came after that"
        lasts = f"{self.hours:.1f} h" if self.hours >= 1 else f"{max(1, self.hours * 60):.0f} min"
        rate = f"{self.rate:.1f}" if self.rate < 10 else f"{self.rate:.0f}"  # noqa: PLR2004
        return f"usable rate: {more}{rate} requests a second; {took}; {panel} take {lasts}"


def sustained(attempts: Iterable[Exchange], began: datetime, ended: datetime) -> Sustained:
    """What was kept up: after the last refusal, where enough came then; else after the first.

    A few may be what a server had saved up while it was left alone, as it asks for by a refusal:
    then the whole pull counts, with its pauses.

    Args:
        attempts: of the pull, in any order.
        began: when it was begun, UTC.
        ended: when its last answer came, or when it was given up.
    """
    known = [*attempts]
    good = sorted(_over(each) for each in known if each.status == OK)
    refused = sorted(_over(each) for each in known if each.status in REFUSED)
    counts = len(refused), len(known)
    if not refused:
        return Sustained(len(good), (ended - began).total_seconds(), *counts)
    last = [moment for moment in good if moment > refused[-1]]
    if len(last) >= SETTLED:
        return Sustained(len(last) - 1, (last[-1] - last[0]).total_seconds(), *counts)
    if len(last) >= ENOUGH:
        return Sustained(len(good), (ended - began).total_seconds(), *counts)
    since = [moment for moment in good if moment > refused[0]]
    return Sustained(len(since), (ended - refused[0]).total_seconds(), *counts)


def _over(attempt: Exchange) -> datetime:
    return attempt.started_at + timedelta(seconds=attempt.seconds)
