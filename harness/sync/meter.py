"""Counts what a sync costs at the wire, and keeps no bodies: a sync may be long."""

from __future__ import annotations

from datetime import datetime

from harness.http.evidence import Evidence, Unanswered
from harness.http.exchange import Exchange, Request, Response
from harness.http.retry import is_refusal


class Meter(Evidence):
    """Evidence that forgets: every attempt is counted and let go.

    Attributes:
        requests: attempts, with and without an answer.
        refusals: answers that refused for load.
        on_wire: seconds between sending and the end of the answer, summed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.requests = 0
        self.refusals = 0
        self.on_wire = 0.0

    def add(
        self,
        request: Request,
        response: Response,
        *,
        started_at: datetime,
        seconds: float,
        attempt: int = 1,
        act: str | None = None,
    ) -> Exchange:
        """Count an exchange."""
        self.requests += 1
        self.on_wire += seconds
        exchange = Exchange(
            self.requests, act or "sync", request, response, started_at, seconds, attempt
        )
        self.refusals += is_refusal(exchange)
        return exchange

    def add_unanswered(
        self,
        request: Request,
        kind: str,
        reason: str,
        *,
        started_at: datetime,
        seconds: float,
        attempt: int = 1,
        act: str | None = None,
    ) -> Unanswered:
        """Count an attempt without an answer."""
        self.requests += 1
        self.on_wire += seconds
        return Unanswered(act or "sync", request, kind, reason, started_at, seconds, attempt)
