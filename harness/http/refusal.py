"""What kind of refusal an answer is: for load, for concurrency, for a job under way, for the day.

Pure. Where the facts are from: athenahealth's 429 for too many concurrent calls, Oracle's 429 while
an export of the same client is under way, Epic's code 4135 when the documents of a day are used up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

from harness.http.exchange import Exchange
from harness.http.retry import hints_in, is_day_spent, is_refusal, retry_after

_LOOKED_AT = 65536
_TOO_MANY_AT_ONCE = re.compile(
    rb"concurren|simultaneous|in parallel|at the same time", re.IGNORECASE
)
_UNDER_WAY = re.compile(
    rb"in progress|already|under ?way|running|concurren|one export", re.IGNORECASE
)
_THROTTLED = frozenset({"429", "503"})


class Kind(Enum):
    """Why a request was refused, and so what helps."""

    LOAD = "load"
    """Too many in too short a time: go slower."""
    CONCURRENCY = "concurrency"
    """Too many at a time: fewer at a time, as fast as before."""
    JOB = "job"
    """A job of the same client is under way: waiting does not help, ending the job does."""
    DAY = "day"
    """What a day allows is used up: come back tomorrow."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal.

    Attributes:
        kind: why.
        seconds: what the server asks to wait; None where it says nothing.
    """

    kind: Kind = Kind.LOAD
    seconds: float | None = None


def refusal_of(exchange: Exchange, now: datetime) -> Refusal | None:
    """The refusal that an answer is; None where it is none.

    Args:
        exchange: the last attempt.
        now: harness clock; reads a date where the response has no `Date`.
    """
    if not is_refusal(exchange):
        return None
    body = exchange.body[:_LOOKED_AT]
    seconds = retry_after(exchange.headers, now, exchange.body)
    if is_day_spent(exchange.body):
        return Refusal(Kind.DAY, seconds)
    exports = urlsplit(exchange.request.url).path.endswith("/$export")
    if exports and _UNDER_WAY.search(body):
        return Refusal(Kind.JOB, seconds)
    if _TOO_MANY_AT_ONCE.search(body):
        return Refusal(Kind.CONCURRENCY, seconds)
    return Refusal(Kind.LOAD, seconds)


def refused_entries(bundle: Mapping[str, Any]) -> dict[int, float | None]:
    """Which entries of a batch-response were refused for load, though the batch was answered 200.

    Args:
        bundle: of type batch-response.

    Returns:
        By index of the entry, the seconds that the server asks to wait; None where it says nothing.
        Only these are worth sending again: the others were processed.
    """
    entries = bundle.get("entry")
    found: dict[int, float | None] = {}
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        response = entry.get("response") if isinstance(entry, dict) else None
        if not isinstance(response, dict):
            continue
        status = str(response.get("status", "")).strip()[:3]
        outcome = response.get("outcome")
        if status in _THROTTLED or (status[:1] in "45" and _says_throttled(outcome)):
            found[index] = hints_in(outcome)
    return found


def _says_throttled(outcome: object) -> bool:
    """Whether an OperationOutcome has the issue type `throttled` (value set issue-type, R4)."""
    issues = outcome.get("issue") if isinstance(outcome, dict) else None
    return any(
        isinstance(issue, dict) and issue.get("code") == "throttled"
        for issue in (issues if isinstance(issues, list) else [])
    )
