"""Observations as devices and clinicians send them (US Core 6.1.0 vital signs and laboratory)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Final

from harness.reference.data.building import Json, quantity
from harness.reference.data.instants import date_time, instant
from harness.reference.data.vocabulary import (
    BLOOD_PRESSURE,
    OBSERVATION_CATEGORY,
    OXYGEN_SATURATION,
    READING,
    SNOMED,
    SYNTHETIC,
    Measure,
    loinc,
    profile,
)

METHODS: Final = {
    BLOOD_PRESSURE.key: ("371911009", "Measurement of blood pressure using cuff method"),
    OXYGEN_SATURATION.key: ("252465000", "Pulse oximetry"),
}
LEFT_ARM: Final = {"system": SNOMED, "code": "368208006", "display": "Left upper arm structure"}
CATEGORY_TEXT: Final = {"vital-signs": "Vital Signs", "laboratory": "Laboratory"}


@dataclass(frozen=True, slots=True)
class Reading:
    """One measurement before it becomes an Observation.

    Args:
        values: one value, or one per component of the measure.
        taken: when it was measured.
        stored: when this EHR stored it; later than `taken`.
        by: reference to the performer.
        device: reference to the Device.
        encounter: reference to the Encounter; None for a measurement at home.
    """

    id: str
    measure: Measure
    values: tuple[float, ...]
    taken: datetime
    stored: datetime
    subject: str
    by: str
    device: str
    offset_hours: float
    encounter: str | None = None


def observation(reading: Reading) -> Json:
    """Returns the Observation of a reading: version 1, status final."""
    measure = reading.measure
    stored = instant(reading.stored)
    kind = kind_of(measure)
    resource: Json = {
        "resourceType": "Observation",
        "id": reading.id,
        "meta": {
            "versionId": "1",
            "lastUpdated": stored,
            "profile": [profile(measure.profile)],
            "security": [SYNTHETIC],
        },
        "identifier": [{"system": READING, "value": reading.id}],
        "status": "final",
        "category": kind["category"],
        "code": kind["code"],
        "subject": {"reference": reading.subject},
        "effectiveDateTime": date_time(reading.taken, reading.offset_hours),
        "issued": stored,
        "performer": [{"reference": reading.by}],
        "device": {"reference": reading.device},
    }
    if reading.encounter:
        resource["encounter"] = {"reference": reading.encounter}
    if measure.key in METHODS:
        code, display = METHODS[measure.key]
        resource["method"] = {"coding": [{"system": SNOMED, "code": code, "display": display}]}
    if measure is BLOOD_PRESSURE:
        resource["bodySite"] = {"coding": [LEFT_ARM]}
    return resource | _result(measure, reading.values)


def corrected(reading: Reading, later: timedelta, status: str, shift: float = 0) -> Json:
    """Returns version 2 of the Observation, stored `later` than version 1.

    Args:
        reading: what version 1 was made of.
        later: how much later the correction was stored.
        status: `amended`, `corrected` or `entered-in-error`.
        shift: added to every value.
    """
    changed = replace(
        reading,
        stored=reading.stored + later,
        values=tuple(round(value + shift, 1) for value in reading.values),
    )
    resource = observation(changed)
    resource["meta"]["versionId"] = "2"
    resource["status"] = status
    resource["note"] = [{"text": f"Marked {status} after review."}]
    return resource


@cache
def kind_of(measure: Measure) -> Json:
    """Returns the elements that all Observations of a measure share; nobody changes them."""
    text = CATEGORY_TEXT[measure.category]
    coding = {"system": OBSERVATION_CATEGORY, "code": measure.category, "display": text}
    return {
        "category": [{"coding": [coding], "text": text}],
        "code": {
            "coding": [loinc(code, display) for code, display in measure.codings],
            "text": measure.codings[0][1],
        },
    }


def _result(measure: Measure, values: tuple[float, ...]) -> Json:
    if not measure.components:
        return {"valueQuantity": quantity(values[0], measure.unit)}
    pairs = zip(measure.components, values, strict=True)
    return {
        "component": [
            {
                "code": {"coding": [loinc(code, display)], "text": display},
                "valueQuantity": quantity(value, measure.unit),
            }
            for (code, display), value in pairs
        ]
    }
