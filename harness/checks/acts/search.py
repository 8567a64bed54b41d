"""Acts of search: the forms that US Core requires of Observation, each carried to its last page.

Recall is judged by comparing searches with each other: what one search shows, another one that has
to find it too must not drop. http://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from harness.checks.acting import Run, act
from harness.checks.acts.access import Access, fhir_get
from harness.errors import (
    NotConfigured,
    NotConformant,
    NotSupported,
    ProtocolError,
)
from harness.fhir.bundle import Bundle, Entry
from harness.fhir.capability import Capability
from harness.fhir.dates import Interval, parse
from harness.fhir.paging import Ending, Pages
from harness.fhir.search import Search
from harness.http.exchange import Exchange

CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
VITAL_SIGNS = "vital-signs"
FOREIGN_SYSTEM = "http://example.org/another-code-system"
MAX_PAGES = 200
PAGES_WANTED = 4
Resource = Mapping[str, Any]


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
        return _bundle(self.pages[0]).total

    @property
    def self_link(self) -> str | None:
        """The self link of the first page."""
        return _bundle(self.pages[0]).self_link

    @property
    def entries_without_full_url(self) -> int:
        """How many entries with a resource lack a fullUrl that names it."""
        entries = [each for page in self.pages for each in _bundle(page).entries]
        return sum(not _names(each) for each in entries if each.resource.get("id"))

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
        subject = str(_object(resource.get("subject")).get("reference", "")).rpartition("/")[2]
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
    return {c for each in _objects(resource.get("category")) for c in _codes(each)}


def codes(resource: Resource) -> set[str]:
    """The codes of an Observation, without systems."""
    return set(_codes(_object(resource.get("code"))))


def named(resource: Resource) -> str:
    """Type and id of a resource."""
    return f"{resource.get('resourceType')}/{resource.get('id')}"


def _objects(value: object) -> list[Resource]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _object(value: object) -> Resource:
    return value if isinstance(value, dict) else {}


def _codes(concept: Resource) -> list[str]:
    return [str(each.get("code")) for each in _objects(concept.get("coding"))]


def _listed(ids: Iterable[str]) -> str:
    ids = list(ids)
    return f"{', '.join(ids[:3]) or 'nothing'}{f' and {len(ids) - 3} more' if len(ids) > 3 else ''}"


def _names(entry: Entry) -> bool:
    url = (entry.full_url or "").partition("/_history/")[0]
    if url.startswith("urn:"):
        return True
    return bool(urlsplit(url).netloc) and url.endswith(named(entry.resource))


def _bundle(page: Exchange) -> Bundle:
    try:
        return Bundle.of(page)
    except ProtocolError:
        return Bundle()


async def find(
    access: Access, type_: str, *parameters: tuple[str, str], post: bool = False
) -> Found:
    """Carry a search to its last page; a page that cannot be used ends it, and `ended` says so."""
    paging = Pages(access.client, Search(type_, parameters), post=post, max_pages=MAX_PAGES)
    pages = await paging.collect()
    found = tuple(each for page in pages for each in _bundle(page).matches)
    done = paging.ending is Ending.COMPLETE
    ended = "complete" if done else f"{paging.ending}: {paging.detail}"
    return Found(parameters, pages, found, ended)


def usable(found: Found, what: str) -> Found:
    """The search, known to have matches.

    Raises:
        NotConfigured: the patient has none, so that nothing can be judged.
    """
    if not found.matches:
        raise NotConfigured(f"the patient has no {what}: name one that has, in `patients`")
    return found


@act
async def patient_search(run: Run, access: Access) -> Found:
    """The patient in context, by _id."""
    return await find(access, "Patient", ("_id", access.patient))


@act
async def vital_signs(run: Run, access: Access) -> Found:
    """Every vital sign of the patient."""
    asked = ("patient", access.patient), ("category", f"{CATEGORY}|{VITAL_SIGNS}")
    return usable(await find(access, "Observation", *asked), "vital signs")


def commonest(found: Found) -> str:
    """The commonest code of a search, as `system|code`."""
    tokens = Counter(
        f"{coding.get('system', '')}|{coding['code']}"
        for each in found.matches
        for coding in _objects(_object(each.get("code")).get("coding"))[:1]
        if coding.get("code")
    )
    if not tokens:
        raise NotConfigured("no vital sign of the patient carries a code")
    return tokens.most_common(1)[0][0]


@act
async def by_code(run: Run, access: Access, vital_signs: Found) -> Found:
    """The commonest kind of vital sign, by patient and code."""
    asked = ("patient", access.patient), ("code", commonest(vital_signs))
    return await find(access, "Observation", *asked)


@act
async def by_patient_reference(run: Run, access: Access, by_code: Found) -> Found:
    """The same, with the patient given as a reference."""
    asked = ("patient", f"Patient/{access.patient}"), ("code", str(by_code.parameter("code")))
    return await find(access, "Observation", *asked)


@act
async def by_post(run: Run, access: Access, vital_signs: Found) -> Found:
    """Every vital sign of the patient, by POST."""
    return await find(access, "Observation", *vital_signs.parameters, post=True)


@act
async def paged(run: Run, access: Access, by_code: Found) -> Found:
    """The same, in about four pages."""
    count = max(1, len(by_code.matches) // PAGES_WANTED)
    asked = *by_code.parameters, ("_count", str(count))
    return await find(access, "Observation", *asked)


@act
async def by_foreign_system(run: Run, access: Access, by_code: Found) -> Exchange:
    """The same code, in a code system that it does not belong to."""
    asked = ("patient", access.patient), ("code", f"{FOREIGN_SYSTEM}|{by_code.code}")
    exchange = await access.client.search(Search("Observation", asked))
    if exchange.status != 200:
        raise NotSupported(f"the search was refused with status {exchange.status}")
    return exchange


@act
async def by_date(run: Run, access: Access, vital_signs: Found) -> dict[str, Dated]:
    """The vital signs before and after the middle one, with each comparator."""
    times = {
        str(each.get("id")): interval
        for each in vital_signs.matches
        if (interval := parse(each.get("effectiveDateTime"))) is not None
    }
    if not times:
        raise NotConfigured("no vital sign of the patient has an effectiveDateTime")
    middle = middle_of(times)
    text = next(e["effectiveDateTime"] for e in vital_signs.matches if e.get("id") == middle)
    return {
        each: await _dated(access, vital_signs, ("date", each, text), times, middle)
        for each in ("gt", "ge", "lt", "le")
    }


@act
async def by_last_updated(
    run: Run, access: Access, capability: Capability, vital_signs: Found
) -> Dated:
    """The vital signs that were changed at or after the time of the middle one."""
    if not capability.has_search_parameter("Observation", "_lastUpdated"):
        raise NotSupported("_lastUpdated is not declared for Observation")
    times = {
        str(each.get("id")): interval
        for each in vital_signs.matches
        if (interval := parse(_object(each.get("meta")).get("lastUpdated"))) is not None
    }
    if not times:
        raise NotConfigured("no vital sign of the patient has meta.lastUpdated")
    middle = middle_of(times)
    text = next(e["meta"]["lastUpdated"] for e in vital_signs.matches if e.get("id") == middle)
    return await _dated(access, vital_signs, ("_lastUpdated", "ge", text), times, middle)


async def _dated(
    access: Access,
    within: Found,
    asked: tuple[str, str, str],
    times: dict[str, Interval],
    middle: str,
) -> Dated:
    name, comparator, text = asked
    found = await find(access, "Observation", *within.parameters, (name, f"{comparator}{text}"))
    boundary = times[middle]
    certain = tuple(i for i, time in times.items() if surely(comparator, time, boundary))
    opposite = {"gt": "le", "ge": "lt", "lt": "ge", "le": "gt"}[comparator]
    excluded = tuple(i for i, time in times.items() if surely(opposite, time, boundary))
    return Dated(found, certain, excluded)


def surely(comparator: str, time: Interval, boundary: Interval) -> bool:
    """Whether a time meets a comparator beyond doubt (http://hl7.org/fhir/R4/search.html#date)."""
    match comparator:
        case "gt":
            return time.low >= boundary.high
        case "lt":
            return time.high <= boundary.low
        case "ge":
            return time.low >= boundary.low
        case _:
            return time.high <= boundary.high


def middle_of(times: dict[str, Interval]) -> str:
    """The id whose time lies in the middle."""
    return sorted(times, key=lambda each: times[each].low)[len(times) // 2]


@act
async def observation_read(run: Run, access: Access, vital_signs: Found) -> Exchange:
    """One of the vital signs, by its id."""
    return await fhir_get(run, f"Observation/{vital_signs.ids[0]}", access.bearer)


@act
async def unknown_read(run: Run, access: Access) -> Exchange:
    """An Observation that does not exist."""
    return await fhir_get(run, "Observation/does-not-exist-0000", access.bearer)
