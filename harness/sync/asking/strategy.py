"""What to ask next, type by type: pure, so that time is an argument.

By `_lastUpdated` (https://hl7.org/fhir/R4/search.html#lastUpdated) where the EHR honours it: lower
bounds are inclusive (`ge`) with an overlap, because rows become visible after their own stamp,
clocks of nodes differ and stamps may be cut to seconds or days. Else by clinical date, where the
type records events: a window is read again each time, and everything now and then. Else everything.
What comes twice is recognised by id, version and hash.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from harness.config.ehr import Strategy, SyncSpec
from harness.sync.asking.searching import CATEGORIES, EVENT_DATES
from harness.sync.model import Learnt, Query, Watermark

WEEK = timedelta(days=7)
"""How often everything is read where a window of dates may miss what was entered late."""

SOONER = timedelta(hours=2)
"""How much earlier than after whole days it is time to read all again: a daily run starts a little
earlier or later each day, and an hour earlier when clocks go forward."""

SORT = "_sort"
_DAY = timedelta(days=1)
_EVER = "ge1900-01-01"


@dataclass(frozen=True, slots=True)
class Way:
    """How one type is asked for.

    Attributes:
        strategy: `LAST_UPDATED`, `DATE_WINDOW` or `FULL_HASH`.
        date: search parameter of the clinical date; None where the type has none.
        dated: whether the EHR refuses a search without a date.
        parts: categories to ask one by one; one empty part asks for all at once.
        guessed: whether the categories are those of US Core, and not the EHR file's.
    """

    strategy: Strategy = Strategy.LAST_UPDATED
    date: str | None = None
    dated: bool = False
    parts: tuple[str, ...] = ("",)
    guessed: bool = False


_AS_USUAL: Final = Way()


@dataclass(frozen=True, slots=True)
class Plan:
    """What to ask, and from when on.

    Args:
        overlap: how far before the watermark a query starts again.
        ways: by type; a type that is not there is asked by `_lastUpdated`.
        page_size: `_count`; None leaves it to the server.
        window: how much further back a search by clinical date starts.
        full_every: after how long everything is read again; None as the strategy needs it.
        offset: the parameter that names the first match of a page, where pages have no next link.
        orders: by type, whether the EHR is known to sort by `_lastUpdated`, or known not to.
    """

    overlap: timedelta
    ways: Mapping[str, Way] = field(default_factory=dict)
    page_size: int | None = None
    window: timedelta = timedelta(days=30)
    full_every: timedelta | None = None
    offset: str | None = None
    orders: Mapping[str, bool] = field(default_factory=dict)

    def way(self, type_: str) -> Way:
        """How `type_` is asked for."""
        return self.ways.get(type_, _AS_USUAL)

    def queries(self, patients: Sequence[str], types: Sequence[str]) -> Iterator[Query]:
        """Every query of these patients, ordered so that each patient gets something first."""
        for type_ in types:
            for part in self.way(type_).parts:
                for patient in patients:
                    yield Query(patient, type_, part)

    def current(self, query: Query) -> Iterator[Query]:
        """What is asked in the place of `query`, which an earlier plan may have made."""
        parts = self.way(query.type).parts
        if query.part in parts:
            yield query
        elif not query.part:
            yield from (replace(query, part=part) for part in parts)

    def size(self, patients: int, types: Sequence[str]) -> int:
        """How many queries there are for so many patients."""
        return patients * sum(len(self.way(type_).parts) for type_ in types)

    def asked_from(self, query: Query, known: Watermark | None, now: datetime) -> datetime | None:
        """The lower bound to ask with; None asks for everything.

        Args:
            query: what is asked.
            known: how far it is complete; None if it never was.
            now: harness clock.
        """
        way = self.way(query.type)
        if known is None or way.strategy is Strategy.FULL_HASH or self._full_due(way, known, now):
            return None
        window = self.window if way.strategy is Strategy.DATE_WINDOW else timedelta()
        return (known.mark - self.overlap - window).replace(microsecond=0)

    def parameters(
        self, query: Query, asked_from: datetime | None, *, counted: bool = True
    ) -> tuple[tuple[str, str], ...]:
        """The search parameters of the first page, in order; `counted` with `_count`."""
        way = self.way(query.type)
        parameters = [subject(query)]
        if query.part:
            parameters.append(("category", query.part))
        if asked_from is not None and way.strategy is Strategy.LAST_UPDATED:
            parameters.append(("_lastUpdated", f"ge{stamp(asked_from)}"))
        elif asked_from is not None and way.date is not None:
            # A day more: clinical dates are the place's own, and the place may be behind UTC.
            day = (asked_from.astimezone(UTC) - _DAY).date()
            parameters.append((way.date, f"ge{day.isoformat()}"))
        elif way.dated and way.date is not None:
            parameters.append((way.date, _EVER))
        if self.ascends(query.type):
            parameters.append((SORT, "_lastUpdated"))
        if self.page_size is not None and counted:
            parameters.append(("_count", str(self.page_size)))
        return tuple(parameters)

    def ascends(self, type_: str) -> bool:
        """Whether `type_` is asked for in ascending order of `_lastUpdated`."""
        return self.by_last_updated(type_) and self.orders.get(type_, False)

    def by_last_updated(self, type_: str) -> bool:
        """Whether what is new of `type_` is asked for by `_lastUpdated`."""
        return self.way(type_).strategy is Strategy.LAST_UPDATED

    def sorting(self, type_: str, *, honoured: bool) -> Plan:
        """A plan that also knows whether the EHR sorts `type_` by `_lastUpdated`."""
        return replace(self, orders={**self.orders, type_: honoured})

    def needing(self, type_: str, parameter: str, spec: SyncSpec) -> Plan:
        """A plan that also knows that a search of `type_` needs `category` or `date`."""
        way = _with_need(self.way(type_), type_, parameter, spec)
        return replace(self, ways={**self.ways, type_: way})

    def without(self, type_: str, part: str) -> Plan:
        """A plan that asks for a category no more."""
        way = self.way(type_)
        parts = tuple(each for each in way.parts if each != part)
        return replace(self, ways={**self.ways, type_: replace(way, parts=parts)})

    def _full_due(self, way: Way, known: Watermark, now: datetime) -> bool:
        every = self.full_every or (WEEK if way.strategy is Strategy.DATE_WINDOW else None)
        return every is not None and (known.full is None or now - known.full >= every - SOONER)


def subject(query: Query) -> tuple[str, str]:
    """The search parameter that names the patient."""
    return ("_id" if query.type == "Patient" else "patient"), query.patient


def plan_for(
    strategy: Strategy | None,
    spec: SyncSpec,
    page_size: int | None,
    types: Sequence[str],
    learnt: Learnt,
) -> Plan:
    """How to find changes.

    Args:
        strategy: what the tenant, or else its EHR file, asks for; None goes by what was learnt.
        spec: the EHR file's own settings for it.
        page_size: `_count`; None leaves it to the server.
        types: what is synced.
        learnt: what the EHR was seen to do.
    """
    if strategy is Strategy.BULK_SINCE:
        strategy = Strategy.FULL_HASH  # what no export held yet is searched for, once and whole
    return Plan(
        timedelta(seconds=spec.overlap_seconds),
        {type_: _way(type_, strategy, spec, learnt) for type_ in types},
        min(filter(None, (page_size, learnt.page_size)), default=None),
        timedelta(days=spec.window_days),
        None if spec.full_every_days is None else timedelta(days=spec.full_every_days),
        spec.offset,
        learnt.orders,
    )


def _way(type_: str, strategy: Strategy | None, spec: SyncSpec, learnt: Learnt) -> Way:
    date = spec.dates.get(type_, EVENT_DATES.get(type_))
    if strategy is None:
        honoured = learnt.honours.get(type_, False)
        strategy = Strategy.LAST_UPDATED if honoured else Strategy.DATE_WINDOW
    if strategy is Strategy.DATE_WINDOW and date is None:
        strategy = Strategy.FULL_HASH
    way = Way(strategy, date)
    unknown = learnt.unknown.get(type_, frozenset())
    need = spec.needs.get(type_, learnt.needs.get(type_))
    if need is None and type_ == "Observation" and spec.categories:
        need = "category"
    way = way if need is None else _with_need(way, type_, need, spec)
    known = tuple(each for each in way.parts if each not in unknown)
    return replace(way, parts=known) if way.guessed and known else way


def _with_need(way: Way, type_: str, need: str, spec: SyncSpec) -> Way:
    if need == "date":
        return replace(way, date=way.date or "date", dated=True)
    ours = spec.categories if type_ == "Observation" else ()
    named = spec.category_codes.get(type_) or ours
    parts = named or CATEGORIES.get(type_) or ("",)
    return replace(way, parts=parts, guessed=not named)


def stamp(at: datetime) -> str:
    """A time as searches and histories take it, in UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
