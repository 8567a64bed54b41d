"""Acts of search: the forms that US Core requires of Observation, each carried to its last page.

Recall is judged by comparing searches with each other: what one search shows, another one that has
to find it too must not drop. http://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime

from harness.checks.acting import Run, act
from harness.checks.acts.access import Access, fhir_get
from harness.checks.found import Dated, Found, bundle_of, object_, objects
from harness.errors import (
    NotConfigured,
    NotSupported,
)
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


async def find(
    access: Access, type_: str, *parameters: tuple[str, str], post: bool = False
) -> Found:
    """Carry a search to its last page; a page that cannot be used ends it, and `ended` says so."""
    paging = Pages(access.client, Search(type_, parameters), post=post, max_pages=MAX_PAGES)
    pages = await paging.collect()
    found = tuple(each for page in pages for each in bundle_of(page).matches)
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
        for coding in objects(object_(each.get("code")).get("coding"))[:1]
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
        if (interval := parse(object_(each.get("meta")).get("lastUpdated"))) is not None
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
    """The id whose time lies in the middle.

    Where some have an earlier and a later one on their day, it is one of these: a server that
    forgets the time of day is found out only there.
    """
    order = sorted(times, key=lambda each: times[each].low)
    days: dict[date, list[datetime]] = {}
    for each in order:
        days.setdefault(times[each].low.date(), []).append(times[each].low)
    amid = [each for each in order if _amid(times[each].low, days[times[each].low.date()])]
    chosen = amid or order
    return chosen[len(chosen) // 2]


def _amid(moment: datetime, day: list[datetime]) -> bool:
    return day[0] < moment < day[-1]


@act
async def observation_read(run: Run, access: Access, vital_signs: Found) -> Exchange:
    """One of the vital signs, by its id."""
    return await fhir_get(run, f"Observation/{vital_signs.ids[0]}", access.bearer)


@act
async def unknown_read(run: Run, access: Access) -> Exchange:
    """An Observation that does not exist."""
    return await fhir_get(run, "Observation/does-not-exist-0000", access.bearer)
