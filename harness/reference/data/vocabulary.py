"""Codes, systems and profiles that the synthetic data uses.

LOINC, SNOMED CT, UCUM and IEEE 11073 codes as US Core 6.1.0 and the HL7 Personal Health Device
guide name them. Every code is written once, here.
"""

from __future__ import annotations

from dataclasses import dataclass

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
UCUM = "http://unitsofmeasure.org"
MDC = "urn:iso:std:iso:11073:10101"
OBSERVATION_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
PARTICIPANT_TYPE = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
US_CORE_PARTICIPANT_TYPE = (
    "http://hl7.org/fhir/us/core/CodeSystem/us-core-provenance-participant-type"
)
IDENTIFIER_TYPE = "http://terminology.hl7.org/CodeSystem/v2-0203"
NPI = "http://hl7.org/fhir/sid/us-npi"
MRN = "https://reference-ehr.example.org/identifiers/mrn"
CONDITION_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
CONDITION_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
CONDITION_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
ALLERGY_CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
ALLERGY_VERIFICATION = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
READING = "https://rpm.example.org/identifiers/reading"
US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/"

SYNTHETIC = {"system": ACT_REASON, "code": "HTEST", "display": "test health data"}
"""The security label of data that belongs to no person (FHIR R4, security labels)."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A UCUM unit: its exact code and what is shown to people."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Measure:
    """One kind of Observation.

    Args:
        key: short name, part of the ids of its Observations.
        codings: LOINC code and display, the most specific one first.
        category: code in the observation-category code system.
        profile: name of the US Core profile that its Observations conform to.
        unit: of valueQuantity, or of every component.
        components: LOINC code and display of each component.
    """

    key: str
    codings: tuple[tuple[str, str], ...]
    category: str
    profile: str
    unit: Unit
    components: tuple[tuple[str, str], ...] = ()


MMHG = Unit("mm[Hg]", "mmHg")
PER_MINUTE = Unit("/min", "/min")
PERCENT = Unit("%", "%")
MG_PER_DL = Unit("mg/dL", "mg/dL")

BLOOD_PRESSURE = Measure(
    "bp",
    (("85354-9", "Blood pressure panel with all children optional"),),
    "vital-signs",
    "us-core-blood-pressure",
    MMHG,
    (("8480-6", "Systolic blood pressure"), ("8462-4", "Diastolic blood pressure")),
)
WEIGHT = Measure(
    "weight",
    (("29463-7", "Body weight"),),
    "vital-signs",
    "us-core-body-weight",
    Unit("kg", "kg"),
)
HEIGHT = Measure(
    "height",
    (("8302-2", "Body height"),),
    "vital-signs",
    "us-core-body-height",
    Unit("cm", "cm"),
)
BMI = Measure(
    "bmi",
    (("39156-5", "Body mass index (BMI) [Ratio]"),),
    "vital-signs",
    "us-core-bmi",
    Unit("kg/m2", "kg/m2"),
)
HEART_RATE = Measure(
    "hr", (("8867-4", "Heart rate"),), "vital-signs", "us-core-heart-rate", PER_MINUTE
)
OXYGEN_SATURATION = Measure(
    "spo2",
    (
        ("59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry"),
        ("2708-6", "Oxygen saturation in Arterial blood"),
    ),
    "vital-signs",
    "us-core-pulse-oximetry",
    PERCENT,
)
TEMPERATURE = Measure(
    "temp",
    (("8310-5", "Body temperature"),),
    "vital-signs",
    "us-core-body-temperature",
    Unit("Cel", "°C"),
)
RESPIRATORY_RATE = Measure(
    "resp",
    (("9279-1", "Respiratory rate"),),
    "vital-signs",
    "us-core-respiratory-rate",
    PER_MINUTE,
)
GLUCOSE = Measure(
    "glucose",
    (("2339-0", "Glucose [Mass/volume] in Blood"),),
    "laboratory",
    "us-core-observation-lab",
    MG_PER_DL,
)
CAPILLARY_GLUCOSE = Measure(
    "capglucose",
    (("41653-7", "Glucose [Mass/volume] in Capillary blood by Glucometer"),),
    "laboratory",
    "us-core-observation-lab",
    MG_PER_DL,
)
CGM = Measure(
    "cgm",
    (("99504-3", "Glucose [Mass/volume] in Interstitial fluid"),),
    "laboratory",
    "us-core-observation-lab",
    MG_PER_DL,
)

MEASURES = (
    BLOOD_PRESSURE,
    WEIGHT,
    HEIGHT,
    BMI,
    HEART_RATE,
    OXYGEN_SATURATION,
    TEMPERATURE,
    RESPIRATORY_RATE,
    GLUCOSE,
    CAPILLARY_GLUCOSE,
    CGM,
)


@dataclass(frozen=True, slots=True)
class DeviceKind:
    """A kind of device: IEEE 11073 specialization, maker and model."""

    key: str
    mdc: str
    text: str
    maker: str
    model: str


CUFF = DeviceKind("cuff", "528391", "Blood pressure monitor", "Northwind", "BP-7")
SCALE = DeviceKind("scale", "528399", "Body weight scale", "Northwind", "S-2")
OXIMETER = DeviceKind("oximeter", "528388", "Pulse oximeter", "Northwind", "OX-1")
THERMOMETER = DeviceKind("thermometer", "528392", "Thermometer", "Northwind", "T-4")
GLUCOMETER = DeviceKind("glucometer", "528401", "Glucose meter", "Contoso", "G-3")
SENSOR = DeviceKind("sensor", "528409", "Continuous glucose monitor", "Contoso", "CG-6")
CLINIC_MONITOR = DeviceKind("clinic-monitor", "528391", "Vital signs monitor", "Fabrikam", "VS-900")


def loinc(code: str, display: str) -> dict[str, str]:
    """Returns a LOINC Coding."""
    return {"system": LOINC, "code": code, "display": display}


def profile(name: str) -> str:
    """Returns the canonical URL of a US Core profile by its name."""
    return US_CORE + name
