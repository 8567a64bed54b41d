"""What devices measured at home and at the clinic, before it becomes Observations."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from harness.reference.data.chart import Chart
from harness.reference.data.observations import Reading
from harness.reference.data.people import practitioner_id
from harness.reference.data.programmes import (
    CONTINUOUS,
    Routine,
    died,
    moments,
    monitored_days,
    routines,
    sensor_moments,
)
from harness.reference.data.records import CLINIC_DEVICE_ID
from harness.reference.data.vocabulary import BLOOD_PRESSURE, BMI, HEIGHT, WEIGHT, Measure


def at_home(chart: Chart, now: datetime) -> Iterator[Reading]:
    """Yields what the patient measured now and then, oldest first for each measure."""
    for routine in routines(chart.who.ordinal):
        chance = chart.chance(routine.measure.key, "when")
        days = monitored_days(chart.who.ordinal)
        end = died(chart.who.ordinal, now) or now
        when = (one for one in moments(routine, days, now, chance) if one < end)
        yield from _measured(chart, routine, when)


def by_sensor(chart: Chart, now: datetime) -> Iterator[Reading]:
    """Yields what a continuous glucose monitor measured, oldest first."""
    yield from _measured(chart, CONTINUOUS, sensor_moments(chart.who.ordinal, now))


def at_the_clinic(chart: Chart) -> Iterator[Reading]:
    """Yields pressure, height, weight and body mass index of each visit."""
    who = chart.who
    for number, start in enumerate(chart.visits, start=1):
        chance = chart.chance("visit", number)
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
                id=chart.id(f"clinic-{measure.key}-{number}"),
                measure=measure,
                values=values,
                taken=taken,
                stored=taken + timedelta(minutes=20, milliseconds=chance.randrange(1000)),
                subject=who.reference,
                by=f"Practitioner/{practitioner_id(who.ordinal + number)}",
                device=f"Device/{CLINIC_DEVICE_ID}",
                offset_hours=who.offset_hours,
                encounter=f"Encounter/{chart.id(f'visit-{number}')}",
            )


def _measured(chart: Chart, routine: Routine, when: Iterator[datetime]) -> Iterator[Reading]:
    key = routine.measure.key
    chance = chart.chance(key)
    for number, taken in enumerate(when, start=1):
        # Phones upload within a minute, or hours later when they were out of reach.
        delay = chance.uniform(2, 50) * (60 if chance.random() < 0.15 else 1)  # noqa: PLR2004 - a share
        yield Reading(
            id=chart.id(f"{key}-{number}"),
            measure=routine.measure,
            values=routine.values(chance),
            taken=taken,
            stored=taken + timedelta(seconds=delay),
            subject=chart.who.reference,
            by=chart.who.reference,
            device=f"Device/{chart.id(routine.device.key)}",
            offset_hours=chart.who.offset_hours,
        )
