"""A Bundle taken apart: matches, includes and outcomes are three things.

Functions of the Bundle as parsed JSON; they read tolerantly, and never raise.
https://hl7.org/fhir/R4/bundle.html#searchset
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.errors import ProtocolError
from harness.http.exchange import Exchange, kind_of

Json = dict[str, Any]


def bundle_of(exchange: Exchange) -> Json:
    """The Bundle that an exchange brought.

    Raises:
        ProtocolError: the body is no JSON, or no Bundle.
    """
    value = exchange.json_object()
    kind = value.get("resourceType")
    if kind != "Bundle":
        came = kind if isinstance(kind, str) else f"resourceType {kind_of(kind)}"
        raise ProtocolError(f"{exchange.where}: expected a Bundle, got {came[:60]}")
    return value


def entries(bundle: Mapping[str, Any]) -> tuple[Json, ...]:
    """The entries that carry a resource, in order, as they came."""
    listed = bundle.get("entry")
    listed = listed if isinstance(listed, list) else []
    return tuple(
        each for each in listed if isinstance(each, dict) and isinstance(each.get("resource"), dict)
    )


def matches(bundle: Mapping[str, Any]) -> tuple[Json, ...]:
    """The resources that the search asked for."""
    return _of(bundle, "match")


def includes(bundle: Mapping[str, Any]) -> tuple[Json, ...]:
    """The resources that came along by `_include` or `_revinclude`."""
    return _of(bundle, "include")


def outcomes(bundle: Mapping[str, Any]) -> tuple[Json, ...]:
    """OperationOutcomes with hints on the search; no results."""
    return _of(bundle, "outcome")


def mode(entry: Mapping[str, Any]) -> str:
    """`match`, `include` or `outcome`; an entry that does not say is a match.

    An OperationOutcome is never a result of a search, whatever its entry says.
    """
    if entry["resource"].get("resourceType") == "OperationOutcome":
        return "outcome"
    search = entry.get("search")
    said = search.get("mode") if isinstance(search, dict) else None
    return said if said in ("include", "outcome") else "match"


def total(bundle: Mapping[str, Any]) -> int | None:
    """As claimed; it may be an estimate, and never says when paging ends."""
    value = bundle.get("total")
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def next_link(bundle: Mapping[str, Any]) -> str | None:
    """The URL of the next page as it came, possibly relative."""
    return link(bundle, "next")


def self_link(bundle: Mapping[str, Any]) -> str | None:
    """The search as the server understood it."""
    return link(bundle, "self")


def link(bundle: Mapping[str, Any], relation: str) -> str | None:
    """The first link of a relation."""
    listed = bundle.get("link")
    for each in listed if isinstance(listed, list) else []:
        if isinstance(each, dict) and each.get("relation") == relation:
            url = each.get("url")
            if isinstance(url, str) and url:
                return url
    return None


def fingerprint(bundle: Mapping[str, Any]) -> tuple[tuple[str, str, str], ...]:
    """Type, id and version of each entry; two pages with the same are the same page."""
    return tuple(key(each["resource"]) for each in entries(bundle))


def key(resource: Mapping[str, Any]) -> tuple[str, str, str]:
    """Type, id and version: what makes two rows the same row."""
    meta = resource.get("meta")
    version = meta.get("versionId") if isinstance(meta, dict) else None
    return str(resource.get("resourceType")), str(resource.get("id")), str(version)


def _of(bundle: Mapping[str, Any], wanted: str) -> tuple[Json, ...]:
    return tuple(each["resource"] for each in entries(bundle) if mode(each) == wanted)
