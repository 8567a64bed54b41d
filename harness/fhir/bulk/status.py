"""How an export stands, read from one answer of its status endpoint.

https://hl7.org/fhir/uv/bulkdata/STU2/export.html#bulk-data-status-request
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from harness.errors import ProtocolError
from harness.fhir.bulk.manifest import Manifest, read_manifest
from harness.fhir.bulk.refusal import Refused, is_transient, named_url, refusal, said
from harness.http.exchange import Exchange
from harness.http.retry import retry_after

OK, ACCEPTED, SEE_OTHER, UNAUTHORIZED, SERVER_ERROR = 200, 202, 303, 401, 500
GONE = frozenset({404, 410})
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")
_LONGEST = 100


@dataclass(frozen=True, slots=True)
class Underway:
    """Not ready.

    Attributes:
        wait: seconds that the server asks for; None where it says nothing.
        progress: `X-Progress`, for people: free text of at most 100 characters, fit for a terminal.
    """

    wait: float | None
    progress: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """Ready."""

    manifest: Manifest


@dataclass(frozen=True, slots=True)
class Moved:
    """To be asked for at another URL."""

    url: str


@dataclass(frozen=True, slots=True)
class Over:
    """There is no such export any more: it expired, or was deleted."""

    status: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The export failed and will not recover. `reason` is one line without ids."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """This answer says nothing about the export, the next one may. `reason` as in `Failed`."""

    reason: str


Status = Underway | Done | Moved | Over | Failed | Unclear | Refused


def read_status(exchange: Exchange, now: datetime) -> Status:
    """What the answer to a status request means.

    Args:
        exchange: the last attempt.
        now: harness clock; reads a Retry-After date where the response has no Date.
    """
    refused = refusal(exchange, now)
    if refused is not None:
        return refused
    status = exchange.status
    if status == ACCEPTED:
        return Underway(retry_after(exchange.headers, now), _progress(exchange))
    if status == OK:
        return _done(exchange)
    if status == SEE_OTHER and (place := named_url(exchange, "Location")) is not None:
        return Moved(place)
    if status in GONE:
        return Over(status)
    return _error(exchange)


def _done(exchange: Exchange) -> Done | Unclear:
    try:
        return Done(read_manifest(exchange.json_object(), exchange.request.url))
    except ProtocolError as error:
        # A maintenance page comes with 200 as well.
        return Unclear(error.message)


def _error(exchange: Exchange) -> Failed | Unclear:
    """An error ends the export where it says so: other errors are those of what lies between."""
    final = exchange.status == SERVER_ERROR or 400 <= exchange.status < SERVER_ERROR  # noqa: PLR2004
    if not final or exchange.status == UNAUTHORIZED or is_transient(exchange):
        return Unclear(said(exchange))
    return Failed(said(exchange))


def _progress(exchange: Exchange) -> str:
    value = exchange.headers.get("X-Progress") or ""
    return _UNPRINTABLE.sub(" ", value).strip()[:_LONGEST]
