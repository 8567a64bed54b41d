"""What a Subscription asks for, read and checked.

FHIR R4, Subscription: http://hl7.org/fhir/R4/subscription.html
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from harness.reference.fhir.formats import FHIR_JSON
from harness.reference.fhir.outcome import Refused, refused
from harness.reference.fhir.query import Query, read
from harness.reference.fhir.resources import RESOURCES
from harness.reference.fhir.searches import parameters
from harness.reference.fhir.stored import Stored

Json = dict[str, Any]
Has = Callable[[str], bool]

MOST_HEADERS: Final = 20
_CHANNEL: Final = "Subscription.channel"
_FIELD: Final = re.compile(r"([A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}):[ \t]*([ -~\t]{0,4000}?)[ \t]*")
_OURS: Final = {"connection", "content-length", "content-type", "host", "transfer-encoding"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is told to whom.

    Args:
        query: the criteria.
        endpoint: absolute URL.
        payload: media type of what is sent; None for a notification without content.
        headers: names and values that go with each.
    """

    query: Query
    endpoint: str
    payload: str | None
    headers: tuple[tuple[str, str], ...]

    def meets(self, stored: Stored, now: datetime) -> bool:
        """Whether a version is what the criteria ask for; a deletion never is."""
        if stored.resource_type != self.query.resource_type or stored.deleted:
            return False
        return all(one.matches(stored, now) for one in self.query.criteria)


def wanted(resource: Json, base: str, origins: Collection[str], has: Has) -> Wanted:
    """Reads a well-shaped Subscription.

    Args:
        resource: the Subscription.
        base: the FHIR base of this server, for absolute references.
        origins: may be notified, beside loopback.
        has: whether the instance has a fault or a variant.

    Raises:
        Refused: 422; it asks for something that is not done here.
    """
    channel = resource["channel"]
    if channel["type"] != "rest-hook" or has("subscription-websocket-only"):
        raise _not_done(f"the channel {channel['type']!r:.40}", "type")
    endpoint = channel.get("endpoint", "")
    if not _may_be_notified(endpoint, origins):
        raise _not_done("an endpoint that is neither on loopback nor named at start", "endpoint")
    payload = channel.get("payload")
    if payload is not None and has("subscription-without-payload-only"):
        raise _not_done("a payload", "payload")
    if payload not in (None, FHIR_JSON):
        raise _not_done(f"the payload {payload!r:.60}", "payload")
    query = _query(resource["criteria"], base)
    return Wanted(query, endpoint, payload, _headers(channel.get("header", [])))


def _not_done(what: str, element: str) -> Refused:
    return refused(
        422, "not-supported", f"{what} is not supported", expression=f"{_CHANNEL}.{element}"
    )


def _query(criteria: str, base: str) -> Query:
    kind, _, rest = criteria.removeprefix(f"{base}/").removeprefix("/").partition("?")
    expression = "Subscription.criteria"
    if kind not in RESOURCES:
        text = f"criteria for {kind!r:.60} are not supported"
        raise refused(422, "not-supported", text, expression=expression)
    try:
        query = read(kind, parameters(rest), base, strict=True)
    except Refused as why:
        text = f"the criteria cannot be read: {why.issues[0].diagnostics}"
        raise refused(422, "invalid", text, expression=expression) from None
    if query.links:
        text = "criteria about other resources are not supported"
        raise refused(422, "not-supported", text, expression=expression)
    return query


def _headers(lines: list[str]) -> tuple[tuple[str, str], ...]:
    if len(lines) > MOST_HEADERS:
        raise _not_done(f"a channel with {len(lines)} headers", "header")
    found = []
    for number, line in enumerate(lines):
        match = _FIELD.fullmatch(line)
        if match is None or match[1].lower() in _OURS:
            # What stands there may be a secret, so that it is not repeated.
            raise _not_done("this header", f"header[{number}]")
        found.append((match[1], match[2]))
    return tuple(found)


def _may_be_notified(url: str, origins: Collection[str]) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        return False
    return _is_loopback(parts.hostname) or origin(parts) in origins


def origin(parts: SplitResult) -> str:
    """Scheme, host and port of a URL, the usual ports left out."""
    usual = {"http": 80, "https": 443}[parts.scheme]
    port = "" if parts.port in (None, usual) else f":{parts.port}"
    return f"{parts.scheme}://{parts.hostname}{port}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
