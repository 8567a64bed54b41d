"""What the record of one patient hangs on: who, when registered, when at the clinic."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from harness.reference.data.building import Json, reference
from harness.reference.data.chance import stream
from harness.reference.data.instants import date_time
from harness.reference.data.people import Person, practitioner_id

FULL_EVERY = 8
"""The first patient and every so many after it have a record in which nothing is missing."""


@dataclass(frozen=True, slots=True)
class Chart:
    """The frame of one record.

    Args:
        seed: of the world.
        who: whose record it is.
        registered: when the clinic first wrote something down, in UTC.
        visits: when the visits began, oldest first, in UTC.
        diagnoses: why the patient is monitored, keys of `DIAGNOSES`.
    """

    seed: int
    who: Person
    registered: datetime
    visits: tuple[datetime, ...]
    diagnoses: tuple[str, ...]

    @property
    def full(self) -> bool:
        """Whether this is a record in which nothing is missing."""
        return self.who.ordinal % FULL_EVERY == 1

    @property
    def subject(self) -> Json:
        """The Reference to the Patient."""
        return reference(self.who.reference)

    def id(self, suffix: str) -> str:
        """Returns the id of a resource of this record."""
        return f"{self.who.id}-{suffix}"

    def chance(self, *purpose: object) -> Random:
        """Returns a generator for one purpose in this record."""
        return stream(self.seed, self.who.ordinal, *purpose)

    def visit(self, number: int) -> Json:
        """Returns the Reference to a visit, counted from 1."""
        return reference(f"Encounter/{self.id(f'visit-{number}')}")

    def clinician(self, number: int) -> Json:
        """Returns the Reference to who saw the patient at a visit; 0 is the usual one."""
        return reference(f"Practitioner/{practitioner_id(self.who.ordinal + number)}")

    def during(self, number: int, minutes: float) -> datetime:
        """Returns the point in time so many minutes into a visit."""
        return self.visits[number - 1] + timedelta(minutes=minutes)

    def local(self, moment: datetime) -> str:
        """Returns a dateTime in the zone of the patient."""
        return date_time(moment, self.who.offset_hours)
