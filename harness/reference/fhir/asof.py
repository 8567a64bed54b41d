"""The resources of an instance as they were at one moment, whatever is written afterwards.

Nothing is copied for it: every version that was ever written is still there, with its time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from harness.reference.fhir.keeping import Writes
from harness.reference.fhir.shared import Shared
from harness.reference.fhir.stored import Stored, Versions


class AsOf:
    """One moment of a store; `Store.as_of` makes it.

    Args:
        shared: the data below.
        writes: what was written above them, before and after the moment.
        moment: in UTC; what was stored then or before belongs to it.
    """

    def __init__(self, shared: Shared, writes: Writes, moment: datetime) -> None:
        self._shared = shared
        self._writes = writes
        self._over: dict[str, frozenset[str]] = {}
        self.moment = moment

    def earlier(self, lag: timedelta) -> AsOf:
        """Returns the same store, so much earlier."""
        return AsOf(self._shared, self._writes, self.moment - lag)

    @property
    def made_until(self) -> datetime:
        """The present of the data below, in UTC: what is later was written."""
        return self._shared.world.now

    def synthetic_ids(self) -> Iterator[str]:
        """Yields the ids of the patients of the data below, whatever became of them."""
        world = self._shared.world
        return (world.person(ordinal).id for ordinal in range(1, world.patients + 1))

    def of_nobody(self, resource_type: str) -> Iterator[Stored]:
        """Yields what no patient owns and nobody has written to."""
        over = self._overwritten(resource_type)
        for versions in self._shared.common.get(resource_type, {}).values():
            if versions[-1].id not in over:
                yield versions[-1]

    def of_patient(self, patient_id: str, kinds: Collection[str]) -> Iterator[Stored]:
        """Yields what a synthetic patient owns and nobody has written to.

        Args:
            patient_id: of any patient; of others than synthetic ones there is nothing.
            kinds: the resource types that are wanted.
        """
        ordinal = self._shared.world.ordinal(patient_id)
        if ordinal is None:
            return
        for versions in self._shared.stream(ordinal, kinds):
            if versions[-1].id not in self._overwritten(versions[-1].resource_type):
                yield versions[-1]

    def written(self, resource_type: str) -> Iterator[Stored]:
        """Yields the last version of each resource that was written, deletions too."""
        return self._writes.as_of(resource_type, self.moment)

    def versions(self, resource_type: str, resource_id: str) -> Versions:
        """Returns all versions of a resource, oldest first; empty if there is none yet."""
        below = self._shared.versions(resource_type, resource_id)
        written = self._writes.versions(resource_type, resource_id)
        return tuple(one for one in (*below, *written) if one.last_updated <= self.moment)

    def _overwritten(self, resource_type: str) -> frozenset[str]:
        if resource_type not in self._over:
            self._over[resource_type] = self._writes.over_by(resource_type, self.moment)
        return self._over[resource_type]
