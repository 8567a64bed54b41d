"""What a server says of a write, read tolerantly: where the resource is, and in which version.

EHRs answer a create with 201 and an empty body, with `text/html`, without Location or without ETag;
what is missing is None, and whether it may be missing is for a check to say.
http://hl7.org/fhir/R4/http.html#create, http://hl7.org/fhir/R4/http.html#transaction-response
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from harness.errors import ProtocolError
from harness.fhir.outcome import Issue, issues
from harness.http.exchange import Exchange

Resource = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a resource is: type, id, and version where the server names one."""

    type: str
    id: str
    version: str | None = None


def place_in(url: str | None, kind: str) -> Place | None:
    """The place of a resource of one type that a URL names: `[base]/[type]/[id]/_history/[vid]`."""
    parts = urlsplit(url or "").path.split("/")
    if kind not in parts:
        return None
    own = parts[len(parts) - 1 - parts[::-1].index(kind) + 1 :]
    if not own or not own[0]:
        return None
    versioned = len(own) > 2 and own[1] == "_history" and own[2]  # noqa: PLR2004 - id, word, version
    return Place(kind, own[0], own[2] if versioned else None)


def written_place(exchange: Exchange, kind: str) -> Place | None:
    """Where a write put the resource: by Location, Content-Location, or else the body."""
    for name in ("Location", "Content-Location"):
        found = place_in(exchange.headers.get(name), kind)
        if found is not None:
            return found
    try:
        body = exchange.json_object()
    except ProtocolError:
        return None
    found_id = body.get("id") if body.get("resourceType") == kind else None
    if not isinstance(found_id, str) or not found_id:
        return None
    return Place(kind, found_id, version_in(body))


def version_of(exchange: Exchange) -> str | None:
    """The version id that an answer names: by ETag, weak or strong, or else in `meta`."""
    tag = tag_version(exchange.headers.get("ETag"))
    if tag is not None:
        return tag
    try:
        return version_in(exchange.json_object())
    except ProtocolError:
        return None


def tag_version(tag: str | None) -> str | None:
    """The version id in an ETag; None for what is no ETag."""
    plain = (tag or "").strip().removeprefix("W/")
    quoted = len(plain) > 1 and plain[0] == plain[-1] == '"'
    return plain[1:-1] or None if quoted else None


def version_in(resource: Resource) -> str | None:
    """`meta.versionId` of a resource."""
    meta = resource.get("meta")
    version = meta.get("versionId") if isinstance(meta, Mapping) else None
    return version if isinstance(version, str) else None


def to_create(resource: Resource, if_none_exist: str | None = None) -> dict[str, Any]:
    """The entry of a batch or transaction that creates a resource."""
    request = {"method": "POST", "url": str(resource["resourceType"])}
    if if_none_exist is not None:
        request["ifNoneExist"] = if_none_exist
    return {"resource": dict(resource), "request": request}


def to_delete(kind: str, identity: str) -> dict[str, Any]:
    """The entry of a batch or transaction that deletes a resource."""
    return {"request": {"method": "DELETE", "url": f"{kind}/{identity}"}}


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of one entry of a batch or transaction.

    Attributes:
        status: of the entry; None where it has none that can be read.
        place: where the resource is, where the entry says so.
        issues: of its outcome.
    """

    status: int | None
    place: Place | None = None
    issues: tuple[Issue, ...] = ()


def answers(exchange: Exchange) -> tuple[Answered, ...]:
    """The entries of a batch-response or transaction-response, in order.

    Raises:
        ProtocolError: the body is no JSON object.
    """
    listed = exchange.json_object().get("entry")
    entries = listed if isinstance(listed, list) else []
    return tuple(_answered(each if isinstance(each, Mapping) else {}) for each in entries)


def _answered(entry: Mapping[str, Any]) -> Answered:
    response, resource = entry.get("response"), entry.get("resource")
    response = response if isinstance(response, Mapping) else {}
    words = str(response.get("status", "")).split()
    status = int(words[0]) if words and words[0].isdecimal() else None
    location = response.get("location")
    place = _place(location if isinstance(location, str) else None, resource)
    return Answered(status, place, issues(response.get("outcome")))


def _place(location: str | None, resource: object) -> Place | None:
    parts = [each for each in urlsplit(location or "").path.split("/") if each]
    if "_history" in parts:
        parts = parts[: parts.index("_history") + 2]
        kind = parts[-4] if len(parts) > 3 else ""  # noqa: PLR2004 - type, id, word, version
    else:
        kind = parts[-2] if len(parts) > 1 else ""
    found = place_in(location, kind) if kind else None
    if found is None and isinstance(resource, Mapping) and isinstance(resource.get("id"), str):
        return Place(str(resource.get("resourceType")), resource["id"], version_in(resource))
    return found
