"""Acts of a sync that asks for changes: by `_lastUpdated`, and by the history of a type.

http://hl7.org/fhir/R4/search.html#lastUpdated, http://hl7.org/fhir/R4/http.html#history
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from harness.checks.acting import Run, act
from harness.checks.acts.access import SEARCHES, Access
from harness.checks.acts.observing import Written, current_version, meta_of, new
from harness.checks.acts.search import find
from harness.checks.acts.updates import Updated, change, edited
from harness.checks.acts.versions import Deleted, History, declared
from harness.checks.acts.write import recently, stored
from harness.checks.found import Found, object_
from harness.errors import NotApplicable, NotSupported, PrerequisiteFailed
from harness.fhir.capability import Capability
from harness.fhir.dates import Interval, parse
from harness.fhir.paging import Ending, Pages
from harness.fhir.writes import place_in, version_in, version_of
from harness.http.exchange import Exchange

MOST_PAGES = 20
"""Of the history of a type; a busy server may have many changes newer than ours."""


@dataclass(frozen=True, slots=True)
class Change:
    """One write after the mark, and the version that it made.

    Attributes:
        id: of the Observation.
        read: as it was read afterwards.
        stamp: its `meta.lastUpdated`.
    """

    id: str
    read: Exchange
    stamp: Interval


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed after a mark, and what a search for changes since then finds.

    Attributes:
        mark: the newest `meta.lastUpdated` before.
        told: by what was done: `new`, `amended`, `withdrawn`.
        stamps: `meta.lastUpdated` of all writes, in the order in which they were done.
        search: what changed since the mark.
    """

    mark: Interval
    told: Mapping[str, Change]
    stamps: tuple[Interval, ...]
    search: Found

    def later(self, what: str) -> Change:
        """A change whose stamp lies beyond doubt after the mark.

        Raises:
            NotSupported: it could not be made, or the stamps do not tell it from the mark.
        """
        change = self.told.get(what)
        if change is None:
            raise NotSupported("an Observation could not be updated, which is judged by itself")
        if change.stamp.low < self.mark.high:
            raise NotSupported("the server's lastUpdated is too coarse to tell the writes apart")
        return change

    def finds(self, change: Change) -> bool:
        """Whether the search has the version that the change made."""
        version = version_of(change.read)
        found = [each for each in self.search.matches if each.get("id") == change.id]
        return any(version in (None, version_in(each)) for each in found)

    @property
    def backwards(self) -> int:
        """How many writes are stamped before the one that was answered before them."""
        pairs = zip(self.stamps, self.stamps[1:], strict=False)
        return sum(later.high <= earlier.low for earlier, later in pairs)


@act(after=SEARCHES)
async def changes(run: Run, writable: Access, capability: Capability, created: Exchange) -> Changes:
    """Two Observations, changed and withdrawn, and a third one: then a search for what changed."""
    if not capability.has_search_parameter("Observation", "_lastUpdated"):
        raise NotSupported("_lastUpdated is not declared for Observation")
    first = [await _stored(run, writable) for _ in range(2)]
    before = [_stamp(each.require_read()) for each in first]
    newest = max(first, key=lambda each: _stamp(each.require_read()).high)
    mark = newest.require_read()
    told = {}
    if "update" in capability.interactions("Observation"):
        for what, status, each in zip(("amended", "withdrawn"), _STATUSES, first, strict=True):
            done = await _corrected(run, writable, each, status)
            if done.accepted:
                told[what] = _change(each, done.read)
    last = await _stored(run, writable)
    told["new"] = _change(last, last.require_read())
    # Category and patient beside it, because some servers search Observations by both only.
    asked = (
        *recently(writable, last.sent).parameters[:2],
        ("_lastUpdated", f"gt{meta_of(mark)['lastUpdated']}"),
    )
    search = await find(writable, "Observation", *asked)
    stamps = (*before, *(each.stamp for each in told.values()))
    return Changes(_stamp(mark), told, stamps, search)


_STATUSES = ("amended", "entered-in-error")


async def _stored(run: Run, writable: Access) -> Written:
    done = await stored(run, writable, new(run, writable.patient, "heart-rate"))
    if not done.stored:
        raise PrerequisiteFailed("an Observation could not be written and read back")
    return done


async def _corrected(run: Run, writable: Access, each: Written, status: str) -> Updated:
    read = each.require_read()
    version = current_version(read)
    return await change(run, writable, read, edited(read, 69, status), if_match=version)


def _stamp(read: Exchange) -> Interval:
    stamp = parse(meta_of(read).get("lastUpdated"))
    if stamp is None or not stamp.zoned:
        raise PrerequisiteFailed("an Observation has no meta.lastUpdated with a zone")
    return stamp


def _change(each: Written, read: Exchange) -> Change:
    return Change(str(each.id), read, _stamp(read))


@dataclass(frozen=True, slots=True)
class TypeHistory:
    """The history of all Observations, after one was deleted.

    Attributes:
        deleted: its id.
        pages: of the history, newest changes first, as far as they can tell of it.
    """

    deleted: str
    pages: tuple[Exchange, ...]

    @property
    def exchange(self) -> Exchange:
        """The first page."""
        return self.pages[0]

    @property
    def tells(self) -> bool:
        """Whether an entry says that it was deleted; servers name the version, or do not."""
        asked = (object_(each.get("request")) for each in self._entries())
        urls = (str(each.get("url")) for each in asked if each.get("method") == "DELETE")
        places = (place_in(url, "Observation") for url in urls)
        return any(place is not None and place.id == self.deleted for place in places)

    @property
    def ends(self) -> bool:
        """Whether its creation was reached, which is older than its deletion."""
        ids = (object_(each.get("resource")).get("id") for each in self._entries())
        return self.deleted in ids

    def _entries(self) -> Iterator[Mapping[str, object]]:
        return (each for page in self.pages for each in History(page, ()).entries)


@act
async def type_history(
    run: Run, writable: Access, capability: Capability, deleted: Deleted
) -> TypeHistory:
    """The newest changes of all Observations that the token may see, after one was deleted.

    Others write at the same time, so the deletion may stand on a page that is not the first.
    """
    declared(capability, "history-type")
    if deleted.delete.status >= 300:
        raise PrerequisiteFailed("it was not deleted")
    client = writable.client
    pages = Pages(client, partial(client.history, "Observation"), max_pages=MOST_PAGES)
    told = TypeHistory(deleted.id, ())
    async for exchange in pages:
        told = TypeHistory(deleted.id, (*told.pages, exchange))
        if told.tells or told.ends:
            return told
    if told.exchange.status in (401, 403):
        raise NotSupported(f"this token may not read the history of all: {told.exchange.status}")
    if len(told.pages) > 1 and pages.ending is not Ending.COMPLETE:
        raise NotApplicable(f"the history could not be read to its end: {pages.detail}")
    return told
