"""Acts of search by values in their further forms: no system, a day, a month, another zone.

What the search by patient and category has shown is what they are held against.
http://hl7.org/fhir/R4/search.html#token, http://hl7.org/fhir/R4/search.html#date
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from harness.checks.acting import Run, act
from harness.checks.acts.access import Access
from harness.checks.acts.search import VITAL_SIGNS, find, surely
from harness.checks.acts.search_forms import Narrowed
from harness.checks.found import Found, bundle_of, codes
from harness.errors import NotApplicable, NotConfigured
from harness.fhir.dates import Interval, parse
from harness.fhir.search import Search
from harness.http.exchange import Exchange

ELSEWHERE = timezone(timedelta(hours=9))
"""A zone in which few clinics write their times."""

MORNING = timedelta(hours=10)
"""What is earlier than this in UTC is on that day wherever the server may be (UTC-12 to UTC+14)."""

NEAR_THE_END = 6
"""How far from the last one an Observation is taken, so that few are found."""

MODIFIERS = ("not", "no-such-modifier")

Times = Mapping[str, Interval]


@act
async def by_bare_tokens(
    run: Run, access: Access, by_code: Found, vital_signs: Found
) -> dict[str, tuple[Found, Found]]:
    """Code and category without their systems, each with the search that names the system."""
    asked = {"code": ("code", by_code.code), "category": ("category", VITAL_SIGNS)}
    full = {"code": by_code, "category": vital_signs}
    whose = ("patient", access.patient)
    return {
        name: (await find(access, "Observation", whose, asked[name]), full[name]) for name in asked
    }


@act
async def by_precision(run: Run, access: Access, vital_signs: Found) -> dict[str, Narrowed]:
    """The vital signs by a day, by a month, and by a moment as another zone writes it."""
    times = {
        str(each.get("id")): interval.widened()
        for each in vital_signs.matches
        if (interval := parse(each.get("effectiveDateTime"))) is not None
    }
    if not times:
        raise NotConfigured("no vital sign of the patient has an effectiveDateTime")
    mornings = sorted({each.low.date() for each in times.values() if is_morning(each)})
    asked = {"zone": ("ge", elsewhere(times))}
    if mornings:
        asked |= {"day": ("le", f"{mornings[0]}"), "day-after": ("gt", f"{mornings[-1]}")}
    if month := rarest_month(times.values()):
        asked["month"] = ("", month)
    return {
        name: await _dated(access, vital_signs, times, comparator, text)
        for name, (comparator, text) in asked.items()
    }


async def _dated(
    access: Access, within: Found, times: Times, comparator: str, text: str
) -> Narrowed:
    boundary = parse(text)
    if boundary is None:
        raise NotApplicable(f"{text} is no date")
    certain = [i for i, time in times.items() if meets(comparator, time, boundary)]
    possible = [i for i, time in times.items() if may_meet(comparator, time, boundary)]
    asked = *within.parameters, ("date", f"{comparator}{text}")
    found = await find(access, "Observation", *asked)
    return Narrowed(found, tuple(certain), tuple(possible), tuple(times))


def is_morning(time: Interval) -> bool:
    """Whether a time is on one and the same day wherever the server may be."""
    midnight = time.low.replace(hour=0, minute=0, second=0, microsecond=0)
    return time.zoned and time.high < midnight + MORNING


def elsewhere(times: Times) -> str:
    """One of the last moments, as another zone writes it."""
    moments = sorted(each.low for each in times.values())
    chosen = moments[max(0, len(moments) - NEAR_THE_END)]
    return chosen.astimezone(ELSEWHERE).isoformat(timespec="seconds")


def rarest_month(times: Iterable[Interval]) -> str | None:
    """The month with the fewest times that are in it beyond doubt; None where none has any."""
    counted = Counter(
        f"{each.low:%Y-%m}"
        for each in times
        if _in_month(each.low - timedelta(hours=15)) == _in_month(each.high + timedelta(hours=15))
    )
    return min(counted, key=lambda each: (counted[each], each)) if counted else None


def _in_month(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m}"


def meets(comparator: str, time: Interval, boundary: Interval) -> bool:
    """Whether a time meets a comparator in whichever zone the server reads the boundary."""
    spans = _readings(boundary)
    if not comparator:
        return all(each.contains(time) for each in spans)
    return all(surely(comparator, time, each) for each in spans)


def may_meet(comparator: str, time: Interval, boundary: Interval) -> bool:
    """Whether a time may meet a comparator in some zone that the server may read it in."""
    if not comparator:
        return any(each.overlaps(time) for each in _readings(boundary))
    opposite = {"gt": "le", "ge": "lt", "le": "gt"}[comparator]
    return not all(surely(opposite, time, each) for each in _readings(boundary))


def _readings(boundary: Interval) -> tuple[Interval, ...]:
    """A boundary in the easternmost and the westernmost zone; itself where it names its zone."""
    if boundary.zoned:
        return (boundary,)
    shifts = timedelta(hours=-14), timedelta(hours=12)
    return tuple(Interval(boundary.low + each, boundary.high + each) for each in shifts)


@dataclass(frozen=True, slots=True)
class Modified:
    """A search by code with a modifier, first page.

    Attributes:
        exchange: of it.
        found: how many matches have the code.
        left_out: the server says by its self link that it did without the parameter.
    """

    exchange: Exchange
    found: int
    left_out: bool


@act
async def modified_searches(run: Run, access: Access, by_code: Found) -> dict[str, Modified]:
    """The search by code with :not, and with a modifier that there is not."""
    done = {}
    for modifier in MODIFIERS:
        code = str(by_code.parameter("code"))
        asked = ("patient", access.patient), (f"code:{modifier}", code), ("_count", "10")
        exchange = await access.client.search(Search("Observation", asked))
        bundle = bundle_of(exchange)
        having = sum(by_code.code in codes(each) for each in bundle.matches)
        left_out = bundle.self_link is not None and "code" not in bundle.self_link
        done[modifier] = Modified(exchange, having, left_out)
    return done
