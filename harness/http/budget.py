"""Budgets of a calendar minute or day, and what a request costs: pure, time is an argument.

Some EHRs count by the clock and not by a sliding window: eClinicalWorks blocks until the minute
turns, others end the day. Some weigh a write like a hundred reads (Medplum).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import Enum
from zoneinfo import ZoneInfo

from harness.config.ehr import Costs, Limits, Peak
from harness.http.exchange import Request
from harness.http.retry import SAFE_METHODS

_EPSILON = 1e-9


class Span(Enum):
    """What a budget is counted by."""

    MINUTE = "minute"
    DAY = "day"


@dataclass(slots=True)
class Window:
    """What may be spent in each calendar minute or day.

    Attributes:
        limit: cost per window. A single request that costs more may go alone.
        span: minute or day.
        zone: whose days.
        begun: start of the window that `spent` belongs to.
        spent: in it.
    """

    limit: float
    span: Span
    zone: str = "UTC"
    begun: datetime | None = None
    spent: float = 0.0

    def delay(self, now: datetime, cost: float = 1.0, *, reserve: float = 0.0) -> float:
        """Seconds until a request of `cost` may go; 0.0 when it may go now.

        Args:
            now: the time of day.
            cost: of the request.
            reserve: share of the limit that is kept back for others; whole requests count.
        """
        begin, end = bounds(now, self.span, self.zone)
        fits = self.spent + cost <= self.limit - int(reserve * self.limit) + _EPSILON
        if self.begun != begin or fits or self.spent == 0.0:
            return 0.0
        return (end - now).total_seconds()

    def take(self, now: datetime, cost: float = 1.0) -> None:
        """Count a request that goes at `now`."""
        begin, _ = bounds(now, self.span, self.zone)
        if self.begun != begin:
            self.begun, self.spent = begin, 0.0
        self.spent += cost


def bounds(now: datetime, span: Span, zone: str) -> tuple[datetime, datetime]:
    """Start and end of the calendar minute or day that holds `now`, in UTC.

    A day is as long as it is in its zone: 23 to 25 hours where clocks are changed.
    """
    if span is Span.MINUTE:
        begin = now.astimezone(UTC).replace(second=0, microsecond=0)
        return begin, begin + timedelta(minutes=1)
    day, where = now.astimezone(ZoneInfo(zone)).date(), ZoneInfo(zone)
    begin = datetime.combine(day, time(), where).astimezone(UTC)
    return begin, datetime.combine(day + timedelta(days=1), time(), where).astimezone(UTC)


def cost_of(request: Request, costs: Costs) -> float:
    """What a request counts for: by what it does, as far as method and URL tell."""
    path, _, query = request.url.partition("?")
    if request.method.upper() in SAFE_METHODS:
        return costs.search if query else costs.read
    if path.endswith("/_search"):
        return costs.search
    return costs.token if is_token_request(request) else costs.write


def is_token_request(request: Request) -> bool:
    """Whether a request asks for a token: a form, and no search."""
    form = (request.headers.get("Content-Type") or "").startswith("application/x-www-form")
    return form and not request.url.partition("?")[0].endswith("/_search")


def is_peak(peak: Peak | None, now: datetime) -> bool:
    """Whether `now` lies in the peak hours; these may lie over midnight."""
    if peak is None:
        return False
    moment = now.astimezone(ZoneInfo(peak.zone)).time()
    if peak.start <= peak.until:
        return peak.start <= moment < peak.until
    return moment >= peak.start or moment < peak.until


def rate_at(limits: Limits, now: datetime) -> float | None:
    """Requests per second that are permitted at `now`; None where nobody said."""
    base, peak = limits.requests_per_second, limits.peak
    if peak is None or peak.requests_per_second is None or not is_peak(peak, now):
        return base
    return peak.requests_per_second


def per_minute_at(limits: Limits, now: datetime) -> float | None:
    """Cost per calendar minute that is permitted at `now`; None where nobody said."""
    peak = limits.peak
    if peak is None or peak.per_minute is None or not is_peak(peak, now):
        return limits.per_minute
    return peak.per_minute
