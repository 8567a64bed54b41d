"""The Bundle that answers a search (FHIR R4, http://hl7.org/fhir/R4/bundle.html#searchset)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import orjson

from harness.reference.fhir.asked import Query
from harness.reference.fhir.outcome import Issue, operation_outcome
from harness.reference.fhir.stored import Stored
from harness.reference.fhir.summary import part

Json = dict[str, Any]


@dataclass
class Searchset:
    """A searchset under construction; faults alter it before it is sent.

    Args:
        self_link: absolute URL of what was really searched.
        next_link: absolute URL of the next page; None on the last one.
        total: how many matched on all pages; None if it is not told.
        entries: matches, then includes, then the outcome.
    """

    self_link: str | None
    next_link: str | None = None
    total: int | None = None
    entries: list[Json] = field(default_factory=list)
    type: str = "searchset"

    def as_json(self) -> Json:
        """Returns the resource; entries carry their resources already serialised."""
        links = [("self", self.self_link), ("next", self.next_link)]
        bundle: Json = {
            "resourceType": "Bundle",
            "id": str(uuid.uuid4()),
            "type": self.type,
            "total": self.total,
            "link": [{"relation": name, "url": url} for name, url in links if url],
            "entry": self.entries,
        }
        return {name: value for name, value in bundle.items() if value not in (None, [])}


def entry(stored: Stored, base: str, mode: str, query: Query | None = None) -> Json:
    """Returns the entry of a resource.

    Args:
        stored: the resource.
        base: the FHIR base of this server.
        mode: match or include.
        query: says which part of it is wanted; None for the whole.
    """
    resource: Any = orjson.Fragment(stored.body)
    if query and (query.summary or query.elements):
        # `_elements` names those of the matches; what comes along stays whole.
        names = set(query.elements) if mode == "match" else set()
        if query.summary or names:
            resource = part(stored.resource, query.summary, names)
    return {
        "fullUrl": f"{base}/{stored.reference}",
        "resource": resource,
        "search": {"mode": mode},
    }


def outcome_entry(issues: Iterable[Issue]) -> Json:
    """Returns the entry that says what was left out of the search."""
    return {
        "fullUrl": f"urn:uuid:{uuid.uuid4()}",
        "resource": operation_outcome(tuple(issues)),
        "search": {"mode": "outcome"},
    }


def search_url(base: str, resource_type: str, pairs: Iterable[tuple[str, str]]) -> str:
    """Returns the URL of a search, with every character escaped that could be misread."""
    return f"{base}/{resource_type}?{urlencode(list(pairs), safe=':/')}"
