"""Why a patient is monitored, and what the patient does not tolerate (US Core 6.1.0)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from harness.reference.data.instants import instant
from harness.reference.data.people import Person, practitioner_id
from harness.reference.data.vocabulary import (
    ALLERGY_CLINICAL,
    ALLERGY_VERIFICATION,
    CONDITION_CATEGORY,
    CONDITION_CLINICAL,
    CONDITION_VERIFICATION,
    SNOMED,
    SYNTHETIC,
    profile,
)

Json = dict[str, Any]

DIAGNOSES: Final = {
    "hypertension": ("38341003", "Hypertensive disorder, systemic arterial"),
    "diabetes": ("44054006", "Diabetes mellitus type 2"),
    "lungs": ("13645005", "Chronic obstructive lung disease"),
}
SUBSTANCES: Final = (
    ("716186003", "No known allergy"),
    ("764146007", "Penicillin"),
    ("256277009", "Grass pollen"),
)


def condition(who: Person, diagnosis: str, recorded: datetime) -> Json:
    """Returns a problem list item; `diagnosis` is a key of `DIAGNOSES`."""
    code, display = DIAGNOSES[diagnosis]
    return {
        "resourceType": "Condition",
        "id": f"{who.id}-problem-{diagnosis}",
        "meta": _meta("us-core-condition-problems-health-concerns", recorded),
        "clinicalStatus": _concept(CONDITION_CLINICAL, "active"),
        "verificationStatus": _concept(CONDITION_VERIFICATION, "confirmed"),
        "category": [_concept(CONDITION_CATEGORY, "problem-list-item")],
        "code": _concept(SNOMED, code, display),
        "subject": {"reference": who.reference},
        "onsetDateTime": recorded.date().isoformat(),
        "recordedDate": instant(recorded),
        "recorder": {"reference": f"Practitioner/{practitioner_id(who.ordinal)}"},
    }


def allergy(who: Person, recorded: datetime) -> Json:
    """Returns what the patient does not tolerate, or that nothing is known."""
    code, display = SUBSTANCES[who.ordinal % len(SUBSTANCES)]
    return {
        "resourceType": "AllergyIntolerance",
        "id": f"{who.id}-allergy",
        "meta": _meta("us-core-allergyintolerance", recorded),
        "clinicalStatus": _concept(ALLERGY_CLINICAL, "active"),
        "verificationStatus": _concept(ALLERGY_VERIFICATION, "confirmed"),
        "code": _concept(SNOMED, code, display),
        "patient": {"reference": who.reference},
        "recordedDate": instant(recorded),
    }


def _concept(system: str, code: str, display: str | None = None) -> Json:
    coding = {"system": system, "code": code}
    return (
        {"coding": [coding | {"display": display}], "text": display}
        if display
        else {"coding": [coding]}
    )


def _meta(profile_name: str, updated: datetime) -> Json:
    return {
        "versionId": "1",
        "lastUpdated": instant(updated),
        "profile": [profile(profile_name)],
        "security": [SYNTHETIC],
    }
