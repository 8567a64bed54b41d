"""What the answer to a write means, whatever it looks like. Pure.

Servers answer a create with 201 and nothing else, with 200, without Location, with text/html; they
refuse for load with 429, 503 or 403; and what a 500 or a 504 left behind nobody knows. A write is
only ever repeated where it surely was not processed, or was looked for and not found.
http://hl7.org/fhir/R4/http.html#create, http://hl7.org/fhir/R4/http.html#concurrency
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from harness.errors import ProtocolError
from harness.fhir.outcome import Issue, issues_of
from harness.fhir.writes import Answered, answers, version_of, written_place
from harness.http.exchange import Exchange
from harness.http.retry import is_refusal, retry_after

_CODES = re.compile(
    r"status \d{3}"
    r"|\b(?:fatal|error|warning|information) [a-z-]{2,24}(?: \[[A-Za-z0-9 ,._-]{1,80}\])?"
)
_ALTERED = re.compile(r"([A-Za-z][A-Za-z0-9.]*)[^\s:]*: wrote ")

NOT_IMPLEMENTED = 501
_UNKNOWN = frozenset({408, 425})
_CLASHES = frozenset({409, 412})
_OK, _ACCEPTED, _NOT_MODIFIED, _UNAUTHORIZED, _SERVER_ERROR = 200, 202, 304, 401, 500
_THROTTLED = 429


class Kind(StrEnum):
    """What became of a write that went out."""

    STORED = "stored"
    """The EHR says that it took it."""
    LATER = "later"
    """It was refused for load, or never arrived: surely not processed."""
    UNKNOWN = "unknown"
    """It may have been processed."""
    DENIED = "denied"
    """It was refused, and would be again."""
    CLASH = "clash"
    """Something stands against it: a duplicate, another version, several matches."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a write.

    Attributes:
        kind: in one word.
        words: the EHR's own, on one line; empty where it took it.
        status: of the answer; None where none came.
        server_id: where the resource is, if the EHR says so.
        version: of the resource, if the EHR says so.
        wait: seconds that the EHR asks to wait; None where it does not.
    """

    kind: Kind
    words: str = field(default="", repr=False)
    status: int | None = None
    server_id: str | None = None
    version: str | None = None
    wait: float | None = None


def of_exchange(exchange: Exchange, type_: str, now: datetime) -> Verdict:
    """What an answer says of the one write that was sent.

    Args:
        exchange: the last attempt.
        type_: the resource type that was written.
        now: harness clock; reads a Retry-After date where the answer has no Date.
    """
    status = exchange.status
    if is_refusal(exchange):
        wait = retry_after(exchange.headers, now, exchange.body)
        return Verdict(Kind.LATER, said(exchange), status, wait=wait)
    place = written_place(exchange, type_)
    verdict = _of_status(status, issues_of(exchange), known=place is not None)
    if verdict is Kind.STORED and place is None and _is_foreign(exchange):
        verdict = Kind.UNKNOWN
    if verdict is not Kind.STORED:
        return Verdict(verdict, said(exchange), status)
    version = (place.version if place else None) or version_of(exchange)
    return Verdict(verdict, "", status, place.id if place else None, version)


def of_batch(exchange: Exchange, size: int, now: datetime) -> list[Verdict] | None:
    """What an answer says of each write of a batch.

    Returns:
        One verdict per entry, in order; None where the batch was answered as a whole.
    """
    if exchange.status != _OK:
        return None
    try:
        found = answers(exchange)
    except ProtocolError:
        return [Verdict(Kind.UNKNOWN, said(exchange), exchange.status)] * size
    if len(found) != size:
        words = f"the batch was answered with {len(found)} entries, {size} were sent"
        return [Verdict(Kind.UNKNOWN, words)] * size
    wait = retry_after(exchange.headers, now, exchange.body)
    return [_of_entry(each, wait) for each in found]


def said(exchange: Exchange) -> str:
    """Status, and what the OperationOutcome says: the EHR's own words on one line."""
    return _said(exchange.status, issues_of(exchange))


def in_codes(text: str) -> str:
    """Words of an EHR with nothing left of them but status, codes and names of elements."""
    if "wrote " in text:
        return "altered: " + ", ".join(_ALTERED.findall(text))
    found = _CODES.findall(text)
    if found:
        return " ".join(found)
    return text.partition(":")[0]


def _of_entry(entry: Answered, wait: float | None) -> Verdict:
    words = _said(entry.status, entry.issues)
    if entry.status is None:
        return Verdict(Kind.UNKNOWN, "the entry of the batch was answered without a status")
    if entry.status in (_THROTTLED, _UNAUTHORIZED):
        return Verdict(Kind.LATER, words, entry.status, wait=wait)
    kind = _of_status(entry.status, entry.issues, known=entry.place is not None)
    if kind is not Kind.STORED or entry.place is None:
        return Verdict(kind, "" if kind is Kind.STORED else words, entry.status)
    return Verdict(kind, "", entry.status, entry.place.id, entry.place.version)


def _of_status(status: int, issues: tuple[Issue, ...], *, known: bool) -> Kind:
    if status < 300 or status == _NOT_MODIFIED:  # noqa: PLR2004 - 2xx
        # Some answer 200 with an OperationOutcome that says why nothing was filed.
        failed = not known and status != _ACCEPTED and any(each.is_error for each in issues)
        return Kind.DENIED if failed else Kind.STORED
    if status in _CLASHES:
        return Kind.CLASH
    unknown = status >= _SERVER_ERROR and status != NOT_IMPLEMENTED
    return Kind.UNKNOWN if unknown or status in _UNKNOWN else Kind.DENIED


def _is_foreign(exchange: Exchange) -> bool:
    """Whether a page of somebody else stands in the place of an answer: a portal, maintenance."""
    media = exchange.media_type or ""
    return exchange.status == _OK and bool(exchange.body.strip()) and "html" in media


def _said(status: int | None, issues: tuple[Issue, ...]) -> str:
    rank = {"fatal": 0, "error": 1, "warning": 2}
    found = sorted(issues, key=lambda each: rank.get(each.severity, 3))
    head = "no status" if status is None else f"status {status}"
    return f"{head}: {'; '.join(map(str, found))}"[:2000] if found else head
