"""The synthetic data below all instances, wrapped for the store when it is first needed.

What was not looked at for the longest is forgotten: it can be made again from the seed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from harness.reference.data.world import History, World
from harness.reference.fhir.json import packed
from harness.reference.fhir.recent import Recent
from harness.reference.fhir.shelf import Shelf, TooBroad
from harness.reference.fhir.stored import Stored, Versions

Json = dict[str, Any]
Records = dict[str, dict[str, Versions]]
"""What belongs to one patient except the Patient, by type and id."""

MOST_RESOURCES: Final = 120_000
"""How many resources are remembered, at two to four kilobytes each, and how many are looked at for
one answer; more than any patient has."""
MOST_PATIENTS: Final = 100
"""How many patients are looked at for one answer, at about fifty milliseconds each."""
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


@dataclass(slots=True)
class _Made:
    """What was made of one patient so far; it is forgotten together.

    Args:
        records: what belongs to the patient, except the Patient and the months of a sensor.
        sensor: what a sensor measured for months, by id of the Observation.
        shelves: by type, and whether they hold those months.
    """

    records: Records | None = None
    sensor: dict[str, Versions] | None = None
    shelves: dict[tuple[str, bool], Shelf] = field(default_factory=dict)

    def weight(self) -> int:
        """How many resources it holds; a patient without any counts too."""
        records = self.records or {}
        return 1 + sum(map(len, records.values())) + len(self.sensor or ())


class Shared:
    """Reads the data of a world by type, id and patient; nobody writes it.

    Args:
        world: the data.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self._patients: Recent[int, Versions] = Recent(MOST_RESOURCES, len)
        self._made: Recent[int, _Made] = Recent(MOST_RESOURCES, _Made.weight)
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
        made = self._of(ordinal)
        if made.records is None:
            made.records = self._read(ordinal, self.world.records(ordinal))
            self._made.keep(ordinal, made)
        return made.records

    def sensor(self, ordinal: int) -> dict[str, Versions]:
        """Returns what a sensor of one patient measured for months, by id of the Observation."""
        made = self._of(ordinal)
        if made.sensor is None:
            made.sensor = self._read(ordinal, self.world.sensor(ordinal)).get("Observation", {})
            self._made.keep(ordinal, made)
        return made.sensor

    def stream(self, ordinal: int, kinds: Collection[str]) -> Iterator[Versions]:
        """Yields what belongs to one patient; of many patients none is remembered for it.

        Args:
            ordinal: of the patient.
            kinds: the resource types that are wanted.
        """
        if "Patient" in kinds:
            yield self.patient(ordinal)
        if set(kinds) <= {"Patient", *NOBODYS}:
            return
        known, few = self._made.get(ordinal) or _Made(), self.world.patients <= MOST_PATIENTS
        owner = self.world.person(ordinal).id
        if few or known.records is not None:
            records = self.records(ordinal)
            yield from (one for kind in kinds for one in records.get(kind, {}).values())
        else:
            made = (_versions(one, owner) for one in self.world.records(ordinal))
            yield from (one for one in made if one[0].resource_type in kinds)
        if "Observation" in kinds:
            if few or known.sensor is not None:
                yield from self.sensor(ordinal).values()
            else:
                yield from (_versions(one, owner) for one in self.world.sensor(ordinal))

    def _of(self, ordinal: int) -> _Made:
        return self._made.get(ordinal) or self._made.keep(ordinal, _Made())

    def _read(self, ordinal: int, histories: Iterable[History]) -> Records:
        owner = self.world.person(ordinal).id
        return _by_type(_versions(one, owner) for one in histories)

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
        ordinal = self.world.ordinal(patient) if patient else None
        if ordinal is not None and resource_type not in {"Patient", *NOBODYS}:
            shelves = self._of(ordinal).shelves
            if (resource_type, months) not in shelves:
                made = self._shelf(resource_type, patient, months=months)
                shelves[resource_type, months] = made
            return shelves[resource_type, months]
        key = (resource_type, patient, months)
        known = self._shelves.get(key)
        return known or self._shelves.keep(key, self._shelf(resource_type, patient, months=months))

    def _shelf(self, resource_type: str, patient: str | None, *, months: bool) -> Shelf:
        histories = self._histories(resource_type, patient, months=months)
        return Shelf.of(versions[-1] for versions in histories)

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
        count = 0
        for ordinal in [wanted] if wanted else range(1, self.world.patients + 1):
            for versions in self._owned(resource_type, ordinal, months=months):
                count += 1
                if count > MOST_RESOURCES and not patient:
                    raise TooBroad
                yield versions

    def _owned(self, resource_type: str, ordinal: int, *, months: bool) -> Iterator[Versions]:
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
            raw=packed(resource),
        )
        for resource in history
    )


def _by_type(histories: Iterable[Versions]) -> Records:
    types: Records = {}
    for versions in histories:
        types.setdefault(versions[0].resource_type, {})[versions[0].id] = versions
    return types
