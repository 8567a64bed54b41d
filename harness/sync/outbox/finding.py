"""Looking for a write whose answer was lost, before anything is sent again.

By its identifier where the EHR searches by it and keeps it; else among what the patient has of that
code on that day, by content. Whatever the EHR returns is looked through here: some ignore a
parameter that they do not know, and return everything.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeGuard

from harness.errors import ProtocolError
from harness.fhir.dates import parse
from harness.fhir.fidelity import same
from harness.fhir.search import Search
from harness.sync.answers.answer import next_link
from harness.sync.outbox.abilities import Abilities
from harness.sync.outbox.box import Box
from harness.sync.outbox.model import Entry, Key
from harness.sync.outbox.text import loads_plain
from harness.sync.outbox.wire import OK, Wire

MOST_PAGES = 20
_DAY = timedelta(days=1)

Resource = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """What was looked for: `server_id`, and how many the EHR has of it."""

    server_id: str
    copies: int = 1


@dataclass(frozen=True, slots=True)
class Absent:
    """It is not there, as far as any search can tell."""


@dataclass(frozen=True, slots=True)
class Untold:
    """No search can tell; `words` say why."""

    words: str


class _Unusable(Exception):
    """The EHR does not answer such a search."""


async def find(wire: Wire, box: Box, abilities: Abilities, entry: Entry) -> Found | Absent | Untold:
    """Look for what an entry writes.

    Raises:
        NotTold, Halt: as `Wire.ask`.
    """
    told, words = False, "the EHR file rules out a search by identifier"
    if abilities.tries_identifiers:
        try:
            found = await _by_identifier(wire, entry)
        except _Unusable as why:
            words = str(why)
        else:
            if found:
                return found
            told = True
            if abilities.finds_identifiers(entry.type) and box.keeps_identifiers(entry.type):
                return Absent()
    try:
        return await _by_content(wire, box, entry) or Absent()
    except _Unusable as why:
        return Absent() if told else Untold(f"{words}; {why}")


def carries(resource: Resource, key: Key) -> bool:
    """Whether a resource has the identifier."""
    listed = resource.get("identifier")
    return any(
        isinstance(each, Mapping)
        and (each.get("system"), each.get("value")) == (key.system, key.value)
        for each in (listed if isinstance(listed, list) else [])
    )


async def _by_identifier(wire: Wire, entry: Entry) -> Found | None:
    search = Search(entry.type, (("patient", entry.patient), ("identifier", token_of(entry.key))))
    shown = [each async for each in _matches(wire, search, most_pages=1)]
    ids = [each["id"] for each in shown if carries(each, entry.key)]
    if shown and not ids:
        raise _Unusable("a search by identifier finds what does not have it")
    return Found(ids[0], len(ids)) if ids else None


async def _by_content(wire: Wire, box: Box, entry: Entry) -> Found | None:
    """Among the patient's of that code and day; what other entries wrote is theirs."""
    written = loads_plain(entry.resource)
    search = _around(entry, written)
    if search is None:
        raise _Unusable(f"a {entry.type} without code and date cannot be looked for by content")
    ids = [
        each["id"]
        async for each in _matches(wire, search, most_pages=MOST_PAGES)
        if _alike(written, each, entry.key) and not box.is_taken(each["id"], entry.id)
    ]
    return Found(ids[0], len(ids)) if ids else None


async def _matches(wire: Wire, search: Search, *, most_pages: int) -> AsyncIterator[Resource]:
    url: str | None = search.url(wire.way.fhir.base)
    for _ in range(most_pages):
        exchange = await wire.ask(str(url))
        try:
            bundle = exchange.json_object()
        except ProtocolError as error:
            raise _Unusable(error.message) from None
        if exchange.status != OK or bundle.get("resourceType") != "Bundle":
            raise _Unusable(f"the search is answered with status {exchange.status}")
        entries = bundle.get("entry")
        for each in entries if isinstance(entries, list) else []:
            resource = each.get("resource") if isinstance(each, Mapping) else None
            if _is_one(resource, search.type):
                yield resource
        url = next_link(bundle, exchange.request.url)
        if url is None:
            return
    if most_pages > 1:
        raise _Unusable(f"the search has more than {most_pages} pages")


def _is_one(resource: object, type_: str) -> TypeGuard[Resource]:
    if not isinstance(resource, Mapping) or resource.get("resourceType") != type_:
        return False
    return isinstance(resource.get("id"), str)


def _around(entry: Entry, written: Resource) -> Search | None:
    """What the patient has of that code, from the day before to the day after: zones differ."""
    code, date = written.get("code"), written.get("effectiveDateTime")
    period = written.get("effectivePeriod")
    if date is None and isinstance(period, Mapping):
        date = period.get("start")
    interval = parse(date) if isinstance(date, str) else None
    coding = code.get("coding") if isinstance(code, Mapping) else None
    first = coding[0] if isinstance(coding, list) and coding else None
    if entry.type != "Observation" or interval is None or not isinstance(first, Mapping):
        return None
    token = f"{_escaped(str(first.get('system', '')))}|{_escaped(str(first.get('code', '')))}"
    try:
        low, high = interval.low - _DAY, interval.high + _DAY
    except OverflowError:
        return None
    return Search(
        entry.type,
        (
            ("patient", entry.patient),
            ("code", token),
            ("date", f"ge{low:%Y-%m-%d}"),
            ("date", f"le{high:%Y-%m-%d}"),
        ),
    )


def _alike(written: Resource, read: Resource, key: Key) -> bool:
    """Whether it can be nothing else: the same identifier, or none of ours and the same content."""
    if carries(read, key):
        return True
    listed = read.get("identifier")
    ours = [
        each for each in (listed if isinstance(listed, list) else []) if isinstance(each, Mapping)
    ]
    if any(each.get("system") == key.system for each in ours):
        return False
    rest = {name: value for name, value in written.items() if name != "identifier"}
    return bool(same(rest, read))


def token_of(key: Key) -> str:
    """A key as the value of the search parameter `identifier`."""
    return f"{_escaped(key.system)}|{_escaped(key.value)}"


def _escaped(text: str) -> str:
    r"""With `,`, `|`, `$` and `\` as part of a value (FHIR R4, Search, "Escaping")."""
    for char in "\\,|$":
        text = text.replace(char, f"\\{char}")
    return text
