"""What a pull is told to do, and what it tells when it ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol, TypeAlias

from harness.config.ehr import SyncSpec
from harness.http.exchange import Exchange
from harness.sync.model import Counts, Cursor, Gap, Lease, PageDone, Query, Watermark

NEVER = datetime.min.replace(tzinfo=UTC)

Key: TypeAlias = tuple[str, str]
"""Type and id of a resource."""


class Reader(Protocol):
    """How pages are asked for, with one grant. Returns any status; raises `HarnessError`."""

    async def first(self, type_: str, parameters: Sequence[tuple[str, str]]) -> Exchange:
        """The first page of a search."""
        ...

    async def next(self, url: str, type_: str | None = None) -> Exchange:
        """A page by the link that the server gave, of a search for `type_`."""
        ...

    async def read(self, type_: str, id_: str) -> Exchange:
        """One resource."""
        ...


class Keeper(Protocol):
    """Where pages go: the store of a tenant, or what compares them with it."""

    def cursor(self, query: Query) -> Cursor | None:
        """Where `query` was left in the middle; None if it was not."""
        ...

    def watermark(self, query: Query) -> Watermark | None:
        """Up to where `query` is complete; None if it never was."""
        ...

    def commit(self, lease: Lease, run: int, page: PageDone) -> Counts:
        """Take a page over."""
        ...

    def together(self, lease: Lease) -> AbstractContextManager[None]:
        """Take all that comes inside over at once, or nothing of it."""
        ...

    def forget_cursor(self, lease: Lease, query: Query) -> None:
        """Let `query` start again."""
        ...

    def seen(self, query: Query, run: int) -> frozenset[str]:
        """Ids of the query's patient and type that `run` has seen."""
        ...

    def held(self, keys: Sequence[Key]) -> Mapping[Key, bytes]:
        """Those of these (type, id) that are there and not deleted, with the SHA-256 of each."""
        ...


@dataclass(frozen=True, slots=True)
class Order:
    """What to pull.

    Attributes:
        run: the run's row in the store.
        patients: ids, in the order to serve them.
        types: resource types, in the order to ask for them.
        batch_size: patients whose further pages are read at a time.
        concurrency: pages under way at a time; the host's limiter may allow fewer.
        max_wait: seconds that the run may wait on one refusal.
        spec: the EHR file's categories and dates, for needs that turn up on the way, and the
            references to be chased.
        base: the FHIR base, below which these lie.
    """

    run: int
    patients: tuple[str, ...]
    types: tuple[str, ...]
    batch_size: int
    concurrency: int
    max_wait: float
    spec: SyncSpec = field(default_factory=SyncSpec)
    base: str = ""


@dataclass(slots=True)
class Outcome:
    """How a pull ended.

    Attributes:
        counts: what it did to the store.
        gaps: what it could not get, and why.
        notes: what OperationOutcomes among the matches said, by (type, line), with how often.
        stopped: why it ended before its end; None if it did not.
        come_back: when to try again, if the host refused.
        seconds: spent in requests, waiting for the limiter and for retries included.
        whole: queries that were read from their first page to their last without a lower bound.
        needs: types whose search turned out to need a parameter, with that parameter.
        unknown: categories that the EHR turned out not to know, by type.
        page_size: the `_count` that it takes, where it refused a larger one.
        unhonoured: types whose lower bound it turned out to ignore.
        orders: types of which it turned out to sort by `_lastUpdated`, or not to.
        moved: patients that it turned out to have merged, with the one who took their place.
    """

    counts: Counts = field(default_factory=Counts)
    gaps: list[Gap] = field(default_factory=list)
    notes: dict[tuple[str, str], int] = field(default_factory=dict)
    stopped: str | None = None
    come_back: datetime | None = None
    seconds: float = 0.0
    whole: set[Query] = field(default_factory=set)
    needs: dict[str, str] = field(default_factory=dict)
    unknown: dict[str, frozenset[str]] = field(default_factory=dict)
    page_size: int | None = None
    unhonoured: set[str] = field(default_factory=set)
    orders: dict[str, bool] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)

    def note(self, type_: str, note: str) -> None:
        """Count a remark on a type."""
        self.notes[type_, note] = self.notes.get((type_, note), 0) + 1


def by_need(patients: Iterable[str], confirmed: Mapping[str, datetime]) -> tuple[str, ...]:
    """Patients in the order to serve them: never confirmed first, then the longest ago.

    A run that is cut short is then followed by one that starts with those it did not reach.
    """
    return tuple(sorted(patients, key=lambda patient: confirmed.get(patient, NEVER)))
