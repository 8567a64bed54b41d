"""Acts of search in further forms: alternatives, status, a time with two ends, a page of a size.

What the search by patient and category has shown is what they are held against.
https://hl7.org/fhir/us/core/STU6.1/CapabilityStatement-us-core-server.html#observation
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from harness.checks.acting import Run, act
from harness.checks.acts.access import Access
from harness.checks.acts.search import find, middle_of, surely
from harness.checks.found import Found, Resource, bundle_of, object_, objects
from harness.errors import NotApplicable, NotConfigured, NotSupported
from harness.fhir.capability import Capability
from harness.fhir.dates import parse
from harness.fhir.search import Search
from harness.http.exchange import Exchange

NEIGHBOURS = 8
"""How far from the middle the two ends of a period are, in Observations."""

UNKNOWN_PARAMETER = "no-such-parameter"

FEW = 3
"""Matches on a page that is asked to be small."""


@dataclass(frozen=True, slots=True)
class Narrowed:
    """A search, what it has to find, what it may find, and what is known at all.

    What is possible and not certain is doubtful: it may be found or not.
    """

    found: Found
    certain: tuple[str, ...]
    possible: tuple[str, ...]
    known: tuple[str, ...]

    @property
    def extra(self) -> list[str]:
        """Ids of the matches that it must not find, of those that are known."""
        excluded = set(self.known) - set(self.possible)
        return [each for each in self.found.ids if each in excluded]

    @property
    def missing(self) -> list[str]:
        """Ids of what it has to find and has not."""
        return sorted(set(self.certain) - set(self.found.ids))


async def narrowed(
    access: Access,
    within: Found,
    asked: Iterable[tuple[str, str]],
    certain: Iterable[str],
    possible: Iterable[str],
) -> Narrowed:
    """Carry out a search that the server need not know.

    Raises:
        NotSupported: it is refused.
    """
    found = await find(access, "Observation", *asked)
    if found.pages[0].status != 200:
        raise NotSupported(f"the search is refused with status {found.pages[0].status}")
    return Narrowed(found, tuple(certain), tuple(possible), within.ids)


def tokens(resource: Resource) -> list[str]:
    """The codings of an Observation's code that name their system, as `system|code`, in order."""
    listed = objects(object_(resource.get("code")).get("coding"))
    return [f"{e['system']}|{e['code']}" for e in listed if e.get("system") and e.get("code")]


@act
async def by_codes(run: Run, access: Access, vital_signs: Found) -> Narrowed:
    """Two kinds of vital sign at once: the least common ones."""
    coded = {str(each.get("id")): tokens(each) for each in vital_signs.matches}
    counted = Counter(each[0] for each in coded.values() if each)
    if len(counted) < 2:
        raise NotConfigured("the patient has no two kinds of vital sign")
    two = [token for token, _ in counted.most_common()[-2:]]
    ids = [id_ for id_, carried in coded.items() if set(two) & set(carried)]
    asked = ("patient", access.patient), ("code", ",".join(two))
    return await narrowed(access, vital_signs, asked, ids, ids)


@act
async def by_status(
    run: Run, access: Access, capability: Capability, vital_signs: Found
) -> Narrowed:
    """The vital signs of the least common status."""
    if not capability.has_search_parameter("Observation", "status"):
        raise NotSupported("status is not declared for Observation")
    counted = Counter(str(each.get("status")) for each in vital_signs.matches)
    if len(counted) < 2:
        raise NotApplicable("all vital signs of the patient have one status")
    status = counted.most_common()[-1][0]
    ids = [str(e.get("id")) for e in vital_signs.matches if e.get("status") == status]
    return await narrowed(
        access, vital_signs, (*vital_signs.parameters, ("status", status)), ids, ids
    )


@act
async def by_period(run: Run, access: Access, vital_signs: Found) -> Narrowed:
    """The vital signs from one time to another, both ends included."""
    timed = {
        str(each.get("id")): (interval, each["effectiveDateTime"])
        for each in vital_signs.matches
        if (interval := parse(each.get("effectiveDateTime"))) is not None
    }
    if len(timed) < 2 * NEIGHBOURS:
        raise NotConfigured("the patient has too few vital signs with an effectiveDateTime")
    inorder = sorted(timed.values(), key=lambda each: each[0].low)
    first = timed[middle_of({id_: interval for id_, (interval, _) in timed.items()})]
    last = inorder[min(inorder.index(first) + 2 * NEIGHBOURS, len(inorder)) - 1]
    certain, possible = [], []
    for id_, (interval, _) in timed.items():
        if surely("ge", interval, first[0]) and surely("le", interval, last[0]):
            certain.append(id_)
        if not (surely("lt", interval, first[0]) or surely("gt", interval, last[0])):
            possible.append(id_)
    ends = ("date", f"ge{first[1]}"), ("date", f"le{last[1]}")
    return await narrowed(access, vital_signs, (*vital_signs.parameters, *ends), certain, possible)


@act
async def small_page(run: Run, access: Access, by_code: Found) -> Found:
    """The first page of a search by code, of few matches."""
    asked = (*by_code.parameters, ("_count", str(FEW)))
    exchange = await access.client.search(Search("Observation", asked))
    return Found(asked, (exchange,), bundle_of(exchange).matches, "first page")


@act
async def strict_search(run: Run, access: Access, by_code: Found) -> Exchange:
    """A search by code with a parameter that there is not, which is to be handled strictly."""
    query = urlencode([*by_code.parameters, (UNKNOWN_PARAMETER, "x"), ("_count", "1")], safe=":|/")
    return await run.http.get(
        f"{run.ehr.fhir_base}/Observation?{query}",
        accept="application/fhir+json",
        bearer=access.bearer,
        headers={"Prefer": "handling=strict"},
    )


@act
async def read_again(
    run: Run, access: Access, capability: Capability, observation_read: Exchange
) -> Exchange:
    """An Observation that the client has already, asked for by its ETag."""
    said = capability.choice("Observation", "conditionalRead")
    if said not in ("not-match", "full-support"):
        raise NotSupported("conditionalRead is not declared for Observation")
    tag = observation_read.headers.get("ETag")
    if tag is None:
        raise NotApplicable("a read carries no ETag")
    return await run.http.get(
        observation_read.request.url,
        accept="application/fhir+json",
        bearer=access.bearer,
        headers={"If-None-Match": tag},
    )
