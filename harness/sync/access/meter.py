"""Counts what a sync costs at the wire, and keeps no bodies: a sync may be long."""

from __future__ import annotations

from harness.http.evidence import Evidence, Unanswered
from harness.http.exchange import Exchange
from harness.http.retry import is_refusal


class Meter(Evidence):
    """Evidence that forgets: every attempt is counted and let go.

    Attributes:
        requests: attempts, with and without an answer.
        refusals: answers that refused for load.
        silent: attempts in a row, up to the last, that brought no answer.
        on_wire: seconds between sending and the end of the answer, summed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.requests = 0
        self.refusals = 0
        self.silent = 0
        self.on_wire = 0.0

    def _keep(self, step: Exchange | Unanswered) -> None:
        self.requests += 1
        self.silent = 0 if isinstance(step, Exchange) else self.silent + 1
        self.on_wire += step.seconds
        self.refusals += isinstance(step, Exchange) and is_refusal(step)
