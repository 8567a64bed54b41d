"""How a run stands: after a page, and when its pull has ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.sync.model import Counts, Gap, Query, RunStatus
from harness.sync.order import Outcome


@dataclass(frozen=True, slots=True)
class Progress:
    """How a run stands after a page.

    Attributes:
        query: the query that the page belongs to.
        counts: what the page did.
        requests: sent so far.
        refusals: so far.
        permitted: requests per second that the host's limiter lets pass now; None if unbounded.
        patients: how many the run is to serve.
        queries: how many the run is to ask.
        done: how many of these have ended well.
    """

    query: Query
    counts: Counts
    requests: int
    refusals: int
    permitted: float | None
    patients: int
    queries: int
    done: int


def verdict(outcome: Outcome, *, stopped: bool) -> tuple[RunStatus, str | None]:
    """How a pull that came to its end stands."""
    if not outcome.gaps:
        return RunStatus.COMPLETE, None
    if outcome.counts.pages:
        return RunStatus.INCOMPLETE, outcome.stopped or _failed(outcome.gaps)
    if outcome.come_back is not None or stopped:
        return RunStatus.INCOMPLETE, outcome.stopped
    return RunStatus.FAILED, outcome.stopped or outcome.gaps[0].reason


def _failed(gaps: Sequence[Gap]) -> str:
    """How many queries failed; and why, where that is the same for all."""
    count = f"{len(gaps)} {'query' if len(gaps) == 1 else 'queries'} failed"
    reasons = {each.reason for each in gaps}
    return f"{count}: {reasons.pop()}" if len(reasons) == 1 and len(gaps) > 1 else count
