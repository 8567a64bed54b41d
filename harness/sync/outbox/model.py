"""What the parts of the outbox hand to each other; frozen, without behaviour of their own.

Resources and patients are PHI: they live in the store and in memory, and reports show pseudonyms.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from harness.errors import HarnessError, UsageError

Resource = dict[str, Any]


class Op(StrEnum):
    """What a write does."""

    CREATE = "create"
    UPDATE = "update"
    RETRACT = "retract"
    """Set the status to `entered-in-error`, and nothing else."""


class State(StrEnum):
    """How an entry stands; the first three are open."""

    QUEUED = "queued"
    """The EHR surely has not processed it."""
    SENDING = "sending"
    """Written down before it goes out; after a crash it counts as uncertain."""
    UNCERTAIN = "uncertain"
    """It went out, and what became of it has to be found out before anything is sent again."""
    CONFIRMED = "confirmed"
    """Read back from the EHR."""
    DEAD = "dead"
    """It will not be tried again by itself; the error says why."""


OPEN = frozenset({State.QUEUED, State.SENDING, State.UNCERTAIN})


@dataclass(frozen=True, slots=True)
class Key:
    """The stable identifier of a write, as it stands in `identifier` of the resource."""

    system: str
    value: str

    def __str__(self) -> str:
        return f"{self.system}|{self.value}"


@dataclass(frozen=True, slots=True)
class Draft:
    """A write that is ready to be queued.

    Attributes:
        op: what it does.
        type: `resourceType`.
        patient: id of the patient; writes of one patient keep their order.
        resource: JSON, as it is to be sent.
        mark: equal for equal submissions.
        content: SHA-256 of what was submitted.
        key: the identifier by which the EHR's copy is found.
        base: JSON that an update is based on, or None.
        target: the entry that is changed, or None.
        server_id: of the resource that is changed, where it is known.
        version: `meta.versionId` that an update is based on, where there is no `base`.
    """

    op: Op
    type: str
    patient: str
    resource: str = field(repr=False)
    mark: str
    content: str
    key: Key
    base: str | None = field(default=None, repr=False)
    target: int | None = None
    server_id: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A write in the outbox.

    Attributes:
        id: of the row, as people name it.
        place: its turn.
        op: as in `Draft`; so are type, patient, resource, key, base and target.
        server_id: the EHR's id, once it is known.
        version: the EHR's version, once it is known; before an update the one it is based on.
        state: how it stands.
        status: of the last answer that the write got; None where none came.
        attempts: how often it went out.
        failures: how often in a row nothing good came of it, refusals for load left out.
        next_at: not before then; None: at once.
        error: why it is not confirmed, in the EHR's own words.
        note: what is odd about it though it is confirmed.
        submitted: when it came, UTC.
        changed: when it last changed, UTC.
    """

    id: int
    place: int
    op: Op
    type: str
    patient: str
    resource: str = field(repr=False)
    key: Key
    base: str | None = field(repr=False)
    target: int | None
    server_id: str | None
    version: str | None
    state: State
    status: int | None
    attempts: int
    failures: int
    next_at: datetime | None
    error: str | None = field(repr=False)
    note: str | None = field(repr=False)
    submitted: datetime
    changed: datetime

    @property
    def is_open(self) -> bool:
        """Whether something is still to be done about it."""
        return self.state in OPEN

    @property
    def answered_well(self) -> bool:
        """Whether the EHR said that it took the write."""
        return self.status is not None and self.status < 300  # noqa: PLR2004 - 2xx


@dataclass(frozen=True, slots=True)
class Waiting:
    """An open entry, as far as its turn depends on it."""

    place: int
    id: int
    patient: str
    next_at: datetime | None
    fresh: bool = False
    """Whether it creates, and surely was not processed yet: such go in batches."""


class KeyTaken(UsageError):
    """The key was used before, for other content."""


class WriteDied(HarnessError):
    """A write is in the dead-letter list; the message is the EHR's own."""


class Halt(Exception):
    """Nothing can be delivered for now; no entry is to blame.

    Args:
        reason: one line.
        seconds: after which it may go on; None: a person has to act first.
        error: what to raise in that case.
    """

    def __init__(
        self, reason: str, seconds: float | None = None, error: HarnessError | None = None
    ) -> None:
        self.reason = reason
        self.seconds = seconds
        self.error = error
        super().__init__(reason)
