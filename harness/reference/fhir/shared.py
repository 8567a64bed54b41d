"""The synthetic data below all instances, wrapped for the store when it is first needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from harness.reference.data.world import World
from harness.reference.fhir.stored import Stored, Versions

Json = dict[str, Any]


class Shared:
    """Reads the data of a world by type, id and patient; nobody writes it.

    Args:
        world: the data.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self._patients: dict[int, Versions] = {}
        self._records: dict[int, dict[str, dict[str, Versions]]] = {}
        self.common = _by_type(_versions(history, None) for history in world.shared)

    def patient(self, ordinal: int) -> Versions:
        """Returns the versions of one Patient."""
        if ordinal not in self._patients:
            history = self.world.patient(ordinal)
            self._patients[ordinal] = _versions(history, history[0]["id"])
        return self._patients[ordinal]

    def records(self, ordinal: int) -> dict[str, dict[str, Versions]]:
        """Returns what else belongs to one patient, by type and id."""
        if ordinal not in self._records:
            owner = self.world.person(ordinal).id
            histories = self.world.records(ordinal)
            self._records[ordinal] = _by_type(_versions(one, owner) for one in histories)
        return self._records[ordinal]

    def versions(self, resource_type: str, resource_id: str) -> Versions:
        """Returns all versions of a resource; empty if there is no such."""
        common = self.common.get(resource_type, {}).get(resource_id)
        ordinal = self.world.ordinal(resource_id)
        if common or ordinal is None:
            return common or ()
        if resource_type == "Patient":
            known = self.patient(ordinal)
            return known if known[0].id == resource_id else ()
        return self.records(ordinal).get(resource_type, {}).get(resource_id, ())

    def ids(self, resource_type: str, patient: str | None) -> Iterator[str]:
        """Yields ids, of one patient or of all; those that belong to nobody in both cases."""
        yield from self.common.get(resource_type, {})
        wanted = self.world.ordinal(patient) if patient else None
        if patient and wanted is None:
            return
        ordinals = [wanted] if wanted else range(1, self.world.patients + 1)
        for ordinal in ordinals:
            if resource_type == "Patient":
                yield self.world.person(ordinal).id
            elif resource_type not in self.common or resource_type == "Device":
                yield from self.records(ordinal).get(resource_type, {})


def _versions(history: Iterable[Json], patient: str | None) -> Versions:
    return tuple(
        Stored(
            resource_type=resource["resourceType"],
            id=resource["id"],
            version_id=resource["meta"]["versionId"],
            last_updated=datetime.fromisoformat(resource["meta"]["lastUpdated"]),
            resource=resource,
            patient=patient,
        )
        for resource in history
    )


def _by_type(histories: Iterable[Versions]) -> dict[str, dict[str, Versions]]:
    types: dict[str, dict[str, Versions]] = {}
    for versions in histories:
        types.setdefault(versions[0].resource_type, {})[versions[0].id] = versions
    return types
