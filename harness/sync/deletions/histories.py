"""Deletions as the history of a type tells them, where an EHR shows one.

`GET [base]/[type]/_history?_since=` holds every change, deletions included
(https://hl7.org/fhir/R4/http.html#history). It is asked for where the CapabilityStatement has
`history-type`, up to some pages; what it says was deleted and the store holds is read, and only 404
or 410 counts. Its own watermark is that of the type's query without a patient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from harness.config.ehr import Strategy
from harness.errors import HarnessError, ProtocolError
from harness.fhir.capability import Capability
from harness.http.exchange import Exchange
from harness.sync.answers.answer import OK, next_link
from harness.sync.answers.stamps import earliest, http_date
from harness.sync.asking.learnt import remember_histories
from harness.sync.asking.marks import server_start
from harness.sync.asking.strategy import Plan, stamp
from harness.sync.deletions.gone import Gone, Held, mark_gone, read_absent
from harness.sync.model import Lease, Query, Watermark
from harness.sync.order import Outcome, Reader
from harness.sync.store.rows import instant
from harness.sync.store.statements import put_watermark
from harness.sync.store.store import Store

PART = "_history"
MOST_PAGES = 50
"""Of one history in one run; the whole EHR's changes are in it, not only those of our patients."""

CLOCKS = timedelta(days=1)
"""How far our clock may be ahead of the EHR's."""

BECAUSE = "its history has a deletion"


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a history told: ids that have a deletion in it, and up to when it is known."""

    ids: frozenset[str]
    until: datetime


async def offered(reader: Reader, base: str, types: Iterable[str]) -> dict[str, bool]:
    """By type, whether the CapabilityStatement has `history-type`; nothing if it cannot be read."""
    try:
        exchange = await reader.next(f"{base}/metadata")
        capability = Capability.of(exchange)
    except HarnessError:
        return {}
    return {each: "history-type" in capability.interactions(each) for each in types}


async def deleted_since(reader: Reader, base: str, type_: str, since: datetime) -> Deleted | None:
    """Deletions of a type since a time; None where the EHR shows no history, or too long a one.

    Raises:
        HarnessError: no answer.
    """
    url: str | None = f"{base}/{type_}/_history?_since={stamp(since)}&_count=100"
    ids: set[str] = set()
    until: datetime | None = None
    visited: set[str] = set()
    while url is not None and url not in visited and len(visited) < MOST_PAGES:
        visited.add(url)
        exchange = await reader.next(url, type_)
        try:
            bundle = exchange.json_object() if exchange.status == OK else {}
        except ProtocolError:
            bundle = {}
        if bundle.get("resourceType") != "Bundle":
            return None
        if until is None:
            until = _began(exchange)
        entries = [each for each in _list(bundle.get("entry")) if isinstance(each, dict)]
        ids.update(id_ for each in entries if (id_ := _deleted(each, type_)))
        url = None if _older(entries, since) else next_link(bundle, url)
    return None if url is not None or until is None else Deleted(frozenset(ids), until)


@dataclass(frozen=True, slots=True)
class Histories:
    """Looks for deletions in the histories of types.

    Attributes:
        store: holds the marks of the histories too.
        lease: of the run.
        run: its number.
        reader: asks.
        base: the FHIR base.
        now: harness clock.
    """

    store: Store
    lease: Lease
    run: int
    reader: Reader
    base: str
    now: Callable[[], datetime]

    async def sweep(
        self, plan: Plan, types: Iterable[str], known: Mapping[str, bool], outcome: Outcome
    ) -> tuple[Gone, ...]:
        """Let what histories say was deleted, and reads confirm, count as deleted.

        Args:
            plan: types that are read whole each time need no history.
            types: what is synced.
            known: by type, whether the EHR is known to show a history.
            outcome: gets notes; after a run that was stopped nothing is asked.
        """
        asked = [each for each in types if plan.way(each).strategy is not Strategy.FULL_HASH]
        if outcome.stopped is not None or not asked:
            return ()
        if unknown := [each for each in asked if each not in known]:
            found = await offered(self.reader, self.base, unknown)
            remember_histories(self.store, self.lease, found, self.now())
            known = {**known, **found}
        gone: list[Gone] = []
        for type_ in asked:
            if known.get(type_):
                gone += await self._of(type_, plan, outcome)
        return tuple(gone)

    async def _of(self, type_: str, plan: Plan, outcome: Outcome) -> tuple[Gone, ...]:
        store, query = self.store, Query("", type_, PART)
        mark = store.watermark(query)
        since = mark.mark if mark else _held_since(store, type_, self.run)
        if since is None:
            return ()
        try:
            deleted = await deleted_since(self.reader, self.base, type_, since - plan.overlap)
        except HarnessError as error:
            outcome.note(type_, f"deletions were not looked for in its history: {error.message}")
            return ()
        if deleted is None:
            remember_histories(store, self.lease, {type_: False}, self.now())
            outcome.note(type_, "has no usable history; deletions show in a full reading only")
            return ()
        read = await read_absent(self.reader, _among(store, type_, deleted.ids), BECAUSE)
        mark_gone(store, self.lease, read.gone, self.now(), self.run)
        for each in read.unclear:
            outcome.note(type_, each.reason)
        if not read.unclear:
            with store.fenced(self.lease) as db:
                put_watermark(db, Watermark(query, deleted.until, deleted.until))
        return read.gone


def _held_since(store: Store, type_: str, run: int) -> datetime | None:
    """From when on a deletion matters, where no history was read yet; None if nothing is held."""
    row = store.connection.execute(
        "SELECT min(first_seen) AS first, min(run) AS run FROM resources WHERE type = ?", (type_,)
    ).fetchone()
    if row["first"] is None:
        return None
    if row["run"] < run:
        return instant(row["first"]) - CLOCKS
    marks = [each.confirmed for each in store.watermarks() if each.query.type == type_]
    return min(marks, default=instant(row["first"]) - CLOCKS)


def _among(store: Store, type_: str, ids: frozenset[str]) -> tuple[Held, ...]:
    """Those of `ids` that the store holds as alive."""
    found = []
    for id_ in sorted(ids):
        row = store.connection.execute(
            "SELECT patient FROM resources WHERE type = ? AND id = ? AND deleted = 0", (type_, id_)
        ).fetchone()
        if row is not None:
            found.append(Held(row["patient"], type_, id_))
    return tuple(found)


def _began(exchange: Exchange) -> datetime:
    date = http_date(exchange.headers.get("Date"))
    return server_start(date, exchange.seconds, exchange.started_at)


def _deleted(entry: dict[str, Any], type_: str) -> str | None:
    """The id of what an entry says was deleted."""
    request = entry.get("request")
    if not isinstance(request, dict) or request.get("method") != "DELETE":
        return None
    for place in (request.get("url"), entry.get("fullUrl")):
        if isinstance(place, str):
            head, _, id_ = place.partition("/_history")[0].rpartition("/")
            if id_ and head.rpartition("/")[2] == type_:
                return id_
    return None


def _older(entries: list[dict[str, Any]], since: datetime) -> bool:
    """Whether every entry tells its time, and all are older: `_since` is ignored, newest first."""
    times = [_time(each) for each in entries]
    return bool(times) and all(each is not None and each < since - CLOCKS for each in times)


def _time(entry: dict[str, Any]) -> datetime | None:
    response, resource = entry.get("response"), entry.get("resource")
    if isinstance(response, dict) and response.get("lastModified"):
        return earliest(response["lastModified"])
    meta = resource.get("meta") if isinstance(resource, dict) else None
    return earliest(meta.get("lastUpdated")) if isinstance(meta, dict) else None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
