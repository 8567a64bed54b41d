"""What belongs to no patient: organizations, places, roles, medications and questionnaires."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from harness.reference.data.building import (
    Code,
    Json,
    coding,
    concept,
    in_snomed,
    reference,
    resource,
)
from harness.reference.data.people import CLINIC_ADDRESS, ORGANIZATION_ID, PRACTITIONERS, npi
from harness.reference.data.systems import HL7, NUCC, RXNORM
from harness.reference.data.vocabulary import LOINC, NPI

PAYER_ID: Final = "payer"
LABORATORY_ID: Final = "laboratory"
PHARMACY_ID: Final = "pharmacy"
LOCATION_ID: Final = "clinic-building"
WARD_ID: Final = "emergency-ward"
ENDPOINT_ID: Final = "direct-mail"
PRIMARY_CARE: Final = ("453231000124104", "Primary care provider")
SPECIALTIES: Final = (
    ("207R00000X", "Internal Medicine Physician"),
    ("207RC0000X", "Cardiovascular Disease Physician"),
    ("207RP1001X", "Pulmonary Disease Physician"),
)
MEDICATIONS: Final = {
    "lisinopril": ("314076", "lisinopril 10 MG Oral Tablet"),
    "metformin": ("861007", "metformin hydrochloride 500 MG Oral Tablet"),
    "albuterol": ("745679", "200 ACTUAT albuterol 0.09 MG/ACTUAT Metered Dose Inhaler"),
    "ibuprofen": ("310965", "ibuprofen 200 MG Oral Tablet"),
}
HUNGER_ID: Final = "hunger-vital-sign"
HUNGER_URL: Final = "https://reference-ehr.example.org/Questionnaire/hunger-vital-sign"
HUNGER_ITEMS: Final = (
    ("88122-7", "Worried whether our food would run out before we got money to buy more"),
    ("88123-5", "The food we bought just didn't last and we didn't have money to get more"),
    ("88124-3", "Food insecurity risk"),
)


def places(since: datetime) -> list[Json]:
    """Returns everything of this module, stored at `since`."""
    return [
        _organization(PAYER_ID, "Example Health Plan", since),
        _organization(LABORATORY_ID, "Example Laboratory", since),
        _organization(PHARMACY_ID, "Example Pharmacy", since),
        _location(LOCATION_ID, "Example Clinic, main building", since),
        _location(WARD_ID, "Example Clinic, emergency ward", since),
        _endpoint(since),
        *(_role(number, since) for number in range(1, len(PRACTITIONERS) + 1)),
        *(_medication(key, code, since) for key, code in MEDICATIONS.items()),
        _questionnaire(since),
    ]


def _phone() -> list[Json]:
    return [{"system": "phone", "value": "555-0100", "use": "work"}]


def _organization(key: str, name: str, since: datetime) -> Json:
    stem = 199999990 + (PAYER_ID, LABORATORY_ID, PHARMACY_ID).index(key)
    return resource(
        "Organization",
        key,
        "us-core-organization",
        since,
        identifier=[{"system": NPI, "value": npi(stem)}],
        active=True,
        name=name,
        telecom=_phone(),
        address=[CLINIC_ADDRESS],
    )


def _location(key: str, name: str, since: datetime) -> Json:
    return resource(
        "Location",
        key,
        "us-core-location",
        since,
        status="active",
        name=name,
        telecom=_phone(),
        address=CLINIC_ADDRESS,
        managingOrganization=reference(f"Organization/{ORGANIZATION_ID}"),
    )


def _endpoint(since: datetime) -> Json:
    kind = coding(HL7 + "endpoint-connection-type", "direct-project", "Direct Project")
    return resource(
        "Endpoint",
        ENDPOINT_ID,
        None,
        since,
        status="active",
        connectionType=kind,
        name="Direct mailbox of the clinic",
        payloadType=[concept(HL7 + "endpoint-payload-type", "any", "Any")],
        address="mailto:clinic@direct.example.org",
    )


def _role(number: int, since: datetime) -> Json:
    specialty = SPECIALTIES[number % len(SPECIALTIES)]
    return resource(
        "PractitionerRole",
        f"role-{number}",
        "us-core-practitionerrole",
        since + timedelta(minutes=number),
        active=True,
        practitioner=reference(f"Practitioner/practitioner-{number}"),
        organization=reference(f"Organization/{ORGANIZATION_ID}"),
        code=[in_snomed(PRIMARY_CARE)],
        specialty=[concept(NUCC, *specialty)],
        location=[reference(f"Location/{LOCATION_ID}")],
        telecom=_phone(),
        endpoint=[reference(f"Endpoint/{ENDPOINT_ID}")],
    )


def _medication(key: str, code: Code, since: datetime) -> Json:
    medication = concept(RXNORM, *code)
    return resource(
        "Medication", f"medication-{key}", "us-core-medication", since, code=medication,
        status="active",
    )  # fmt: skip


def _questionnaire(since: datetime) -> Json:
    items: list[Any] = [
        {
            "linkId": code,
            "code": [coding(LOINC, code, text)],
            "text": text,
            "type": "choice",
        }
        for code, text in HUNGER_ITEMS
    ]
    why = {"linkId": "why", "text": "Why", "type": "string"}
    stove = {"linkId": "stove", "text": "A stove", "type": "string"}
    items += [
        {"linkId": "comment", "text": "Anything else", "type": "string"},
        {"linkId": "meals", "text": "Meals", "type": "decimal", "item": [why]},
        {"linkId": "home", "text": "At home", "type": "group", "item": [stove]},
    ]
    return resource(
        "Questionnaire",
        HUNGER_ID,
        None,
        since,
        url=HUNGER_URL,
        version="1.0.0",
        name="HungerVitalSign",
        title="Hunger Vital Sign",
        status="active",
        subjectType=["Patient"],
        item=items,
    )
