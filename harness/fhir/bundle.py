"""A searchset taken apart: matches, includes and outcomes are three things.

https://hl7.org/fhir/R4/bundle.html#searchset
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import ProtocolError
from harness.http.exchange import Exchange, kind_of

Resource = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry; `mode` is `match`, `include` or `outcome`."""

    resource: Resource
    mode: str
    full_url: str | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """Type, id and version: what makes two rows the same row."""
        meta = self.resource.get("meta")
        version = meta.get("versionId") if isinstance(meta, dict) else None
        return (
            str(self.resource.get("resourceType")),
            str(self.resource.get("id")),
            str(version),
        )


@dataclass(frozen=True, slots=True)
class Bundle:
    """A Bundle, read tolerantly: entries without a resource are left out.

    Attributes:
        entries: in the order sent.
        links: relation to URL, the first of each relation, as they came.
        total: as claimed; it may be an estimate, and never says when paging ends.
        type: `searchset`, as claimed.
    """

    entries: tuple[Entry, ...] = ()
    links: Mapping[str, str] | None = None
    total: int | None = None
    type: str | None = None

    @classmethod
    def of(cls, exchange: Exchange) -> Bundle:
        """The Bundle that an exchange brought.

        Raises:
            ProtocolError: the body is no JSON, or no Bundle.
        """
        value = exchange.json_object()
        kind = value.get("resourceType")
        if kind != "Bundle":
            came = kind if isinstance(kind, str) else f"resourceType {kind_of(kind)}"
            raise ProtocolError(f"{exchange.where}: expected a Bundle, got {came[:60]}")
        return cls.parse(value)

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> Bundle:
        """A Bundle from its JSON object."""
        entries = (_entry(each) for each in _objects(value.get("entry")))
        links: dict[str, str] = {}
        for link in _objects(value.get("link")):
            relation, url = link.get("relation"), link.get("url")
            if isinstance(relation, str) and isinstance(url, str) and url:
                links.setdefault(relation, url)
        total = value.get("total")
        return cls(
            tuple(each for each in entries if each is not None),
            links,
            total if isinstance(total, int) and not isinstance(total, bool) else None,
            value.get("type"),
        )

    @property
    def matches(self) -> tuple[Resource, ...]:
        """What the search asked for."""
        return self._of("match")

    @property
    def includes(self) -> tuple[Resource, ...]:
        """What came along by `_include` or `_revinclude`."""
        return self._of("include")

    @property
    def outcomes(self) -> tuple[Resource, ...]:
        """OperationOutcomes with hints on the search; no results."""
        return self._of("outcome")

    @property
    def next_link(self) -> str | None:
        """The URL of the next page as it came, possibly relative."""
        return (self.links or {}).get("next")

    @property
    def self_link(self) -> str | None:
        """The search as the server understood it."""
        return (self.links or {}).get("self")

    @property
    def fingerprint(self) -> tuple[tuple[str, str, str], ...]:
        """The keys of all entries; two pages with the same are the same page."""
        return tuple(each.key for each in self.entries)

    def _of(self, mode: str) -> tuple[Resource, ...]:
        return tuple(each.resource for each in self.entries if each.mode == mode)


def _entry(value: Mapping[str, Any]) -> Entry | None:
    resource, search = value.get("resource"), value.get("search")
    if not isinstance(resource, dict):
        return None
    mode = search.get("mode") if isinstance(search, dict) else None
    if mode not in ("match", "include", "outcome"):
        mode = "match"
    # Some servers mark their hints as matches; an OperationOutcome never is a result of a search.
    if resource.get("resourceType") == "OperationOutcome":
        mode = "outcome"
    full_url = value.get("fullUrl")
    return Entry(resource, mode, full_url if isinstance(full_url, str) else None)


def _objects(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
