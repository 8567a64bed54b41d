"""What a remote-monitoring application measures: LOINC codes, UCUM units, categories.

Codes as US Core 6.1.0 and the LOINC and UCUM tables name them; each is written once, here.
https://hl7.org/fhir/us/core/STU6.1/general-guidance.html, https://ucum.org/ucum
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
UCUM = "http://unitsofmeasure.org"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
US_CORE_TAGS = "http://hl7.org/fhir/us/core/CodeSystem/us-core-tags"


@dataclass(frozen=True, slots=True)
class Unit:
    """A UCUM code, and how people write it."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing that is measured.

    Attributes:
        codes: LOINC codes and displays, the most general one first.
        units: in which it may be given, the usual one first; none for a panel.
        category: of the observation-category code system.
    """

    codes: tuple[tuple[str, str], ...]
    units: tuple[Unit, ...] = ()
    category: str = "vital-signs"

    @property
    def display(self) -> str:
        """What people call it."""
        return self.codes[-1][1]


def _of(code: str, display: str, *units: Unit, category: str = "vital-signs") -> Measure:
    return Measure(((code, display),), units, category)


_MMHG = Unit("mm[Hg]", "mmHg")
_MG_PER_DL = Unit("mg/dL", "mg/dL")
_MMOL_PER_L = Unit("mmol/L", "mmol/L")

BLOOD_PRESSURE: Final = _of("85354-9", "Blood pressure panel with all children optional")
SYSTOLIC: Final = _of("8480-6", "Systolic blood pressure", _MMHG)
DIASTOLIC: Final = _of("8462-4", "Diastolic blood pressure", _MMHG)
HEART_RATE: Final = _of("8867-4", "Heart rate", Unit("/min", "beats/minute"))
RESPIRATORY_RATE: Final = _of("9279-1", "Respiratory rate", Unit("/min", "breaths/minute"))
BODY_WEIGHT: Final = _of(
    "29463-7", "Body weight", Unit("kg", "kg"), Unit("[lb_av]", "lb"), Unit("g", "g")
)
BODY_HEIGHT: Final = _of("8302-2", "Body height", Unit("cm", "cm"), Unit("[in_i]", "in"))
BODY_MASS_INDEX: Final = _of("39156-5", "Body mass index (BMI) [Ratio]", Unit("kg/m2", "kg/m2"))
BODY_TEMPERATURE: Final = _of("8310-5", "Body temperature", Unit("Cel", "°C"), Unit("[degF]", "°F"))
PULSE_OXIMETRY: Final = Measure(
    (
        ("2708-6", "Oxygen saturation in Arterial blood"),
        ("59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry"),
    ),
    (Unit("%", "%"),),
)
GLUCOSE: Final[Mapping[str, Measure]] = {
    "mg/dL": _of(
        "41653-7",
        "Glucose [Mass/volume] in Capillary blood by Glucometer",
        _MG_PER_DL,
        category="laboratory",
    ),
    "mmol/L": _of(
        "14743-9",
        "Glucose [Moles/volume] in Capillary blood by Glucometer",
        _MMOL_PER_L,
        category="laboratory",
    ),
}
CONTINUOUS_GLUCOSE: Final[Mapping[str, Measure]] = {
    "mg/dL": _of(
        "99504-3",
        "Glucose [Mass/volume] in Interstitial fluid",
        _MG_PER_DL,
        category="laboratory",
    ),
    "mmol/L": _of(
        "105272-9",
        "Glucose [Moles/volume] in Interstitial fluid",
        _MMOL_PER_L,
        category="laboratory",
    ),
}
STEPS: Final = _of(
    "55423-8",
    "Number of steps in unspecified time Pedometer",
    Unit("{steps}", "steps"),
    category="activity",
)
SLEEP: Final = _of("93832-4", "Sleep duration", Unit("h", "h"), category="activity")
