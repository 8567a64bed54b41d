"""The synthetic data below all instances, wrapped for the store when it is first needed.

What was not looked at for the longest is forgotten: it can be made again from the seed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

from harness.reference.data.world import World
from harness.reference.fhir.json import dumps
from harness.reference.fhir.recent import Recent
from harness.reference.fhir.shelf import Shelf, TooBroad
from harness.reference.fhir.stored import Stored, Versions

Json = dict[str, Any]
Records = dict[str, dict[str, Versions]]
"""What belongs to one patient except the Patient, by type and id."""

MOST_RESOURCES: Final = 30_000
"""How many resources are remembered, at two to four kilobytes each; more than any patient has."""
MOST_PATIENTS: Final = 1000
"""How many patients are looked at for one answer, at about ten milliseconds each."""
NOBODYS: Final = frozenset(
    {
        "Endpoint",
        "Location",
        "Medication",
        "Organization",
        "Practitioner",
        "PractitionerRole",
        "Questionnaire",
    }
)
"""Types of which no patient has any of their own."""


class Shared:
    """Reads the data of a world by type, id and patient; nobody writes it.

    Args:
        world: the data.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self._patients: Recent[int, Versions] = Recent(MOST_RESOURCES, len)
        self._records: Recent[int, Records] = Recent(MOST_RESOURCES, _size)
        self._sensors: Recent[int, Records] = Recent(MOST_RESOURCES, _size)
        self._shelves: Recent[tuple[str, str | None, bool], Shelf] = Recent(MOST_RESOURCES, len)
        self.common = _by_type(_versions(history, None) for history in world.shared)

    def patient(self, ordinal: int) -> Versions:
        """Returns the versions of one Patient."""
        known = self._patients.get(ordinal)
        if known is None:
            history = self.world.patient(ordinal)
            known = self._patients.keep(ordinal, _versions(history, history[0]["id"]))
        return known

    def records(self, ordinal: int) -> Records:
        """Returns what else belongs to one patient, by type and id."""
        known = self._records.get(ordinal)
        if known is None:
            owner = self.world.person(ordinal).id
            histories = self.world.records(ordinal)
            made = _by_type(_versions(one, owner) for one in histories)
            known = self._records.keep(ordinal, made)
        return known

    def sensor(self, ordinal: int) -> dict[str, Versions]:
        """Returns what a sensor of one patient measured for months, by id of the Observation."""
        known = self._sensors.get(ordinal)
        if known is None:
            owner = self.world.person(ordinal).id
            made = _by_type(_versions(one, owner) for one in self.world.sensor(ordinal))
            known = self._sensors.keep(ordinal, made)
        return known.get("Observation", {})

    def versions(self, resource_type: str, resource_id: str) -> Versions:
        """Returns all versions of a resource; empty if there is no such."""
        common = self.common.get(resource_type, {}).get(resource_id)
        ordinal = self.world.ordinal(resource_id)
        if common or ordinal is None:
            return common or ()
        if resource_type == "Patient":
            known = self.patient(ordinal)
            return known if known[0].id == resource_id else ()
        found = self.records(ordinal).get(resource_type, {}).get(resource_id, ())
        if not found and resource_type == "Observation":
            found = self.sensor(ordinal).get(resource_id, ())
        return found

    def shelf(self, resource_type: str, patient: str | None, *, months: bool = True) -> Shelf:
        """Returns the current resources of a type.

        Args:
            resource_type: such as `Observation`.
            patient: if given, only what belongs to this patient or to nobody.
            months: with what sensors measured for months.

        Raises:
            TooBroad: no patient is given, and there are too many to look at each.
        """
        key = (resource_type, patient, months)
        known = self._shelves.get(key)
        if known is None:
            histories = self._histories(resource_type, patient, months=months)
            known = self._shelves.keep(key, Shelf.of(versions[-1] for versions in histories))
        return known

    def history(self, resource_type: str, patient: str | None) -> Iterator[Stored]:
        """Yields all versions of the resources of a type; otherwise like `shelf`."""
        return (one for versions in self._histories(resource_type, patient) for one in versions)

    def _histories(
        self, resource_type: str, patient: str | None, *, months: bool = True
    ) -> Iterator[Versions]:
        yield from self.common.get(resource_type, {}).values()
        if resource_type in NOBODYS:
            return
        wanted = self.world.ordinal(patient) if patient else None
        if patient and wanted is None:
            return
        if not patient and resource_type != "Patient" and self.world.patients > MOST_PATIENTS:
            raise TooBroad
        for ordinal in [wanted] if wanted else range(1, self.world.patients + 1):
            if resource_type == "Patient":
                yield self.patient(ordinal)
            else:
                yield from self.records(ordinal).get(resource_type, {}).values()
            if resource_type == "Observation" and months:
                yield from self.sensor(ordinal).values()


def _versions(history: Iterable[Json], patient: str | None) -> Versions:
    return tuple(
        Stored(
            resource_type=resource["resourceType"],
            id=resource["id"],
            version_id=resource["meta"]["versionId"],
            last_updated=datetime.fromisoformat(resource["meta"]["lastUpdated"]),
            parsed=None,
            patient=patient,
            raw=dumps(resource),
        )
        for resource in history
    )


def _size(records: Records) -> int:
    return sum(map(len, records.values()))


def _by_type(histories: Iterable[Versions]) -> Records:
    types: Records = {}
    for versions in histories:
        types.setdefault(versions[0].resource_type, {})[versions[0].id] = versions
    return types
