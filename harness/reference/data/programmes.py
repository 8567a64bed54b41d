"""What each patient is monitored for, and what the devices then measure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Final

from harness.reference.data.vocabulary import (
    BLOOD_PRESSURE,
    CAPILLARY_GLUCOSE,
    CGM,
    CUFF,
    GLUCOMETER,
    GLUCOSE,
    HEART_RATE,
    OXIMETER,
    OXYGEN_SATURATION,
    RESPIRATORY_RATE,
    SCALE,
    SENSOR,
    TEMPERATURE,
    THERMOMETER,
    WEIGHT,
    DeviceKind,
    Measure,
)

CGM_STEP: Final = timedelta(minutes=5)
CGM_SPAN: Final = timedelta(days=2)
"""How long the first patient wore a sensor."""
CGM_MONTHS: Final = timedelta(days=90)
"""How long the others did who wear one: 25,920 points."""


@dataclass(frozen=True, slots=True)
class Routine:
    """One thing that a patient measures at home again and again.

    Args:
        centre: the usual value, one per component.
        spread: how far single values lie from it.
        digits: after the decimal point.
    """

    measure: Measure
    device: DeviceKind
    every: timedelta
    centre: tuple[float, ...]
    spread: tuple[float, ...]
    digits: int = 0

    def values(self, chance: Random) -> tuple[float, ...]:
        """Returns one plausible measurement."""
        pairs = zip(self.centre, self.spread, strict=True)
        return tuple(round(chance.uniform(c - s, c + s), self.digits) for c, s in pairs)


def _daily(days: float) -> timedelta:
    return timedelta(days=days)


PRESSURE: Final = Routine(BLOOD_PRESSURE, CUFF, _daily(1), (138, 84), (16, 9))
PULSE: Final = Routine(HEART_RATE, CUFF, _daily(1.5), (72,), (11,))
BODY_WEIGHT: Final = Routine(WEIGHT, SCALE, _daily(2), (82.4,), (2.1,), 1)
SATURATION: Final = Routine(OXYGEN_SATURATION, OXIMETER, _daily(3), (95,), (3,))
BREATHS: Final = Routine(RESPIRATORY_RATE, OXIMETER, _daily(6), (17,), (3,))
FEVER: Final = Routine(TEMPERATURE, THERMOMETER, _daily(9), (36.8,), (0.6,), 1)
METER: Final = Routine(CAPILLARY_GLUCOSE, GLUCOMETER, _daily(2), (128,), (38,))
METER_WHOLE_BLOOD: Final = Routine(GLUCOSE, GLUCOMETER, _daily(5), (131,), (36,))
CONTINUOUS: Final = Routine(CGM, SENSOR, CGM_STEP, (134,), (6,))

HYPERTENSION: Final = (PRESSURE, PULSE, BODY_WEIGHT)
DIABETES: Final = (METER, METER_WHOLE_BLOOD, BODY_WEIGHT, PRESSURE)
LUNGS: Final = (SATURATION, BREATHS, FEVER, PULSE)
EVERYTHING: Final = (PRESSURE, PULSE, BODY_WEIGHT, SATURATION, BREATHS, FEVER, METER,
                     METER_WHOLE_BLOOD)  # fmt: skip
BUSY_PATIENTS: Final = 3
"""The first patients measure everything, so that their searches page."""


def routines(ordinal: int) -> tuple[Routine, ...]:
    """Returns what patient `ordinal` measures now and then."""
    if ordinal <= BUSY_PATIENTS:
        return EVERYTHING
    return (HYPERTENSION, DIABETES, LUNGS)[ordinal % 3]


def diagnoses(ordinal: int) -> tuple[str, ...]:
    """Returns why patient `ordinal` is monitored."""
    every = ("hypertension", "diabetes", "lungs")
    return every if ordinal <= BUSY_PATIENTS else (every[ordinal % 3],)


def wears_sensor(ordinal: int) -> bool:
    """Tells whether the patient has a continuous glucose monitor: the first and every eighth."""
    return ordinal % 8 == 1


def monitored_days(ordinal: int) -> int:
    """Returns for how many days before the present the patient has been monitored."""
    return 200 if ordinal <= BUSY_PATIENTS else 45 + (ordinal * 29) % 150


def moments(routine: Routine, days: int, now: datetime, chance: Random) -> Iterator[datetime]:
    """Yields when a routine was measured, oldest first, within `days` before `now`."""
    moment = now - timedelta(days=days) + routine.every * chance.random()
    while moment < now - timedelta(hours=2):
        yield moment.replace(microsecond=0)
        moment += routine.every * chance.uniform(0.8, 1.2)


def sensor_moments(ordinal: int, now: datetime) -> Iterator[datetime]:
    """Yields when a sensor measured: every five minutes, until a week before `now`."""
    span = CGM_SPAN if ordinal == 1 else CGM_MONTHS
    first = (now - timedelta(days=7) - span).replace(second=0, microsecond=0)
    for index in range(span // CGM_STEP):
        yield first + index * CGM_STEP


def died(ordinal: int, now: datetime) -> datetime | None:
    """Returns when a patient died; None for all but the fifth and every eighth after."""
    if ordinal % 8 != 5:  # noqa: PLR2004 - never one who wears a sensor
        return None
    return (now - timedelta(days=20)).replace(microsecond=0)
