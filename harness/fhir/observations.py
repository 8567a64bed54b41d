"""The observations that a remote-monitoring application writes.

US Core vital signs and laboratory results (LOINC, UCUM, category, effective time with its zone),
built and checked with fhir.resources, which is imported here alone, and only when something is
built. https://hl7.org/fhir/us/core/STU6.1/StructureDefinition-us-core-vital-signs.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from harness.errors import UsageError
from harness.fhir.measures import (
    BLOOD_PRESSURE,
    BODY_HEIGHT,
    BODY_MASS_INDEX,
    BODY_TEMPERATURE,
    BODY_WEIGHT,
    CATEGORY,
    CONTINUOUS_GLUCOSE,
    DIASTOLIC,
    GLUCOSE,
    HEART_RATE,
    LOINC,
    PULSE_OXIMETRY,
    RESPIRATORY_RATE,
    SLEEP,
    SNOMED,
    STEPS,
    SYSTOLIC,
    UCUM,
    US_CORE_TAGS,
    Measure,
    Unit,
)

Number = int | float | Decimal
Resource = dict[str, Any]

SENSOR_INTERVAL = timedelta(minutes=5)
"""How far apart the readings of a continuous glucose monitor are."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What all observations have in common.

    Attributes:
        patient: id of the Patient.
        at: when it was measured; aware, its zone is written as it is.
        identifier: system and value, the same whenever this measurement is sent again: by it a
            duplicate is found where an answer was lost.
        device: id of a Device on the server, or None.
        category: of the US Core categories; None takes the one of the measure.
        patient_supplied: tagged as such (US Core 7 and later ask it of a provider's application).
        method: SNOMED CT code and display of how it was measured, or None.
        by_patient: the patient is named as performer.
    """

    patient: str
    at: datetime
    identifier: tuple[str, str]
    device: str | None = None
    category: str | None = None
    patient_supplied: bool = False
    method: tuple[str, str] | None = None
    by_patient: bool = False


def blood_pressure(measured: Measured, systolic: Number, diastolic: Number) -> Resource:
    """A blood pressure panel, in mm[Hg]: two components and no value of its own."""
    components = [
        {"code": _concept(each), "valueQuantity": _quantity(each.units[0], number)}
        for each, number in ((SYSTOLIC, systolic), (DIASTOLIC, diastolic))
    ]
    return _built(measured, BLOOD_PRESSURE, {"component": components})


def heart_rate(measured: Measured, per_minute: Number) -> Resource:
    """Beats per minute."""
    return _single(measured, HEART_RATE, per_minute)


def respiratory_rate(measured: Measured, per_minute: Number) -> Resource:
    """Breaths per minute."""
    return _single(measured, RESPIRATORY_RATE, per_minute)


def body_weight(measured: Measured, weight: Number, unit: str = "kg") -> Resource:
    """Body weight in `kg`, `g` or `[lb_av]` (UCUM).

    Raises:
        UsageError: another unit.
    """
    return _single(measured, BODY_WEIGHT, weight, unit)


def body_height(measured: Measured, height: Number, unit: str = "cm") -> Resource:
    """Body height in `cm` or `[in_i]`.

    Raises:
        UsageError: another unit.
    """
    return _single(measured, BODY_HEIGHT, height, unit)


def body_mass_index(measured: Measured, kg_per_m2: Number) -> Resource:
    """Body mass index in kg/m2."""
    return _single(measured, BODY_MASS_INDEX, kg_per_m2)


def body_temperature(measured: Measured, temperature: Number, unit: str = "Cel") -> Resource:
    """Body temperature in `Cel` or `[degF]`.

    Raises:
        UsageError: another unit.
    """
    return _single(measured, BODY_TEMPERATURE, temperature, unit)


def pulse_oximetry(measured: Measured, percent: Number) -> Resource:
    """Oxygen saturation by pulse oximetry, in %."""
    return _single(measured, PULSE_OXIMETRY, percent)


def glucose(measured: Measured, value: Number, unit: str = "mg/dL") -> Resource:
    """Capillary blood glucose by glucometer, in `mg/dL` or `mmol/L`: each has its own code.

    Raises:
        UsageError: another unit.
    """
    return _single(measured, GLUCOSE[_known(unit, GLUCOSE, "glucose")], value, unit)


def continuous_glucose(measured: Measured, value: Number, unit: str = "mg/dL") -> Resource:
    """One reading of a continuous glucose monitor (interstitial fluid), in `mg/dL` or `mmol/L`.

    Raises:
        UsageError: another unit.
    """
    what = CONTINUOUS_GLUCOSE[_known(unit, CONTINUOUS_GLUCOSE, "continuous glucose")]
    return _single(measured, what, value, unit)


def glucose_series(
    measured: Measured, values: Iterable[Number], unit: str = "mg/dL"
) -> list[Resource]:
    """Readings of a continuous glucose monitor, five minutes apart, the first one at `measured.at`.

    Each is an Observation of its own, as EHRs take them; its identifier ends in its number.
    """
    system, value = measured.identifier
    return [
        continuous_glucose(
            replace(
                measured,
                at=measured.at + number * SENSOR_INTERVAL,
                identifier=(system, f"{value}-{number + 1}"),
            ),
            reading,
            unit,
        )
        for number, reading in enumerate(values)
    ]


def steps(measured: Measured, count: int, over: timedelta) -> Resource:
    """Steps that a pedometer counted in a period that ends at `measured.at`."""
    return _over(_single(measured, STEPS, count), measured, over)


def sleep(measured: Measured, hours: Number, over: timedelta) -> Resource:
    """Hours asleep within a period that ends at `measured.at`."""
    return _over(_single(measured, SLEEP, hours), measured, over)


def provenance(targets: Iterable[str], recorded: datetime, patient: str, device: str) -> Resource:
    """Who sent observations: the device assembled them, the patient is their author.

    Args:
        targets: references such as `Observation/1`.
        recorded: when it was sent; aware.
        patient: id of the Patient.
        device: id of a Device on the server.
    """
    return checked(
        {
            "resourceType": "Provenance",
            "target": [{"reference": each} for each in targets],
            "recorded": _date_time(recorded),
            "agent": [
                {"type": {"text": "Author"}, "who": {"reference": f"Patient/{patient}"}},
                {"type": {"text": "Assembler"}, "who": {"reference": f"Device/{device}"}},
            ],
        }
    )


def _single(measured: Measured, what: Measure, number: Number, unit: str | None = None) -> Resource:
    units = {each.code: each for each in what.units}
    chosen = units[_known(unit, units, what.display.lower())] if unit else what.units[0]
    return _built(measured, what, {"valueQuantity": _quantity(chosen, number)})


def _known(unit: str, units: Iterable[str], what: str) -> str:
    if unit not in units:
        raise UsageError(f"{what}: expected a unit of {', '.join(units)}, got {unit!r}")
    return unit


def _over(resource: Resource, measured: Measured, over: timedelta) -> Resource:
    period = {"start": _date_time(measured.at - over), "end": _date_time(measured.at)}
    timed = {"effectiveDateTime": ("effectivePeriod", period)}
    return checked(dict(timed.get(name, (name, value)) for name, value in resource.items()))


def _built(measured: Measured, what: Measure, value: Mapping[str, Any]) -> Resource:
    system, identity = measured.identifier
    category = what.category if measured.category is None else measured.category
    subject = {"reference": f"Patient/{measured.patient}"}
    resource = {
        "resourceType": "Observation",
        "identifier": [{"system": system, "value": identity}],
        "status": "final",
        "category": [{"coding": [{"system": CATEGORY, "code": category}]}],
        "code": _concept(what),
        "subject": subject,
        "effectiveDateTime": _date_time(measured.at),
        **value,
    }
    if measured.by_patient:
        resource["performer"] = [subject]
    if measured.method is not None:
        code, display = measured.method
        method = {"system": SNOMED, "code": code, "display": display}
        resource["method"] = {"coding": [method], "text": display}
    if measured.device is not None:
        resource["device"] = {"reference": f"Device/{measured.device}"}
    if measured.patient_supplied:
        resource["meta"] = {"tag": [{"system": US_CORE_TAGS, "code": "patient-supplied"}]}
    return checked(resource)


def checked(resource: Resource) -> Resource:
    """Refuse to send what is no FHIR, for instance because of a hand-made id.

    Raises:
        UsageError: the type is unknown, or the resource is not valid; elements are named, values
            are not.
    """
    from fhir.resources.R4B import get_fhir_model_class

    kind = str(resource.get("resourceType"))
    try:
        model = get_fhir_model_class(kind)
    except (KeyError, ValueError):
        raise UsageError(f"expected a resource type of FHIR R4, got {kind[:60]!r}") from None
    try:
        model.model_validate(resource)
    except ValueError as error:
        # What stands in brackets behind the reason quotes the value, which may be about a person.
        first = [line.partition(" [type=")[0].strip() for line in str(error).splitlines()[1:3]]
        raise UsageError(f"{kind.lower()}: not valid FHIR: {', '.join(first)}") from None
    return resource


def _date_time(moment: datetime) -> str:
    """With milliseconds only where there are any: some EHRs refuse a fraction."""
    if moment.tzinfo is None:
        raise UsageError("observation: expected a time with its zone, got one without")
    return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds")


def _concept(what: Measure) -> dict[str, Any]:
    coding = [{"system": LOINC, "code": code, "display": display} for code, display in what.codes]
    return {"coding": coding, "text": what.display}


def _quantity(unit: Unit, number: Number) -> dict[str, Any]:
    plain = float(number) if isinstance(number, Decimal) else number
    return {"value": plain, "unit": unit.text, "system": UCUM, "code": unit.code}
