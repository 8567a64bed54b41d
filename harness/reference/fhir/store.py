"""The resources of one instance: shared synthetic data below, its own writes above.

Nothing of the data below is copied, so an isolated instance costs next to nothing.
Resources in the store are shared between instances: nobody may change them in place.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import chain, product
from typing import Any, Final

from harness.reference.data.instants import instant
from harness.reference.data.world import World
from harness.reference.fhir.asof import AsOf
from harness.reference.fhir.compartment import patient_of
from harness.reference.fhir.keeping import Writes
from harness.reference.fhir.recent import Recent
from harness.reference.fhir.shared import Shared
from harness.reference.fhir.shelf import Shelf
from harness.reference.fhir.sqlite import Journal
from harness.reference.fhir.stored import Stored, Versions

Json = dict[str, Any]

_TICK: Final = timedelta(milliseconds=1)
MOST_REMEMBERED: Final = 50_000
"""How many versions of its own writes, and how many on its own shelves, an instance remembers."""


def _nobody(stored: Stored) -> None:
    """Whoever is told of writes where nobody watches."""
    del stored


def _size(versions: Versions) -> int:
    return 1 + len(versions)


class Store:
    """Reads and writes of one instance. Make one with `seeded`, further ones with `overlay`.

    Args:
        shared: the data below.
        writes: what has been written so far.
        latest: no `lastUpdated` that is given out is earlier, in UTC.
    """

    def __init__(self, shared: Shared, writes: Writes, latest: datetime) -> None:
        self._shared = shared
        self._writes = writes
        self._latest = max(latest, writes.latest or latest)
        self._untouched = writes.is_empty()
        self._watcher: Callable[[Stored], None] = _nobody
        self._uncommitted: list[Stored] | None = None
        self._versions: Recent[tuple[str, str], Versions] = Recent(MOST_REMEMBERED, _size)
        self._shelves: Recent[tuple[str, str | None, bool], Shelf] = Recent(MOST_REMEMBERED, len)

    @classmethod
    def seeded(cls, seed: int, patients: int, now: datetime) -> Store:
        """Returns a store of synthetic patients that writes to memory.

        Args:
            seed: equal seeds give equal data.
            patients: how many; they are made when they are first looked at.
            now: the present of the data, aware; all of it is older.
        """
        return cls(Shared(World(seed, patients, now)), Journal(), now)

    def overlay(self, writes: Writes | None = None) -> Store:
        """Returns a store of the same data.

        Args:
            writes: what it has written before; None starts it equal to this one. It shares no
                later write with this one.
        """
        world = self._shared.world
        return Store(self._shared, writes or self._writes.copy(), latest=world.now)

    @property
    def world(self) -> World:
        """The data below."""
        return self._shared.world

    def patient_ids(self) -> list[str]:
        """Returns the ids of the synthetic patients, in their order."""
        world = self._shared.world
        return [world.person(ordinal).id for ordinal in range(1, world.patients + 1)]

    def patient_name(self, patient_id: str) -> str:
        """Returns the name of a synthetic patient; raises KeyError if there is no such."""
        ordinal = self._shared.world.ordinal(patient_id)
        if ordinal is None:
            raise KeyError(patient_id)
        return self._shared.world.person(ordinal).full_name

    def versions(self, resource_type: str, resource_id: str) -> Versions:
        """Returns all versions, oldest first; empty if there never was such a resource."""
        if self._untouched:
            return self._shared.versions(resource_type, resource_id)
        key = (resource_type, resource_id)
        known = self._versions.get(key)
        if known is None:
            below = self._shared.versions(resource_type, resource_id)
            written = self._writes.versions(resource_type, resource_id)
            known = self._versions.keep(key, (*below, *written))
        return known

    def current(self, resource_type: str, resource_id: str) -> Stored | None:
        """Returns the last version, which may be a deletion; None if there never was one."""
        versions = self.versions(resource_type, resource_id)
        return versions[-1] if versions else None

    def version(self, resource_type: str, resource_id: str, version_id: str) -> Stored:
        """Returns one version, which must exist."""
        versions = self.versions(resource_type, resource_id)
        return next(one for one in reversed(versions) if one.version_id == version_id)

    def owner(self, resource: Json) -> str | None:
        """Returns the id of the patient to whom a resource would belong; None if to nobody."""
        return patient_of(resource, self._owner)

    def shelf(
        self, resource_type: str, patient: str | None = None, *, months: bool = True
    ) -> Shelf:
        """Returns the current resources of a type; see `all`.

        Args:
            resource_type: such as `Observation`.
            patient: if given, only what belongs to this patient or to nobody.
            months: with what sensors measured for months, which takes a second to make.

        Raises:
            TooBroad: no patient is given, and there are too many to look at each.
        """
        if self._untouched:
            return self._shared.shelf(resource_type, patient, months=months)
        key = (resource_type, patient, months)
        known = self._shelves.get(key)
        if known is not None:
            return known
        below = self._shared.shelf(resource_type, patient, months=months)
        written = self._writes.current(resource_type, patient)
        over = self._writes.over(resource_type)
        left = [one for one in below.resources if one.id not in over] if over else below.resources
        if not written and len(left) == len(below):
            return self._shelves.keep(key, below)
        return self._shelves.keep(key, Shelf.of(chain(left, written)))

    def all(self, resource_type: str, patient: str | None = None) -> list[Stored]:
        """Returns the current resources of a type, by id.

        Args:
            resource_type: such as `Observation`.
            patient: if given, only what belongs to this patient or to nobody.

        Raises:
            TooBroad: no patient is given, and there are too many to look at each.
        """
        return list(self.shelf(resource_type, patient).resources)

    def changes(
        self, resource_type: str, patient: str | None, since: datetime | None
    ) -> Iterator[Stored]:
        """Yields all versions of a type, in no order.

        Args:
            resource_type: such as `Observation`.
            patient: if given, only what belongs to this patient or to nobody.
            since: if given, only what was stored then or later, in UTC.

        Raises:
            TooBroad: no patient is given, `since` lies before the present of the data, and there
                are too many to look at each.
        """
        for stored in self._writes.changes(resource_type, since):
            if patient is None or stored.patient in (patient, None):
                yield stored
        if since is None or since <= self.world.now:
            for stored in self._shared.history(resource_type, patient):
                if since is None or stored.last_updated >= since:
                    yield stored

    def as_of(self, now: datetime) -> AsOf:
        """Returns the resources as they are now, whatever is written later.

        Args:
            now: by the clock of the instance.
        """
        rounded = now.replace(microsecond=now.microsecond // 1000 * 1000)
        # Whatever is written from here on is stamped later than this.
        self._latest = max(rounded, self._latest)
        return AsOf(self._shared, self._writes, self._latest)

    def create(self, resource: Json, now: datetime, resource_id: str | None = None) -> Stored:
        """Stores a new resource; returns version 1.

        Args:
            resource: a complete resource.
            now: by the clock of the instance.
            resource_id: one that nobody has; None makes one up.
        """
        resource_id = resource_id or str(uuid.uuid4())
        return self._append(resource["resourceType"], resource_id, (), resource, now)

    def update(self, resource_id: str, resource: Json, now: datetime) -> Stored:
        """Stores the next version of a resource; returns it."""
        resource_type = resource["resourceType"]
        earlier = self.versions(resource_type, resource_id)
        return self._append(resource_type, resource_id, earlier, resource, now)

    def delete(self, resource_type: str, resource_id: str, now: datetime) -> Stored:
        """Stores a deletion as the next version; the resource must exist. Returns it."""
        earlier = self.versions(resource_type, resource_id)
        last = earlier[-1].resource
        return self._append(resource_type, resource_id, earlier, last, now, deleted=True)

    def put_as_other(self, resource: Json, now: datetime) -> Stored:
        """Stores what a clinician elsewhere wrote: an update if the id is known, else a create.

        Args:
            resource: a complete resource; without an id it gets one.
            now: by the clock of the instance.
        """
        return self.update(resource.get("id") or str(uuid.uuid4()), resource, now)

    def overwrite_last(self, replacement: Stored) -> None:
        """Puts another content in the place of the last version written; faults need it."""
        key = (replacement.resource_type, replacement.id)
        earlier = self.versions(*key)[:-1]
        self._writes.replace_last(replacement)
        self._remember(key, (*earlier, replacement))

    def watch(self, watcher: Callable[[Stored], None]) -> None:
        """Tells `watcher` of each version from now on, once it is there to stay."""
        self._watcher = watcher

    @contextmanager
    def transaction(self, *, keep: bool = True) -> Iterator[None]:
        """Writes within take effect together, or not at all where an exception ends it.

        Args:
            keep: False forgets them in any case.
        """
        kept, outer = False, self._uncommitted
        self._uncommitted = []
        try:
            with self._writes.transaction(keep=keep):
                yield
            kept = keep
        finally:
            done, self._uncommitted = self._uncommitted, outer
            for stored in done if kept else ():
                self._tell(stored)
            if not kept:
                self._versions.clear()
                self._shelves.clear()
                self._untouched = self._writes.is_empty()

    def _tell(self, stored: Stored) -> None:
        if self._uncommitted is None:
            self._watcher(stored)
        else:
            self._uncommitted.append(stored)

    def close(self) -> None:
        """Ends it; what was written to a file is there."""
        self._writes.close()

    def _append(
        self,
        resource_type: str,
        resource_id: str,
        earlier: Versions,
        resource: Json,
        now: datetime,
        *,
        deleted: bool = False,
    ) -> Stored:
        version_id = str(int(earlier[-1].version_id) + 1) if earlier else "1"
        stamp = self._stamp(now)
        meta = {
            **resource.get("meta", {}),
            "versionId": version_id,
            "lastUpdated": instant(stamp),
        }
        rest = {
            name: value
            for name, value in resource.items()
            if name not in {"resourceType", "id", "meta"}
        }
        content = {"resourceType": resource_type, "id": resource_id, "meta": meta, **rest}
        patient = self.owner(content)
        stored = Stored(resource_type, resource_id, version_id, stamp, content, patient, deleted)
        below = bool(earlier and self._shared.versions(resource_type, resource_id))
        self._writes.append(stored, new=not earlier, below=below)
        self._remember((resource_type, resource_id), (*earlier, stored))
        self._tell(stored)
        return stored

    def _remember(self, key: tuple[str, str], versions: Versions) -> None:
        self._untouched = False
        self._versions.keep(key, versions)
        written = versions[-1]
        owners = {one.patient for one in versions}
        if len(owners) > 1 or None in owners:
            self._shelves.clear()
        for patient, months in product((written.patient, None), (True, False)):
            place = (written.resource_type, patient, months)
            shelf = self._shelves.get(place)
            if shelf is not None:
                self._shelves.keep(place, shelf.after(written))

    def _owner(self, reference: str) -> str | None:
        resource_type, _, resource_id = reference.partition("/")
        target = self.current(resource_type, resource_id)
        return target.patient if target else None

    def _stamp(self, now: datetime) -> datetime:
        """Returns `now` to the millisecond, but always later than every stamp before."""
        rounded = now.replace(microsecond=now.microsecond // 1000 * 1000)
        self._latest = max(rounded, self._latest + _TICK)
        return self._latest
