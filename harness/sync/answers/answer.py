"""What an answer to a page request is: a page, an expired session, a refusal for load, a failure.

Pure: one exchange in, one answer out. The facts behind the cases: Epic answers a page whose session
has gone with 4113 in an OperationOutcome, HAPI with 410 or 404; both want the search asked anew.
Epic and Oracle put OperationOutcomes among the matches; they are notes, not resources.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

from harness.errors import ProtocolError
from harness.http.exchange import Exchange
from harness.http.retry import is_refusal, retry_after
from harness.sync.answers.merged import linked
from harness.sync.answers.raw import RawPage, page_of
from harness.sync.answers.said import (
    codes,
    finds_nothing,
    in_codes,
    lacking,
    missing_parameter,
    refused_parameter,
)
from harness.sync.answers.salvage import salvaged
from harness.sync.answers.stamps import earliest, http_date
from harness.sync.answers.told import Meta, Reference, Told, told_by_object
from harness.sync.model import Query, Received

OK = 200
SESSION_GONE = frozenset({400, 404, 410})
"""How a server answers a next link of its own making when it has forgotten the search."""

EPIC_SESSION_GONE = "4113"
REDIRECTS = frozenset({301, 302, 303, 307, 308})
EPIC_MERGED = "4107"

_NO_META = Meta()

_OTHERWISE = frozenset({"OperationOutcome", "Patient"})
"""What is no patient's by its subject."""

_UNFIT = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
"""What no id, type or version has, and no database takes as text."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a searchset.

    Attributes:
        received: its resources, OperationOutcomes left out.
        next: absolute URL of the next page, opaque; None on the last.
        notes: what OperationOutcomes among the entries said, one line each.
        foreign: how many entries belong to another patient; they are not in `received`.
        unusable: how many entries have no type or no id, or are no JSON.
        server_time: the Date header; None if absent or unreadable.
        lacking: what an OperationOutcome said of matches that are missing; None if none did.
        total: `Bundle.total`, which may be an estimate; None if absent.
        entries: how many resources of any kind the page holds.
    """

    received: tuple[Received, ...]
    next: str | None = None
    notes: tuple[str, ...] = ()
    foreign: int = 0
    unusable: int = 0
    server_time: datetime | None = None
    lacking: str | None = None
    total: int | None = None
    entries: int = 0


@dataclass(frozen=True, slots=True)
class SessionGone:
    """The paging session expired: the query starts again from its watermark."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Refused for load, after the retries that the HTTP layer makes; `seconds` None: no hint."""

    seconds: float | None


@dataclass(frozen=True, slots=True)
class Failed:
    """No page.

    Attributes:
        reason: one line without ids.
        status: of the answer.
        needs: `category` or `date`, where the EHR said that a search without it is refused.
        refuses: `category` or `_count`, where it said that it minds the value of that.
        strange: whether it is no FHIR at all: a page of a proxy, a body that was cut.
    """

    reason: str
    status: int = 0
    needs: str | None = None
    refuses: str | None = None
    strange: bool = False


@dataclass(frozen=True, slots=True)
class Moved:
    """The patient was merged into another; `into` is that one's id, where it is named."""

    into: str | None


Answer = Page | SessionGone | Refused | Failed | Moved


def read_answer(exchange: Exchange, query: Query, *, first: bool, now: datetime) -> Answer:
    """What `exchange` is to `query`.

    Args:
        exchange: the last attempt.
        query: what was asked.
        first: whether it was the first page, so that no session can have expired.
        now: harness clock; reads a Retry-After date where the response has no Date.
    """
    if is_refusal(exchange):
        return Refused(retry_after(exchange.headers, now, exchange.body))
    if exchange.status == OK:
        return _content(exchange, query, first=first)
    if exchange.status in REDIRECTS:
        return _moved(exchange, query)
    expired = not first and exchange.status in SESSION_GONE
    return SessionGone() if expired else _failed(exchange)


def _content(exchange: Exchange, query: Query, *, first: bool) -> Answer:
    try:
        page = page_of(exchange)
    except ProtocolError as error:
        if (saved := salvaged(exchange.body)) is None:
            return Failed(error.message, exchange.status, strange=True)
        page = saved
    body = page.head
    if body.get("resourceType") == "Bundle":
        return _page(exchange, page, query)
    if first and finds_nothing(body):
        return Page((), None, (in_codes(body),), server_time=_server_time(exchange))
    expired = not first and EPIC_SESSION_GONE in codes(body)
    return SessionGone() if expired else _failed(exchange)


