"""The resources of one instance: shared synthetic data below, its own writes above.

An overlay copies nothing of the data below it, so an isolated instance costs microseconds.
Resources in the store are shared between instances: nobody may change them in place.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from harness.reference.data.instants import instant
from harness.reference.data.world import World
from harness.reference.fhir.compartment import patient_of
from harness.reference.fhir.shared import Shared
from harness.reference.fhir.stored import Stored, Versions

Json = dict[str, Any]

_TICK = timedelta(milliseconds=1)


class Store:
    """Reads and writes of one instance. Make one with `seeded`, further ones with `overlay`.

    Args:
        shared: the data below.
        written: what has been written so far, by type and id.
        latest: the last `lastUpdated` that was given out, in UTC.
    """

    def __init__(
        self, shared: Shared, written: Mapping[tuple[str, str], Versions], latest: datetime
    ) -> None:
        self._shared = shared
        self._written = dict(written)
        self._owned: dict[str, dict[str | None, dict[str, None]]] = {}
        for versions in self._written.values():
            self._note_owner(versions[-1])
        self._latest = latest

    @classmethod
    def seeded(cls, seed: int, patients: int, now: datetime) -> Store:
        """Returns a store of synthetic patients.

        Args:
            seed: equal seeds give equal data.
            patients: how many; they are made when they are first looked at.
            now: the present of the data, aware; all of it is older.
        """
        return cls(Shared(World(seed, patients, now)), {}, now)

    def overlay(self) -> Store:
        """Returns a store that starts equal to this one and shares no later write with it."""
        return Store(self._shared, written=self._written, latest=self._latest)

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
        written = self._written.get((resource_type, resource_id))
        return written or self._shared.versions(resource_type, resource_id)

    def current(self, resource_type: str, resource_id: str) -> Stored | None:
        """Returns the last version, which may be a deletion; None if there never was one."""
        versions = self.versions(resource_type, resource_id)
        return versions[-1] if versions else None

    def all(self, resource_type: str, patient: str | None = None) -> list[Stored]:
        """Returns the current resources of a type.

        Args:
            resource_type: such as `Observation`.
            patient: if given, only what belongs to this patient or to nobody.
        """
        ids = dict.fromkeys(self._shared.ids(resource_type, patient))
        for owner, written in self._owned.get(resource_type, {}).items():
            if patient is None or owner in (patient, None):
                ids |= written
        found = (self.current(resource_type, resource_id) for resource_id in ids)
        return [
            stored
            for stored in found
            if stored and not stored.deleted and patient in (None, stored.patient or patient)
        ]

    def create(self, resource: Json, now: datetime) -> Stored:
        """Stores a new resource under an id of the server's own; returns version 1."""
        return self._append(resource["resourceType"], str(uuid.uuid4()), resource, now)

    def update(self, resource_id: str, resource: Json, now: datetime) -> Stored:
        """Stores the next version of a resource; returns it."""
        return self._append(resource["resourceType"], resource_id, resource, now)

    def delete(self, resource_type: str, resource_id: str, now: datetime) -> Stored:
        """Stores a deletion as the next version; the resource must exist. Returns it."""
        last = self.versions(resource_type, resource_id)[-1]
        return self._append(resource_type, resource_id, last.resource, now, deleted=True)

    def put_as_other(self, resource: Json, now: datetime) -> Stored:
        """Stores what a clinician elsewhere wrote: an update if the id is known, else a create.

        Args:
            resource: a complete resource; without an id it gets one.
            now: by the clock of the instance.
        """
        resource_id = resource.get("id") or str(uuid.uuid4())
        return self._append(resource["resourceType"], resource_id, resource, now)

    def overwrite_last(self, replacement: Stored) -> None:
        """Puts another content in the place of the last version; faults need it."""
        key = (replacement.resource_type, replacement.id)
        self._written[key] = (*self.versions(*key)[:-1], replacement)

    def _append(
        self,
        resource_type: str,
        resource_id: str,
        resource: Json,
        now: datetime,
        *,
        deleted: bool = False,
    ) -> Stored:
        earlier = self.versions(resource_type, resource_id)
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
        patient = patient_of(content, self._owner)
        stored = Stored(resource_type, resource_id, version_id, stamp, content, patient, deleted)
        self._written[resource_type, resource_id] = (*earlier, stored)
        self._note_owner(stored)
        return stored

    def _note_owner(self, stored: Stored) -> None:
        owners = self._owned.setdefault(stored.resource_type, {})
        owners.setdefault(stored.patient, {})[stored.id] = None

    def _owner(self, reference: str) -> str | None:
        resource_type, _, resource_id = reference.partition("/")
        target = self.current(resource_type, resource_id)
        return target.patient if target else None

    def _stamp(self, now: datetime) -> datetime:
        """Returns `now` to the millisecond, but always later than every stamp before."""
        rounded = now.replace(microsecond=now.microsecond // 1000 * 1000)
        self._latest = max(rounded, self._latest + _TICK)
        return self._latest
