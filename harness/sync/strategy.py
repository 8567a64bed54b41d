"""What to ask next, and how far an answer reaches: pure, so that time is an argument.

FHIR R4 search, `_lastUpdated` (https://hl7.org/fhir/R4/search.html#lastUpdated). Lower bounds are
inclusive (`ge`) with an overlap, because rows become visible after their own stamp, clocks of nodes
differ and stamps may be cut to seconds; what comes twice is recognised by id, version and hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from harness.config.ehr import Strategy, SyncSpec
from harness.errors import UsageError
from harness.sync.model import Query

TRUSTED_LAG = timedelta(days=1)
"""How far a server's `lastUpdated` may lag behind its Date header: a stale replica, a slow index.

The mark follows the newest stamp seen, but no further back than this, else a patient whose record
came in one import would be fetched again for ever.
"""

SKEW = timedelta(minutes=1)
"""How far after the start of a query a stamp may lie and still be no stamp of the future."""


@dataclass(frozen=True, slots=True)
class LastUpdated:
    """Finds changes by `_lastUpdated`.

    Args:
        overlap: how far before the watermark a query starts again.
        categories: Observation categories to ask one by one, where the EHR demands one.
        page_size: `_count`; None leaves it to the server.
    """

    overlap: timedelta
    categories: tuple[str, ...] = ()
    page_size: int | None = None

    def queries(self, patients: Sequence[str], types: Sequence[str]) -> Iterator[Query]:
        """Every query of these patients, ordered so that each patient gets something first."""
        for type_ in types:
            parts = self.categories if type_ == "Observation" and self.categories else ("",)
            for part in parts:
                for patient in patients:
                    yield Query(patient, type_, part)

    def asked_from(self, mark: datetime | None) -> datetime | None:
        """The lower bound to ask with; None on a first sync asks for everything."""
        return None if mark is None else (mark - self.overlap).replace(microsecond=0)

    def parameters(self, query: Query, asked_from: datetime | None) -> tuple[tuple[str, str], ...]:
        """The search parameters of the first page, in order."""
        subject = "_id" if query.type == "Patient" else "patient"
        parameters = [(subject, query.patient)]
        if query.part:
            parameters.append(("category", query.part))
        if asked_from is not None:
            stamp = asked_from.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            parameters.append(("_lastUpdated", f"ge{stamp}"))
        if self.page_size is not None:
            parameters.append(("_count", str(self.page_size)))
        return tuple(parameters)


def strategy_for(strategy: Strategy, spec: SyncSpec, page_size: int | None) -> LastUpdated:
    """How to find changes.

    Args:
        strategy: what the tenant, or else its EHR file, asks for.
        spec: the EHR file's own settings for it.
        page_size: `_count`; None leaves it to the server.

    Raises:
        UsageError: a strategy that this version does not have.
    """
    if strategy is not Strategy.LAST_UPDATED:
        raise UsageError(
            f"sync strategy {strategy.value!r} is not available yet; expected 'last_updated'",
            hint="set strategy in the tenant file, if this EHR searches by _lastUpdated",
        )
    return LastUpdated(timedelta(seconds=spec.overlap_seconds), spec.categories, page_size)


def server_start(date: datetime | None, seconds: float, ours: datetime) -> datetime:
    """A server time that is surely not after the moment when a request reached the server.

    Our own clock can only lower it, so that a Date in the future never hides later changes.

    Args:
        date: the response's Date header; None if absent or unreadable.
        seconds: how long the exchange took.
        ours: when we sent the request, by our clock.
    """
    if date is None:
        return ours - TRUSTED_LAG
    return min(date - timedelta(seconds=seconds), ours)


def believable(stamps: Iterable[datetime | None], started: datetime) -> datetime | None:
    """The newest of these `lastUpdated` stamps that is not from the future of `started`."""
    limit = started + SKEW
    return max((each for each in stamps if each is not None and each <= limit), default=None)


def latest(one: datetime | None, other: datetime | None) -> datetime | None:
    """The later of two times; None is earlier than any."""
    return max((each for each in (one, other) if each is not None), default=None)


def advance(mark: datetime | None, started: datetime, newest: datetime | None) -> datetime:
    """The watermark after a query was read to its end.

    It is the start of the query, not its end: what changed while paging is asked for again. It does
    not pass the newest stamp seen by more than `TRUSTED_LAG` allows, and never goes back.

    Args:
        mark: the watermark so far.
        started: server time when the first page was asked.
        newest: the newest believable stamp among all pages.
    """
    reached = latest(newest, started - TRUSTED_LAG) or started
    safe = min(started, reached)
    return safe if mark is None else max(mark, safe)
