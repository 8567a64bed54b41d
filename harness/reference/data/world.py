"""All synthetic data of one seed, made when it is first asked for.

A world with ten thousand patients costs nothing until somebody looks at one of them: ids and
names follow from seed and number alone, the records of a patient are made together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from harness.reference.data.chance import stream
from harness.reference.data.observations import Reading, corrected, observation
from harness.reference.data.people import (
    Person,
    organization,
    patient,
    person,
    practitioner_id,
    practitioners,
)
from harness.reference.data.problems import allergy, condition
from harness.reference.data.programmes import (
    CONTINUOUS,
    Routine,
    diagnoses,
    moments,
    monitored_days,
    routines,
    sensor_moments,
    wears_sensor,
)
from harness.reference.data.records import (
    CLINIC_DEVICE_ID,
    clinic_device,
    device,
    encounter,
    provenance,
)
from harness.reference.data.vocabulary import BLOOD_PRESSURE, BMI, HEIGHT, WEIGHT, Measure

Json = dict[str, Any]
History = list[Json]
"""All versions of one resource, oldest first."""

CORRECTED_EVERY = 37
ERROR_EVERY_PATIENTS = 3
PROVENANCE_EVERY = 5
VISITS = 3
OLDEST_RECORD = timedelta(days=900)
PATIENT_ID = re.compile(r"p(\d{1,6})-[0-9a-f]{6}")


@dataclass(frozen=True)
class World:
    """The data of one seed.

    Args:
        seed: equal seeds (and equal `now`) give equal data.
        patients: how many there are.
        now: the present of the data, in UTC; nothing is newer.
    """

    seed: int
    patients: int
    now: datetime
    _people: dict[int, Person] = field(default_factory=dict, compare=False, repr=False)

    def person(self, ordinal: int) -> Person:
        """Returns patient number `ordinal`, counted from 1."""
        if ordinal not in self._people:
            self._people[ordinal] = person(self.seed, ordinal)
        return self._people[ordinal]

    def ordinal(self, resource_id: str) -> int | None:
        """Returns the number of the patient to whom an id belongs; None if it is nobody's."""
        match = PATIENT_ID.match(resource_id)
        if not match or not 1 <= int(match[1]) <= self.patients:
            return None
        return int(match[1]) if self.person(int(match[1])).id == match[0] else None

    @cached_property
    def shared(self) -> list[History]:
        """The resources that belong to no patient: clinic, practitioners, the clinic's device."""
        start = self.now - OLDEST_RECORD
        people = practitioners(start)
        return [[one] for one in (organization(start), *people, clinic_device(start))]

    def patient(self, ordinal: int) -> History:
        """Returns the versions of one Patient."""
        return [patient(self.person(ordinal), self._registered(ordinal))]

    def records(self, ordinal: int) -> list[History]:
        """Returns all that belongs to one patient except the Patient itself."""
        who = self.person(ordinal)
        readings = [*self._at_home(who), *self._at_the_clinic(who)]
        histories = [self._history(who, index, one) for index, one in enumerate(readings)]
        written = [history[0] for history in histories[::PROVENANCE_EVERY]]
        return [
            *histories,
            *([provenance(one, _moment(one["issued"]))] for one in written),
            *([one] for one in self._devices(who)),
            *([one] for one in self._visits(who)),
            *([one] for one in self._problems(who)),
        ]

    def _registered(self, ordinal: int) -> datetime:
        before = timedelta(days=monitored_days(ordinal) + 500, minutes=ordinal)
        return self.now - before

    def _devices(self, who: Person) -> Iterator[Json]:
        kinds = {routine.device.key: routine.device for routine in self._routines(who)}
        start = self.now - timedelta(days=monitored_days(who.ordinal) + 1)
        for index, kind in enumerate(kinds.values()):
            yield device(who, kind, start + timedelta(minutes=index))

    def _problems(self, who: Person) -> Iterator[Json]:
        registered = self._registered(who.ordinal)
        for number, diagnosis in enumerate(diagnoses(who.ordinal), start=1):
            yield condition(who, diagnosis, registered + timedelta(hours=number))
        yield allergy(who, registered + timedelta(hours=9))

    def _routines(self, who: Person) -> tuple[Routine, ...]:
        extra = (CONTINUOUS,) if wears_sensor(who.ordinal) else ()
        return (*routines(who.ordinal), *extra)

    def _at_home(self, who: Person) -> Iterator[Reading]:
        for routine in self._routines(who):
            chance = stream(self.seed, who.ordinal, routine.measure.key)
            for number, taken in enumerate(self._when(who, routine), start=1):
                # Phones upload within a minute, or hours later when they were out of reach.
                delay = chance.uniform(2, 50) * (60 if chance.random() < 0.15 else 1)  # noqa: PLR2004 - a share
                yield Reading(
                    id=f"{who.id}-{routine.measure.key}-{number}",
                    measure=routine.measure,
                    values=routine.values(chance),
                    taken=taken,
                    stored=taken + timedelta(seconds=delay),
                    subject=who.reference,
                    by=who.reference,
                    device=f"Device/{who.id}-{routine.device.key}",
                    offset_hours=who.offset_hours,
                )

    def _when(self, who: Person, routine: Routine) -> Iterator[datetime]:
        if routine is CONTINUOUS:
            return sensor_moments(self.now)
        chance = stream(self.seed, who.ordinal, routine.measure.key, "when")
        return moments(routine, monitored_days(who.ordinal), self.now, chance)

    def _visit_starts(self, who: Person) -> list[datetime]:
        first = self.now - timedelta(days=monitored_days(who.ordinal) + 200)
        start = first.replace(hour=15, minute=0, second=0, microsecond=0)
        return [start + timedelta(days=90 * number) for number in range(VISITS)]

    def _visits(self, who: Person) -> Iterator[Json]:
        for number, start in enumerate(self._visit_starts(who), start=1):
            yield encounter(who, number, start, practitioner_id(who.ordinal + number))

    def _at_the_clinic(self, who: Person) -> Iterator[Reading]:
        for number, start in enumerate(self._visit_starts(who), start=1):
            chance = stream(self.seed, who.ordinal, "visit", number)
            height, weight = 150.0 + who.ordinal % 40, round(chance.uniform(60, 105), 1)
            measured: tuple[tuple[Measure, tuple[float, ...]], ...] = (
                (BLOOD_PRESSURE, (chance.randint(112, 150), chance.randint(70, 94))),
                (HEIGHT, (height,)),
                (WEIGHT, (weight,)),
                (BMI, (round(weight / (height / 100) ** 2, 1),)),
            )
            for minutes, (measure, values) in enumerate(measured, start=5):
                taken = start + timedelta(minutes=minutes)
                yield Reading(
                    id=f"{who.id}-clinic-{measure.key}-{number}",
                    measure=measure,
                    values=values,
                    taken=taken,
                    stored=taken + timedelta(minutes=20, milliseconds=chance.randrange(1000)),
                    subject=who.reference,
                    by=f"Practitioner/{practitioner_id(who.ordinal + number)}",
                    device=f"Device/{CLINIC_DEVICE_ID}",
                    offset_hours=who.offset_hours,
                    encounter=f"Encounter/{who.id}-visit-{number}",
                )

    def _history(self, who: Person, index: int, reading: Reading) -> History:
        first = observation(reading)
        later = timedelta(minutes=61, milliseconds=index)
        if reading.stored + later >= self.now:
            return [first]
        if index == 1 and who.ordinal % ERROR_EVERY_PATIENTS == 1:
            return [first, corrected(reading, later, "entered-in-error")]
        if index % CORRECTED_EVERY == CORRECTED_EVERY - 1:
            status = ("amended", "corrected")[index // CORRECTED_EVERY % 2]
            return [first, corrected(reading, later, status, shift=2)]
        return [first]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
