"""A search carried to its last page, and what a check may expect of it: precision and recall.

http://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from harness.errors import NotConformant, ProtocolError
from harness.fhir.bundle import Bundle, Entry
from harness.http.exchange import Exchange

Resource = Mapping[str, Any]
_RESTFUL = re.compile(r"/[A-Z][A-Za-z]+/[A-Za-z0-9.\-]{1,64}(?:/_history/[^/]+)?$")
SHOWN = 3
"""Ids that a message names; it counts the others."""


@dataclass(frozen=True, slots=True)
class Found:
    """A search carried to its last page.

    Attributes:
        parameters: as asked.
        pages: every page, in order.
        matches: the resources that match, in order, without includes and outcomes.
        ended: "complete", or why there was no further page.
    """

    parameters: tuple[tuple[str, str], ...]
    pages: tuple[Exchange, ...]
    matches: tuple[Resource, ...]
    ended: str

    def parameter(self, name: str) -> str | None:
        """The value that was asked for."""
        return dict(self.parameters).get(name)

    @property
    def where(self) -> str:
        """The request, as messages name it."""
        return self.pages[0].where

    @property
    def code(self) -> str:
        """The code that was asked for, without its system."""
        return str(self.parameter("code")).rpartition("|")[2]

    @property
    def wanted(self) -> str:
        """The id that was asked for."""
        return str(self.parameter("_id"))

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the matches, in order, duplicates included."""
        return tuple(str(each.get("id")) for each in self.matches)

    @property
    def total(self) -> int | None:
        """Bundle.total of the first page, where it is a number."""
        return bundle_of(self.pages[0]).total

    @property
    def self_link(self) -> str | None:
        """The self link of the first page."""
        return bundle_of(self.pages[0]).self_link

    @property
    def entries_without_full_url(self) -> int:
        """How many entries with a resource lack a fullUrl that names it, whatever its version.

        An OperationOutcome is none that could be read again.
        """
        entries = [each for page in self.pages for each in bundle_of(page).entries]
        lasting = [each for each in entries if each.mode != "outcome" and each.resource.get("id")]
        return sum(not _names(each) for each in lasting)

    def of_code(self, code: str) -> tuple[str, ...]:
        """Ids of the matches that carry a code."""
        return tuple(str(each.get("id")) for each in self.matches if code in codes(each))

    def of_category(self, category: str) -> tuple[str, ...]:
        """Ids of the matches in an observation category."""
        return tuple(str(e.get("id")) for e in self.matches if category in categories(e))

    def expect_precise(self) -> None:
        """Every match is what was asked for.

        Raises:
            NotConformant: one is of another patient, category or code.
        """
        for each in self.matches:
            self._expect(self._fits(each), self._asked(), f"{named(each)} is something else")

    def expect_only(self, id_: str) -> None:
        """Exactly one match, with this id."""
        self._expect(self.ids == (id_,), f"{id_} and nothing else", _listed(self.ids))

    def expect_all(self, ids: Iterable[str], *, seen_in: str) -> None:
        """Every one of these ids is among the matches."""
        missing = sorted(set(ids) - set(self.ids))
        self._expect(not missing, f"also what {seen_in} has shown", f"missing: {_listed(missing)}")

    def expect_none_of(self, ids: Iterable[str], *, because: str) -> None:
        """None of these ids is among the matches."""
        extra = sorted(set(ids) & set(self.ids))
        self._expect(not extra, f"not what is excluded: {because}", f"extra: {_listed(extra)}")

    def expect_same(self, other: Found, *, seen_in: str) -> None:
        """The same matches as another search, in any order."""
        self.expect_all(other.ids, seen_in=seen_in)
        extra = sorted(set(self.ids) - set(other.ids))
        self._expect(not extra, f"no more than {seen_in} has shown", f"extra: {_listed(extra)}")

    def expect_no_duplicates(self) -> None:
        """No match comes twice."""
        twice = [each for each, times in Counter(self.ids).items() if times > 1]
        self._expect(not twice, "each match once", f"more than once: {_listed(twice)}")

    def _expect(self, condition: object, expected: str, actual: str) -> None:
        if not condition:
            raise NotConformant(expected, actual, self.where)

    def _asked(self) -> str:
        names = ("patient", "category", "code")
        return "only " + ", ".join(f"{n}={v}" for n, v in self.parameters if n in names)

    def _fits(self, resource: Resource) -> bool:
        if resource.get("resourceType") != "Observation":
            return False
        patient, category = self.parameter("patient"), self.parameter("category")
        reference = str(object_(resource.get("subject")).get("reference", ""))
        subject = reference.partition("/_history/")[0].rpartition("/")[2]
        if patient and subject != patient.rpartition("/")[2]:
            return False
        if category and category.rpartition("|")[2] not in categories(resource):
            return False
        return not self.parameter("code") or self.code in codes(resource)


@dataclass(frozen=True, slots=True)
class Dated:
    """A search with a time, and what it has to find or must not find.

    What lies across the boundary is in neither: servers may differ there.
    """

    found: Found
    certain: tuple[str, ...]
    excluded: tuple[str, ...]


def categories(resource: Resource) -> set[str]:
    """The category codes of an Observation."""
    return {c for each in objects(resource.get("category")) for c in _codes(each)}


def codes(resource: Resource) -> set[str]:
    """The codes of an Observation, without systems."""
    return set(_codes(object_(resource.get("code"))))


def named(resource: Resource) -> str:
    """Type and id of a resource."""
    return f"{resource.get('resourceType')}/{resource.get('id')}"


def objects(value: object) -> list[Resource]:
    """The JSON objects of an array; nothing where there is none."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def object_(value: object) -> Resource:
    """A JSON object; an empty one where there is none."""
    return value if isinstance(value, dict) else {}


def _codes(concept: Resource) -> list[str]:
    return [str(each.get("code")) for each in objects(concept.get("coding"))]


def _listed(ids: Iterable[str]) -> str:
    ids = list(ids)
    shown = ", ".join(ids[:SHOWN]) or "nothing"
    return shown if len(ids) <= SHOWN else f"{shown} and {len(ids) - SHOWN} more"


def _names(entry: Entry) -> bool:
    url = entry.full_url or ""
    if url.startswith("urn:"):
        return True
    # What does not look like an interaction of REST may be any URL (Bundle.entry.fullUrl, comment).
    fits = url.endswith(f"/{named(entry.resource)}") or not _RESTFUL.search(url)
    return bool(urlsplit(url).netloc) and fits


def bundle_of(page: Exchange) -> Bundle:
    """The Bundle of a page; an empty one where it brought none."""
    try:
        return Bundle.of(page)
    except ProtocolError:
        return Bundle()
