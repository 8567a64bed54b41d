"""What answers of kick-offs, status requests and files have in common: refusals, and errors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urljoin

from harness.fhir.outcome import Issue, issues_of
from harness.http.exchange import Exchange
from harness.http.retry import is_refusal, retry_after

TRANSIENT = frozenset({"transient", "throttled", "timeout", "lock-error", "incomplete"})
"""Issue types that say that the same may work later (value set issue-type, R4)."""

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}", re.ASCII)
_MOST_ISSUES = 3


@dataclass(frozen=True, slots=True)
class Refused:
    """Refused for load, or because an export of this client is under way.

    Attributes:
        wait: seconds that the server asks for; None where it says nothing.
        poll_url: where it names the export that is under way.
    """

    wait: float | None
    poll_url: str | None = None


def refusal(exchange: Exchange, now: datetime) -> Refused | None:
    """The refusal that an answer is; None where it is none.

    Args:
        exchange: the last attempt.
        now: harness clock; reads a Retry-After date where the response has no Date.
    """
    if not is_refusal(exchange):
        return None
    wait = retry_after(exchange.headers, now, exchange.body)
    return Refused(wait, named_url(exchange, "Content-Location"))


def named_url(exchange: Exchange, *names: str) -> str | None:
    """The first of these headers as an absolute URL; None where none is there."""
    for name in names:
        value = (exchange.headers.get(name) or "").strip()
        place = absolute(exchange.request.url, value)
        if place is not None:
            return place
    return None


def absolute(base: str, value: str) -> str | None:
    """`value` as an absolute URL; None where it is empty or none."""
    try:
        return urljoin(base, value.strip()) if value.strip() else None
    except ValueError:
        return None


def said(exchange: Exchange) -> str:
    """Status, and the codes of an OperationOutcome: its free text may name patients."""
    found = "; ".join(in_codes(each) for each in issues_of(exchange)[:_MOST_ISSUES])
    return f"status {exchange.status}" + (f": {found}" if found else "")


def in_codes(issue: Issue) -> str:
    """Severity and codes, such as `error processing (4118)`."""
    words = [each for each in (issue.severity, issue.code) if _CODE.fullmatch(each)]
    codes = [each for each in issue.codes if _CODE.fullmatch(each)]
    return " ".join([*words, f"({', '.join(codes)})"] if codes else words)


def is_transient(exchange: Exchange) -> bool:
    """Whether an error says of itself that it will pass."""
    found = issues_of(exchange)
    return bool(found) and all(each.code in TRANSIENT for each in found)
