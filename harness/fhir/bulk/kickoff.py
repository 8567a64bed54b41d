"""The request that starts an export, and what its answer means.

https://hl7.org/fhir/uv/bulkdata/STU2/export.html#bulk-data-kick-off-request
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from harness.config.bulk import ExportLevel, TypeEncoding
from harness.errors import ProtocolError
from harness.fhir.bulk.manifest import Manifest, read_manifest
from harness.fhir.bulk.refusal import Refused, named_url, refusal, said
from harness.http.exchange import Exchange
from harness.http.retry import retry_after

ACCEPTED, OK = 202, 200

POLL_HEADERS = ("Content-Location", "Location")
"""Where servers name the status endpoint; the second is what some write instead."""


@dataclass(frozen=True, slots=True)
class Kickoff:
    """What an export is to hold.

    Attributes:
        level: whose data.
        group: id of the Group, for level `group`.
        types: resource types; none named means all.
        since: resources that changed after this server time only; None for all.
        filters: FHIR searches such as `Observation?category=vital-signs`, as people write them.
        encoding: how `_type` is written.
    """

    level: ExportLevel
    group: str | None = None
    types: tuple[str, ...] = ()
    since: datetime | None = None
    filters: tuple[str, ...] = ()
    encoding: TypeEncoding = TypeEncoding.COMMA

    def url(self, base: str) -> str:
        """The URL to GET.

        Args:
            base: FHIR base, with or without a slash at the end.

        Raises:
            ValueError: level `group` without a Group.
        """
        query = "&".join(f"{name}={quote(value, safe=':,*')}" for name, value in self._query())
        place = f"{base.rstrip('/')}/{self._place()}"
        return f"{place}?{query}" if query else place

    def _place(self) -> str:
        if self.level is ExportLevel.SYSTEM:
            return "$export"
        if self.level is ExportLevel.PATIENT:
            return "Patient/$export"
        if not self.group or self.group in (".", ".."):
            raise ValueError("an export of a Group needs the Group's id")
        return f"Group/{quote(self.group, safe='')}/$export"

    def _query(self) -> Iterator[tuple[str, str]]:
        yield "_outputFormat", "application/fhir+ndjson"
        if self.since is not None:
            yield "_since", self.since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if self.types and self.encoding is TypeEncoding.COMMA:
            yield "_type", ",".join(self.types)
        elif self.encoding is TypeEncoding.REPEATED:
            yield from (("_type", each) for each in self.types)
        for each in self.filters:
            # A server splits the parameter at commas, so those of a search are hidden from it.
            yield "_typeFilter", each.replace(",", "%2C")


@dataclass(frozen=True, slots=True)
class Started:
    """The export runs.

    Attributes:
        poll_url: its status endpoint, absolute; None where the server did not name it.
        wait: seconds until it may be asked; None where the server says nothing.
    """

    poll_url: str | None
    wait: float | None = None


@dataclass(frozen=True, slots=True)
class AtOnce:
    """The server answered with the manifest, though it was asked to answer later."""

    manifest: Manifest


@dataclass(frozen=True, slots=True)
class Denied:
    """No export like this.

    Attributes:
        reason: one line without ids.
        status: of the answer.
    """

    reason: str
    status: int


def read_kickoff(exchange: Exchange, now: datetime) -> Started | AtOnce | Refused | Denied:
    """What the answer to a kick-off means.

    Args:
        exchange: the last attempt.
        now: harness clock; reads a Retry-After date where the response has no Date.
    """
    refused = refusal(exchange, now)
    if refused is not None:
        return refused
    if exchange.status == ACCEPTED:
        wait = retry_after(exchange.headers, now)
        return Started(named_url(exchange, *POLL_HEADERS), wait)
    if exchange.status != OK:
        return Denied(said(exchange), exchange.status)
    if (place := named_url(exchange, *POLL_HEADERS)) is not None:
        return Started(place)
    try:
        return AtOnce(read_manifest(exchange.json_object(), exchange.request.url))
    except ProtocolError as error:
        return Denied(error.message, exchange.status)
