"""What the parts of a sync hand to each other; frozen, without behaviour of their own.

Every datetime is aware and in UTC. Patients and resources are named by the EHR's own ids, which are
PHI: they live in the store and in memory, and reports show pseudonyms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

import msgspec


@dataclass(frozen=True, slots=True, order=True)
class Query:
    """One search that is followed to its last page: the unit that has a watermark.

    Attributes:
        patient: the patient's id at the EHR.
        type: the FHIR resource type.
        part: the Observation category, where the EHR demands one; else empty.
    """

    patient: str
    type: str
    part: str = ""


class Received(msgspec.Struct, frozen=True, gc=False):
    """A resource as it came in a page; of msgspec's kind, because there are so many.

    Attributes:
        type: `resourceType`.
        id: the logical id; may be longer than FHIR's 64 characters, some EHRs send such.
        version: `meta.versionId`; None at EHRs that do not keep versions.
        last_updated: `meta.lastUpdated` as the earliest instant that it can mean; None if absent.
        raw: the resource's bytes, exactly as the server sent them.
    """

    type: str
    id: str
    version: str | None
    last_updated: datetime | None
    raw: bytes

    def __repr__(self) -> str:
        return f"<{self.type}, {len(self.raw)} bytes>"


@dataclass(frozen=True, slots=True)
class Counts:
    """What pages did to the store. `older` are versions that the store had outgrown."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    older: int = 0
    deleted: int = 0
    pages: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.new + other.new,
            self.changed + other.changed,
            self.unchanged + other.unchanged,
            self.older + other.older,
            self.deleted + other.deleted,
            self.pages + other.pages,
        )

    def as_json(self) -> dict[str, int]:
        """By name; of a page a patient, so without the detours of `asdict`."""
        return {name: getattr(self, name) for name in self.__slots__}

    @property
    def received(self) -> int:
        """Resources that came over the wire, repetitions included."""
        return self.new + self.changed + self.unchanged + self.older


@dataclass(frozen=True, slots=True)
class Cursor:
    """The open paging state of a query: enough to go on after a kill.

    Attributes:
        url: the next page, opaque.
        asked_from: the lower bound that the first page asked with; None for everything.
        started: server time when the first page was asked.
        newest: the newest believable `lastUpdated` in the pages so far.
        pages: pages committed so far.
        run: the run that opened it.
        reached: up to which `lastUpdated` its pages held everything; None where that is not known.
    """

    url: str
    asked_from: datetime | None
    started: datetime
    newest: datetime | None
    pages: int
    run: int
    reached: datetime | None = None


@dataclass(frozen=True, slots=True)
class Watermark:
    """Up to which server time a query is known to be complete, and when that was last confirmed.

    `full` is when it was last read whole, without a lower bound; None where that is not known.
    """

    query: Query
    mark: datetime
    confirmed: datetime
    full: datetime | None = None


@dataclass(frozen=True, slots=True)
class PageDone:
    """A page to commit: what came, and how the query goes on.

    Attributes:
        query: the query it belongs to.
        received: its resources.
        now: when it came, by the harness clock.
        cursor: the next page; None where this was the last.
        watermark: set with the last page.
        chased: what was read because a resource of the page refers to it.
        fresh: whether the query never ended before, so that the store is likely to have none of it.
    """

    query: Query
    received: tuple[Received, ...]
    now: datetime
    cursor: Cursor | None = None
    watermark: Watermark | None = None
    chased: tuple[Received, ...] = ()
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Learnt:
    """What an EHR was seen to do, by type.

    Attributes:
        honours: whether `_lastUpdated` narrows a search; a type that is not here is unproven.
        needs: `category` or `date`, without which a search was refused.
        unknown: categories that it does not know.
        histories: whether it shows what changed since a time, deletions included.
        page_size: the largest `_count` that it takes; None if it refused none.
        orders: whether it sorts by `_lastUpdated`; a type that is not here is unproven.
        exports: whether a bulk export serves; None where none was tried.
    """

    honours: Mapping[str, bool] = field(default_factory=dict)
    needs: Mapping[str, str] = field(default_factory=dict)
    unknown: Mapping[str, frozenset[str]] = field(default_factory=dict)
    histories: Mapping[str, bool] = field(default_factory=dict)
    page_size: int | None = None
    orders: Mapping[str, bool] = field(default_factory=dict)
    exports: bool | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write for one (tenant, job); `fence` grows with every holder."""

    tenant: str
    job: str
    owner: str
    fence: int
    until: datetime


class RunStatus(StrEnum):
    """How a run stands; `cut off` is a run that ended without a word, such as by a kill."""

    RUNNING = "running"
    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    CUT_OFF = "cut off"


@dataclass(frozen=True, slots=True)
class Gap:
    """What a run could not get, and why; `part` of the query narrows it."""

    query: Query
    reason: str


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a run cost at the wire.

    Attributes:
        requests: requests sent, retries included.
        refusals: answers that refused for load (429, or 503 as a throttle).
        waited: seconds spent waiting for the limiter or after a refusal, summed over workers.
        permitted: requests per second that the limiter lets pass at the end; None if unbounded.
    """

    requests: int = 0
    refusals: int = 0
    waited: float = 0.0
    permitted: float | None = None


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run as the store remembers it; `validation` is `Validated` of `validated.py`, as JSON."""

    id: int
    name: str
    started: datetime
    ended: datetime | None
    status: RunStatus
    traffic: Traffic
    reason: str | None
    come_back: datetime | None
    validation: str | None = None