def _failed(exchange: Exchange) -> Failed:
    """Status, and what the OperationOutcome says, if there is one."""
    status = exchange.status
    try:
        body = exchange.json_object()
    except ProtocolError:
        return Failed(f"status {status} with no OperationOutcome", status)
    if body.get("resourceType") != "OperationOutcome":
        return Failed(f"status {status}: expected a Bundle", status, strange=status == OK)
    needs = missing_parameter(body)
    refuses = None if needs else refused_parameter(body)
    return Failed(f"status {status}: {in_codes(body)}", status, needs, refuses)


def _moved(exchange: Exchange, query: Query) -> Answer:
    """A redirection to another patient: EHRs answer so for one who was merged (Epic, 4107)."""
    kind, _, id_ = urlsplit(exchange.headers.get("Location") or "").path.rpartition("/")
    if kind.endswith("/Patient") and id_ and id_ != query.patient:
        return Moved(id_)
    failed = _failed(exchange)
    return Moved(None) if EPIC_MERGED in failed.reason else failed


def _server_time(exchange: Exchange) -> datetime | None:
    return http_date(exchange.headers.get("Date"))


def _page(exchange: Exchange, page: RawPage, query: Query) -> Page | Moved:
    received, notes, foreign, unusable = [], [], 0, 0
    lacks: str | None = None
    own = Reference(f"Patient/{query.patient}")
    for resource, raw in page.resources:
        if resource is None:
            unusable += 1
            continue
        # Nearly all say no more than whose they are, and need no second look.
        if resource.subject != own or resource.patient or resource.type in _OTHERWISE:
            if resource.type == "OperationOutcome":
                outcome = {"issue": resource.issue}
                notes.append(in_codes(outcome))
                lacks = lacks or lacking(outcome)
                continue
            if _replaces(resource, query):
                return Moved(resource.id)
            if is_foreign(resource, query):
                foreign += 1
                continue
        if (one := received_of(resource, raw)) is None:
            unusable += 1
        else:
            received.append(one)
    return Page(
        tuple(received),
        next_link(page.head, exchange.request.url),
        tuple(notes),
        foreign,
        unusable,
        _server_time(exchange),
        lacks,
        _total(page.head),
        len(page.resources),
    )


def _total(bundle: dict[str, Any]) -> int | None:
    total = bundle.get("total")
    return total if isinstance(total, int) and not isinstance(total, bool) else None


def _replaces(resource: Told, query: Query) -> bool:
    """Whether a search for a patient was answered with the one who took that one's place."""
    if query.type != "Patient" or resource.type != "Patient" or resource.id is None:
        return False
    replaced = linked({"link": resource.link}, "replaces")
    return resource.id != query.patient and query.patient in replaced


def received_of(resource: Told, raw: bytes) -> Received | None:
    """A resource as the store takes it; None where it has no type or id that can be kept."""
    type_, id_, meta = resource.type, resource.id, resource.meta or _NO_META
    if not type_ or not id_:
        return None
    version = meta.version_id or None
    # Nearly all are printable, which is known at once.
    if not f"{type_}{id_}{version}".isprintable():
        if _UNFIT.search(type_ + id_):
            return None
        version = None if version and _UNFIT.search(version) else version
    return Received(type_, id_, version, earliest(meta.last_updated), raw)


def is_foreign(resource: Told, query: Query) -> bool:
    """Whether an entry belongs to another patient: a server that ignored the patient parameter."""
    if resource.type == "Patient":
        return resource.id != query.patient
    subject, patient = resource.subject, resource.patient
    return (subject is not None and _is_another(subject, query.patient)) or (
        patient is not None and _is_another(patient, query.patient)
    )


def _is_another(reference: Reference, patient: str) -> bool:
    """Whether it refers to a patient who is another one."""
    target = reference.reference
    if target is None or target == f"Patient/{patient}":
        return False
    kind, _, id_ = target.partition("/_history/")[0].rpartition("/")
    return kind.endswith("Patient") and id_ != patient


@dataclass(frozen=True, slots=True)
class Answered:
    """What a read brought: the resource, or the status that came instead."""

    status: int
    received: Received | None = None


def read_one(exchange: Exchange) -> Answered:
    """What `exchange` is as the answer to a read; bytes as the server sent them."""
    if exchange.status != OK:
        return Answered(exchange.status)
    try:
        resource = told_by_object(exchange.json_object())
    except ProtocolError:
        return Answered(OK)
    return Answered(OK, received_of(resource, exchange.body))


def next_link(bundle: dict[str, Any], url: str) -> str | None:
    """The next page as an absolute URL; `url` is where the bundle came from."""
    links = bundle.get("link")
    for link in links if isinstance(links, list) else []:
        if isinstance(link, dict) and link.get("relation") == "next":
            target = link.get("url")
            if isinstance(target, str) and target:
                return urljoin(url, target)
    return None
