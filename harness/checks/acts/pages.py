"""Acts of reading pages as a sync does: while others write, twice, and with a renewed token.

http://hl7.org/fhir/R4/http.html#paging
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.checks.acting import Run, act
from harness.checks.acts.access import SEARCHES, Access, Probe, fhir_client, matches
from harness.checks.acts.daily import Daily
from harness.checks.acts.observing import BUILDERS, measured, new
from harness.checks.acts.search import MAX_PAGES
from harness.checks.acts.versions import declared
from harness.checks.acts.write import stored
from harness.checks.found import Found, bundle_of, codes
from harness.checks.launching import Launch
from harness.errors import NotApplicable, NotSupported, PrerequisiteFailed
from harness.fhir.capability import Capability
from harness.fhir.paging import Pages
from harness.fhir.search import Search
from harness.http.exchange import Exchange


@dataclass(frozen=True, slots=True)
class Amid:
    """A search that was carried on while something on its first page went away.

    Attributes:
        before: ids that a search found before, and that nobody touched.
        pages: every page, in order.
        seen: ids on them.
    """

    before: tuple[str, ...]
    pages: tuple[Exchange, ...]
    seen: frozenset[str]

    @property
    def lost(self) -> tuple[str, ...]:
        """Ids that no page had."""
        return tuple(each for each in self.before if each not in self.seen)


@act(after=SEARCHES)
async def paged_amid_writes(
    run: Run,
    writable: Access,
    capability: Capability,
    by_code: Found,
    paged: Found,
    created: Exchange,
) -> Amid:
    """The search by code in pages; what was first on the first page is deleted meanwhile."""
    declared(capability, "delete")
    kind = next((each for each in BUILDERS if by_code.code in _codes_of(run, each)), None)
    if kind is None or len(paged.pages) < 2:
        raise NotApplicable("the server does not page, or nobody writes what the search finds")
    passing = await stored(run, writable, new(run, writable.patient, kind))
    if passing.id is None or not passing.stored:
        raise PrerequisiteFailed("an Observation could not be written and read back")
    pages: list[Exchange] = []
    async for page in Pages(
        writable.client, Search("Observation", paged.parameters), max_pages=MAX_PAGES
    ):
        if not pages:
            gone = await run.scratch.delete(writable.client, "Observation", passing.id)
            if gone.status >= 300:
                raise NotSupported(f"the server deletes no Observations: status {gone.status}")
        pages.append(page)
    seen = (str(each.get("id")) for page in pages for each in bundle_of(page).matches)
    return Amid(by_code.ids, tuple(pages), frozenset(seen))


def _codes_of(run: Run, kind: str) -> set[str]:
    return codes(BUILDERS[kind](measured(run, "any")))


@dataclass(frozen=True, slots=True)
class Repeated:
    """A page that was asked for a second time."""

    first: Exchange
    exchange: Exchange

    @property
    def same(self) -> bool:
        """Whether both times it held the same."""
        return self.exchange.status == 200 and _ids(self.first) == _ids(self.exchange)

    @property
    def outcome(self) -> str:
        """What came the second time."""
        held = len(_ids(self.exchange))
        return f"status {self.exchange.status} with {held} of {len(_ids(self.first))} matches"


def _ids(page: Exchange) -> tuple[str, ...]:
    return tuple(str(each.get("id")) for each in bundle_of(page).matches)


def second_page(paged: Found) -> Exchange:
    """The second page of a search.

    Raises:
        NotApplicable: it has one page only.
        PrerequisiteFailed: it could not be read in the first place.
    """
    if len(paged.pages) < 2:
        raise NotApplicable("the server does not page")
    if paged.pages[1].status != 200:
        raise PrerequisiteFailed(f"the second page could not be read: {paged.pages[1].status}")
    return paged.pages[1]


@act
async def page_again(run: Run, access: Access, paged: Found) -> Repeated:
    """The second page once more, as after an answer that was lost."""
    page = second_page(paged)
    return Repeated(page, await access.client.page(page.request.url))


@act
async def page_with_renewed_token(
    run: Run, access: Access, paged: Found, daily_refreshes: Daily
) -> Repeated:
    """The second page with a token that a refresh gave, as when a token ends amid the pages."""
    page = second_page(paged)
    last = daily_refreshes.refreshes[-1]
    token = last.token
    if token is None or last.original.patient != access.patient:
        raise NotApplicable("there is no refreshed token for the same patient")
    renewed = replace(access, client=fhir_client(run, token.access_token))
    return Repeated(page, await renewed.client.page(page.request.url))


@act
async def page_of_another(
    run: Run, launch: Launch, paged: Found, other_patient: str, other_launch: Launch
) -> Probe:
    """The second page, asked for by another patient who came by its URL."""
    page = second_page(paged)
    exchange = await fhir_client(run, other_launch.token.access_token).page(page.request.url)
    own = set(_ids(page))
    return Probe(exchange, sum(each in own for each in _ids(exchange)))


@act
async def page_of_nobody(run: Run, launch: Launch, paged: Found) -> Probe:
    """The second page, asked for without a token."""
    exchange = await fhir_client(run, None).page(second_page(paged).request.url)
    return Probe(exchange, matches(exchange, "Observation"))
