"""Paging over a search as it was when its first page was answered.

FHIR R4, search, "paging": http://hl7.org/fhir/R4/http.html#paging. A cursor is opaque: it names a
snapshot that the server keeps for a while, and a place in it. So writes that come in between
neither repeat nor drop an entry.
"""

from __future__ import annotations

import re
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from harness.reference.fhir.query import Query
    from harness.reference.fhir.stored import Stored

LIFETIME: Final = timedelta(minutes=10)
MOST_MATCHES: Final = 500_000
"""How many matches all snapshots of an instance hold together, at about 100 bytes each."""
_CURSOR = re.compile(r"(?P<snapshot>[A-Za-z0-9_-]{22})\.(?P<offset>\d{1,7})", re.ASCII)


class CursorExpired(Exception):
    """The cursor was good once, or never was; the client starts the search again."""


Find: TypeAlias = "Callable[[str, str, str], Stored]"
"""From type, id and version id to that version."""


@dataclass(frozen=True, slots=True)
class Named:
    """Matches by name alone, found again when their page is asked for: a snapshot holds no data.

    Args:
        names: type, id and version id of each.
        find: gives them back.
    """

    names: tuple[tuple[str, str, str], ...]
    find: Find

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, part: slice) -> tuple[Stored, ...]:
        return tuple(self.find(*name) for name in self.names[part])


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One search with all that it matched.

    Args:
        query: what was searched for.
        matches: all of them, in order.
        compartment: the patient to whose data the searcher was bound; None if not bound.
        expires: until when pages are answered, in UTC.
        granular: to which granular scopes the searcher was bound; None if not bound.
    """

    query: Query
    matches: tuple[Stored, ...] | Named
    compartment: str | None
    expires: datetime
    granular: tuple[object, ...] | None = None

    def named(self, find: Find) -> Snapshot:
        """Returns the snapshot with its matches by name."""
        names = tuple(map(attrgetter("name"), self.matches[:]))
        return replace(self, matches=Named(names, find))

    @property
    def question(self) -> tuple[object, ...]:
        """What was asked: equal ones with equal matches share their pages."""
        query = self.query
        return (query.resource_type, tuple(query.used), self.compartment, self.granular)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a snapshot; `offset` counts matches before it, `size` is the most it holds."""

    snapshot: Snapshot
    offset: int
    size: int

    @property
    def matches(self) -> tuple[Stored, ...]:
        """What stands on this page."""
        return self.snapshot.matches[self.offset : self.offset + self.size]

    @property
    def next_offset(self) -> int | None:
        """Where the next page begins; None on the last one."""
        after = self.offset + self.size
        return after if after < len(self.snapshot.matches) else None


class Snapshots:
    """The snapshots of one instance; what was not asked for the longest gives way to new ones."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Snapshot] = OrderedDict()
        self._asked: dict[tuple[object, ...], str] = {}
        self._matches = 0

    def keep(self, snapshot: Snapshot, *, shared: bool = True) -> str:
        """Keeps a snapshot; returns its name, 128 random bits.

        Where the same was asked and found before, that snapshot lives on under its name, if pages
        are `shared`.
        """
        name = self._asked.get(snapshot.question, "") if shared else ""
        known = self._kept.get(name)
        if known is None or known.matches != snapshot.matches:
            name = secrets.token_urlsafe(16)
            self._matches += len(snapshot.matches)
            self._asked[snapshot.question] = name
        self._kept[name] = snapshot
        self._kept.move_to_end(name)
        while self._matches > MOST_MATCHES and len(self._kept) > 1:
            self._drop(next(iter(self._kept)))
        return name

    def find(self, cursor: str, now: datetime) -> tuple[str, Page]:
        """Returns the name of the snapshot and the page that a cursor stands for.

        Raises:
            CursorExpired: there is no such snapshot any more.
        """
        match = _CURSOR.fullmatch(cursor)
        snapshot = self._kept.get(match["snapshot"]) if match else None
        if not match or not snapshot:
            raise CursorExpired(cursor)
        if snapshot.expires <= now:
            self._drop(match["snapshot"])
            raise CursorExpired(cursor)
        self._kept.move_to_end(match["snapshot"])
        return match["snapshot"], Page(snapshot, int(match["offset"]), snapshot.query.count)

    def _drop(self, name: str) -> None:
        dropped = self._kept.pop(name)
        self._matches -= len(dropped.matches)
        if self._asked.get(dropped.question) == name:
            del self._asked[dropped.question]


def cursor(snapshot: str, offset: int) -> str:
    """Returns the cursor of the page of a snapshot that begins at `offset`."""
    return f"{snapshot}.{offset}"
