"""The resource types that are served; routes and CapabilityStatement both follow it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from harness.reference.data.vocabulary import MEASURES, US_CORE


@dataclass(frozen=True, slots=True)
class ResourceKind:
    """One resource type.

    Args:
        profiles: canonical URLs of the profiles that the data conforms to.
    """

    profiles: tuple[str, ...] = ()


def _us_core(*names: str) -> tuple[str, ...]:
    return tuple(US_CORE + name for name in names)


_VITAL_SIGNS: Final = tuple(dict.fromkeys(one.profile for one in MEASURES))
_OBSERVATIONS: Final = (
    *_VITAL_SIGNS,
    "us-core-head-circumference",
    "head-occipital-frontal-circumference-percentile",
    "pediatric-bmi-for-age",
    "pediatric-weight-for-height",
    "us-core-observation-clinical-result",
    "us-core-observation-occupation",
    "us-core-observation-pregnancyintent",
    "us-core-observation-pregnancystatus",
    "us-core-observation-screening-assessment",
    "us-core-observation-sexual-orientation",
    "us-core-simple-observation",
    "us-core-smokingstatus",
)
_PROFILES: Final[Mapping[str, tuple[str, ...]]] = {
    "Patient": ("us-core-patient",),
    "Observation": _OBSERVATIONS,
    "AllergyIntolerance": ("us-core-allergyintolerance",),
    "Binary": (),
    "CarePlan": ("us-core-careplan",),
    "CareTeam": ("us-core-careteam",),
    "Condition": (
        "us-core-condition-encounter-diagnosis",
        "us-core-condition-problems-health-concerns",
    ),
    "Coverage": ("us-core-coverage",),
    "Device": ("us-core-implantable-device",),
    "DiagnosticReport": ("us-core-diagnosticreport-lab", "us-core-diagnosticreport-note"),
    "DocumentReference": ("us-core-documentreference",),
    "Encounter": ("us-core-encounter",),
    "Endpoint": (),
    "Goal": ("us-core-goal",),
    "Group": (),
    "Immunization": ("us-core-immunization",),
    "Location": ("us-core-location",),
    "Media": (),
    "Medication": ("us-core-medication",),
    "MedicationDispense": ("us-core-medicationdispense",),
    "MedicationRequest": ("us-core-medicationrequest",),
    "Organization": ("us-core-organization",),
    "Practitioner": ("us-core-practitioner",),
    "PractitionerRole": ("us-core-practitionerrole",),
    "Procedure": ("us-core-procedure",),
    "Provenance": ("us-core-provenance",),
    "Questionnaire": (),
    "QuestionnaireResponse": ("us-core-questionnaireresponse",),
    "RelatedPerson": ("us-core-relatedperson",),
    "ServiceRequest": ("us-core-servicerequest",),
    "Specimen": ("us-core-specimen",),
}

RESOURCES: Final[Mapping[str, ResourceKind]] = {
    name: ResourceKind(_us_core(*profiles)) for name, profiles in _PROFILES.items()
}
