"""The observations that a remote-monitoring application writes.

US Core vital signs (LOINC, UCUM, category, effective time with its zone), built and checked with
fhir.resources, which is imported here alone, and only when something is built.
https://hl7.org/fhir/us/core/STU6.1/StructureDefinition-us-core-vital-signs.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from harness.errors import UsageError

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
US_CORE_TAGS = "http://hl7.org/fhir/us/core/CodeSystem/us-core-tags"

Number = int | float | Decimal


@dataclass(frozen=True, slots=True)
class Measured:
    """What all observations have in common.

    Attributes:
        patient: id of the Patient.
        at: when it was measured; aware, its zone is written as it is.
        identifier: system and value, the same whenever this measurement is sent again: by it a
            duplicate is found where an answer was lost.
        device: id of a Device on the server, or None.
        category: of the US Core categories.
        patient_supplied: tagged as such (US Core 7 and later ask it of a provider's application).
    """

    patient: str
    at: datetime
    identifier: tuple[str, str]
    device: str | None = None
    category: str = "vital-signs"
    patient_supplied: bool = False


@dataclass(frozen=True, slots=True)
class _Quantity:
    """LOINC code and display, UCUM code and its usual unit."""

    code: str
    display: str
    unit: str
    ucum: str


_SYSTOLIC = _Quantity("8480-6", "Systolic blood pressure", "mmHg", "mm[Hg]")
_DIASTOLIC = _Quantity("8462-4", "Diastolic blood pressure", "mmHg", "mm[Hg]")
_HEART_RATE = _Quantity("8867-4", "Heart rate", "beats/minute", "/min")
_WEIGHT = {
    "kg": _Quantity("29463-7", "Body weight", "kg", "kg"),
    "[lb_av]": _Quantity("29463-7", "Body weight", "lb", "[lb_av]"),
}
_GLUCOSE = _Quantity(
    "41653-7", "Glucose [Mass/volume] in Capillary blood by Glucometer", "mg/dL", "mg/dL"
)


def blood_pressure(measured: Measured, systolic: Number, diastolic: Number) -> dict[str, Any]:
    """A blood pressure panel, in mm[Hg]: two components and no value of its own."""
    components = [
        {"code": _concept(each), "valueQuantity": _value(each, number)}
        for each, number in ((_SYSTOLIC, systolic), (_DIASTOLIC, diastolic))
    ]
    panel = _Quantity("85354-9", "Blood pressure panel with all children optional", "", "")
    return _built(measured, panel, {"component": components})


def heart_rate(measured: Measured, per_minute: Number) -> dict[str, Any]:
    """Beats per minute."""
    return _built(measured, _HEART_RATE, {"valueQuantity": _value(_HEART_RATE, per_minute)})


def body_weight(measured: Measured, weight: Number, unit: str = "kg") -> dict[str, Any]:
    """Body weight in `kg` or `[lb_av]` (UCUM).

    Raises:
        UsageError: another unit.
    """
    if unit not in _WEIGHT:
        raise UsageError(f"body weight: expected a unit of {', '.join(_WEIGHT)}, got {unit!r}")
    return _built(measured, _WEIGHT[unit], {"valueQuantity": _value(_WEIGHT[unit], weight)})


def glucose(measured: Measured, mg_per_dl: Number) -> dict[str, Any]:
    """Capillary blood glucose by glucometer, in mg/dL."""
    return _built(measured, _GLUCOSE, {"valueQuantity": _value(_GLUCOSE, mg_per_dl)})


def _built(measured: Measured, what: _Quantity, value: Mapping[str, Any]) -> dict[str, Any]:
    if measured.at.tzinfo is None:
        raise UsageError("observation: expected a time with its zone, got one without")
    system, identity = measured.identifier
    resource = {
        "resourceType": "Observation",
        "identifier": [{"system": system, "value": identity}],
        "status": "final",
        "category": [{"coding": [{"system": CATEGORY, "code": measured.category}]}],
        "code": _concept(what),
        "subject": {"reference": f"Patient/{measured.patient}"},
        "effectiveDateTime": _date_time(measured.at),
        **value,
    }
    if measured.device is not None:
        resource["device"] = {"reference": f"Device/{measured.device}"}
    if measured.patient_supplied:
        resource["meta"] = {"tag": [{"system": US_CORE_TAGS, "code": "patient-supplied"}]}
    _check(resource)
    return resource


def _check(resource: Mapping[str, Any]) -> None:
    """Refuse to send what is no Observation, for instance because of a hand-made id."""
    from fhir.resources.R4B.observation import Observation

    try:
        Observation.model_validate(resource)
    except ValueError as error:
        first = str(error).splitlines()[1:3]
        raise UsageError(
            f"observation: not valid FHIR: {': '.join(map(str.strip, first))}"
        ) from None


def _date_time(moment: datetime) -> str:
    """With milliseconds only where there are any: some EHRs refuse a fraction."""
    return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds")


def _concept(what: _Quantity) -> dict[str, Any]:
    return {
        "coding": [{"system": LOINC, "code": what.code, "display": what.display}],
        "text": what.display,
    }


def _value(what: _Quantity, number: Number) -> dict[str, Any]:
    plain = float(number) if isinstance(number, Decimal) else number
    return {"value": plain, "unit": what.unit, "system": UCUM, "code": what.ucum}
