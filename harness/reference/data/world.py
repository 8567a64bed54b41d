"""All synthetic data of one seed, made when it is first asked for.

A world with ten thousand patients costs nothing until somebody looks at one of them: ids and
names follow from seed and number alone, the records of a patient are made together, and what a
sensor measured for months apart from them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from itertools import chain
from typing import Final

from harness.reference.data.building import Json
from harness.reference.data.care import care
from harness.reference.data.chart import Chart
from harness.reference.data.childhood import at_the_bedside, childhood
from harness.reference.data.documents import documents, reports
from harness.reference.data.groups import groups
from harness.reference.data.laboratory import laboratory
from harness.reference.data.medications import (
    immunizations,
    medication_dispenses,
    medication_requests,
)
from harness.reference.data.observations import Reading, corrected, observation
from harness.reference.data.orders import implants, procedures, service_requests
from harness.reference.data.people import (
    Person,
    organization,
    patient,
    person,
    practitioner_id,
    practitioners,
)
from harness.reference.data.places import places
from harness.reference.data.problems import allergies, conditions
from harness.reference.data.programmes import (
    CONTINUOUS,
    diagnoses,
    died,
    monitored_days,
    routines,
    wears_sensor,
)
from harness.reference.data.readings import at_home, at_the_clinic, by_sensor
from harness.reference.data.records import clinic_device, device, encounter, provenance
from harness.reference.data.social import screening, social_history

History = list[Json]
"""All versions of one resource, oldest first."""

CHAPTERS: Final[tuple[Callable[[Chart], Iterator[Json]], ...]] = (
    conditions,
    allergies,
    medication_requests,
    medication_dispenses,
    immunizations,
    service_requests,
    laboratory,
    procedures,
    implants,
    reports,
    documents,
    social_history,
    screening,
    at_the_bedside,
    childhood,
    care,
)
"""What a record has beside visits and measurements; a further one adds a kind of resource."""
WITHOUT_PROVENANCE: Final = frozenset({"Binary", "Media", "Observation"})
CORRECTED_EVERY: Final = 37
ERROR_EVERY_PATIENTS: Final = 3
PROVENANCE_EVERY: Final = 5
VISITS: Final = 3
OLDEST_RECORD: Final = timedelta(days=900)
PATIENT_ID: Final = re.compile(r"p(\d{1,6})-[0-9a-f]{6}")


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
        """The resources that belong to no patient: the clinic, who works there, what it uses."""
        start = self.now - OLDEST_RECORD
        own = (organization(start), *practitioners(start), clinic_device(start))
        ids = [self.person(ordinal).id for ordinal in range(1, self.patients + 1)]
        return [[one] for one in (*own, *places(start), *groups(ids, start))]

    def patient(self, ordinal: int) -> History:
        """Returns the versions of one Patient."""
        chart = self._chart(ordinal)
        ended = died(ordinal, self.now)
        return [patient(chart.who, chart.registered, ended, full=chart.full)]

    def records(self, ordinal: int) -> list[History]:
        """Returns all that belongs to one patient except the Patient and the months of a sensor."""
        chart = self._chart(ordinal)
        sensor = by_sensor(chart, self.now) if ordinal == 1 else ()
        readings = [*at_home(chart, self.now), *sensor, *at_the_clinic(chart)]
        histories = [self._history(ordinal, index, one) for index, one in enumerate(readings)]
        written = chain.from_iterable(chapter(chart) for chapter in CHAPTERS)
        visits = (encounter(chart, number) for number in range(1, VISITS + 1))
        others = [*self._devices(chart), *visits, *written]
        return [
            *histories,
            *([one] for one in others),
            *([one] for one in self._provenance(chart, histories, others)),
        ]

    def sensor(self, ordinal: int) -> Iterator[History]:
        """Yields the Observations that a sensor made for months; few patients have any."""
        if ordinal == 1 or not wears_sensor(ordinal):
            return
        for index, one in enumerate(by_sensor(self._chart(ordinal), self.now)):
            yield self._history(ordinal, index, one)

    def _chart(self, ordinal: int) -> Chart:
        days = monitored_days(ordinal)
        first = (self.now - timedelta(days=days + 200)).replace(
            hour=15, minute=0, second=0, microsecond=0
        )
        return Chart(
            seed=self.seed,
            who=self.person(ordinal),
            registered=self.now - timedelta(days=days + 500, minutes=ordinal),
            visits=tuple(first + timedelta(days=90 * number) for number in range(VISITS)),
            diagnoses=diagnoses(ordinal),
        )

    def _devices(self, chart: Chart) -> Iterator[Json]:
        worn = (CONTINUOUS,) if wears_sensor(chart.who.ordinal) else ()
        kinds = {one.device.key: one.device for one in (*routines(chart.who.ordinal), *worn)}
        start = self.now - timedelta(days=monitored_days(chart.who.ordinal) + 1)
        for index, kind in enumerate(kinds.values()):
            yield device(chart.who, kind, start + timedelta(minutes=index))

    def _provenance(
        self, chart: Chart, histories: list[History], others: list[Json]
    ) -> Iterator[Json]:
        """Yields Provenance of the Patient, every fifth measurement and most of the rest."""
        for history in histories[::PROVENANCE_EVERY]:
            first = history[0]
            author = first["performer"][0]["reference"]
            yield provenance(first, datetime.fromisoformat(first["issued"]), author)
        usual = f"Practitioner/{practitioner_id(chart.who.ordinal)}"
        for one in (*self.patient(chart.who.ordinal), *others):
            if one["resourceType"] not in WITHOUT_PROVENANCE:
                stored = datetime.fromisoformat(one["meta"]["lastUpdated"])
                yield provenance(one, stored, usual)

    def _history(self, ordinal: int, index: int, reading: Reading) -> History:
        first = observation(reading)
        later = timedelta(minutes=61, milliseconds=index)
        if reading.stored + later >= self.now:
            return [first]
        if index == 1 and ordinal % ERROR_EVERY_PATIENTS == 1:
            return [first, corrected(reading, later, "entered-in-error")]
        if index % CORRECTED_EVERY == CORRECTED_EVERY - 1:
            status = ("amended", "corrected")[index // CORRECTED_EVERY % 2]
            return [first, corrected(reading, later, status, shift=2)]
        return [first]
