"""Where an instance keeps what it wrote: the narrow protocol between store and storage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from harness.reference.fhir.stored import Stored, Versions


class Writes(Protocol):
    """What an instance wrote, oldest first; `sqlite.Journal` is one."""

    @property
    def latest(self) -> datetime | None:
        """The last `lastUpdated` that was given out."""

    def is_empty(self) -> bool:
        """Whether nothing was ever written."""

    def append(self, stored: Stored, *, new: bool, below: bool) -> None:
        """Adds a version."""

    def replace_last(self, stored: Stored) -> None:
        """Puts another version in the place of the last one."""

    def versions(self, resource_type: str, resource_id: str) -> Versions:
        """All versions of a resource, oldest first."""

    def over(self, resource_type: str) -> frozenset[str]:
        """The ids of the resources of the data below that were written to."""

    def current(self, resource_type: str, patient: str | None) -> Versions:
        """The last versions of a type that are no deletions."""

    def changes(self, resource_type: str, since: datetime | None) -> Iterator[Stored]:
        """Every version of a type, the last first, from an instant on if one is given."""

    def over_by(self, resource_type: str, moment: datetime) -> frozenset[str]:
        """The ids of the resources of the data below that were written to by then."""

    def as_of(self, resource_type: str, moment: datetime) -> Iterator[Stored]:
        """The last version of each resource of a type that was written by then, by id."""

    def copy(self) -> Writes:
        """An equal one that shares no later write."""

    def transaction(self, *, keep: bool = True) -> AbstractContextManager[None]:
        """A context in which all writes take effect together, or none."""

    def close(self) -> None:
        """Ends it."""
