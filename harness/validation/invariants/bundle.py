"""Invariants of Bundle and Parameters.

https://hl7.org/fhir/R4/bundle.html#invs and https://hl7.org/fhir/R4/parameters.html#invs
"""

from __future__ import annotations

from typing import Any

from harness.validation.invariants.nodes import each, items, text
from harness.validation.invariants.scope import Scope
from harness.validation.invariants.words import (
    Holds,
    all_different,
    all_of,
    among,
    any_of,
    empty,
    exactly_one,
    exists,
    implies,
    no,
    some,
    table,
)


def _present_exactly_in(name: str, *types: str) -> Holds:
    """Each entry has the element in Bundles of these types, and none has it in others."""

    def check(node: Any, _: Scope) -> bool:
        if node.__class__ is not dict:
            return True
        wanted = node.get("type") in types
        return all(
            (name in entry) is wanted for entry in items(node, "entry") if entry.__class__ is dict
        )

    return check


def full_urls_differ(node: Any, _: Scope) -> bool:
    """FullUrl is unique, or the entries have different meta.versionId; except in a history."""
    if node.__class__ is not dict or node.get("type") == "history":
        return True
    return all_different(
        (entry["fullUrl"], *each(entry, "resource", "meta", "versionId"))
        for entry in items(node, "entry")
        if entry.__class__ is dict and entry.get("fullUrl").__class__ is str
    )


def _starts_with(kind: str) -> Holds:
    """The first entry holds a resource of this type."""

    def check(node: Any, _: Scope) -> bool:
        for resource in each({"entry": items(node, "entry")[:1]}, "entry", "resource"):
            return resource.__class__ is dict and resource.get("resourceType") == kind
        return False

    return check


def no_version_in_full_url(node: Any, _: Scope) -> bool:
    """FullUrl cannot be a version specific reference."""
    return "/_history/" not in text(node, "fullUrl")


_document, _message = among("type", "document"), among("type", "message")
_has_system, _has_value = exists("system"), exists("value")

TRANSLATIONS = table(
    (
        "total.empty() or (type = 'searchset') or (type = 'history')",
        any_of(empty("total"), among("type", "searchset", "history")),
    ),
    (
        "entry.search.empty() or (type = 'searchset')",
        any_of(among("type", "searchset"), no(some("entry", exists("search")))),
    ),
    (
        (
            "entry.all(request.exists() = (%resource.type = 'batch' or "
            "%resource.type = 'transaction' or %resource.type = 'history'))"
        ),
        _present_exactly_in("request", "batch", "transaction", "history"),
    ),
    (
        (
            "entry.all(response.exists() = (%resource.type = 'batch-response' "
            "or %resource.type = 'transaction-response' or %resource.type = "
            "'history'))"
        ),
        _present_exactly_in("response", "batch-response", "transaction-response", "history"),
    ),
    (
        (
            "(type = 'history') or "
            "entry.where(fullUrl.exists()).select(fullUrl&resource.meta"
            ".versionId).isDistinct()"
        ),
        full_urls_differ,
    ),
    (
        ("type = 'document' implies (identifier.system.exists() and identifier.value.exists())"),
        implies(_document, some("identifier", all_of(_has_system, _has_value))),
    ),
    ("type = 'document' implies (timestamp.hasValue())", implies(_document, exists("timestamp"))),
    (
        "type = 'document' implies entry.first().resource.is(Composition)",
        implies(_document, _starts_with("Composition")),
    ),
    (
        "type = 'message' implies entry.first().resource.is(MessageHeader)",
        implies(_message, _starts_with("MessageHeader")),
    ),
    (
        "resource.exists() or request.exists() or response.exists()",
        exists("resource", "request", "response"),
    ),
    ("fullUrl.contains('/_history/').not()", no_version_in_full_url),
    (
        (
            "(part.exists() and value.empty() and resource.empty()) or "
            "(part.empty() and (value.exists() xor resource.exists()))"
        ),
        exactly_one(exists("part"), exists("value[x]"), exists("resource")),
    ),
)
