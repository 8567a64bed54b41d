"""What is prescribed, handed over and injected (US Core 6.1.0)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from harness.reference.data.building import (
    Code,
    Json,
    absent_element,
    concept,
    in_snomed,
    quantity,
    reference,
    resource,
)
from harness.reference.data.chart import Chart
from harness.reference.data.places import MEDICATIONS, PHARMACY_ID
from harness.reference.data.problems import DIAGNOSES
from harness.reference.data.systems import CVX, HL7, RXNORM
from harness.reference.data.vocabulary import ACT_CODE, ACT_REASON, Unit

TREATMENTS: Final = {
    "hypertension": "lisinopril", "diabetes": "metformin", "lungs": "albuterol",
}  # fmt: skip
FIRST_FILL: Final = ("FFC", "First Fill - Complete")
REFILL: Final = ("RFC", "Refill - Complete")
TABLET: Final = Unit("{tbl}", "tablet")
FLU_SHOT: Final = ("140", "Influenza, split virus, trivalent, PF")
PNEUMONIA: Final = ("133", "Pneumococcal conjugate PCV 13")
TETANUS: Final = ("113", "Td (adult), 5 Lf tetanus toxoid, preservative free, adsorbed")


def medication_requests(chart: Chart) -> Iterator[Json]:
    """Yields what was prescribed for each diagnosis, what is taken by report, and a plan."""
    for diagnosis in chart.diagnoses:
        drug = TREATMENTS[diagnosis]
        problem = reference(f"Condition/{chart.id(f'problem-{diagnosis}')}")
        yield _request(
            chart,
            f"rx-{drug}",
            1,
            medicationReference=reference(f"Medication/medication-{drug}"),
            reasonCode=[in_snomed(DIAGNOSES[diagnosis])],
            reasonReference=[problem],
        )
    painkiller = concept(RXNORM, *MEDICATIONS["ibuprofen"])
    yield _request(chart, "rx-pain", 2, status="completed", medicationCodeableConcept=painkiller)
    yield _request(
        chart,
        "rx-reported",
        3,
        status="stopped" if chart.who.ordinal % 2 else "active",
        intent="plan",
        reportedBoolean=None,
        reportedReference=chart.clinician(0),
        medicationCodeableConcept=painkiller,
        dispenseRequest=None,
    )


def medication_dispenses(chart: Chart) -> Iterator[Json]:
    """Yields what the pharmacy handed over: each prescription, its first refill, a painkiller."""
    for diagnosis in chart.diagnoses:
        drug = TREATMENTS[diagnosis]
        medication = reference(f"Medication/medication-{drug}")
        for number, kind in enumerate((FIRST_FILL, REFILL), start=1):
            made = _dispense(chart, drug, f"{drug}-{number}", 30 * number, kind)
            if number > 1 and not chart.full:
                made["status"] = "cancelled"
            yield made | {"medicationReference": medication}
    made = _dispense(chart, "pain", "pain", 100, FIRST_FILL)
    yield made | {"medicationCodeableConcept": concept(RXNORM, *MEDICATIONS["ibuprofen"])}


def _dispense(chart: Chart, drug: str, suffix: str, days: int, kind: Code) -> Json:
    """Returns what was handed over so many days after the first visit, without the medication."""
    handed = chart.during(1, 0) + timedelta(days=days, hours=2)
    return resource(
        "MedicationDispense",
        chart.id(f"dispense-{suffix}"),
        "us-core-medicationdispense",
        handed + timedelta(minutes=1),
        status="completed",
        subject=chart.subject,
        context=chart.visit(1),
        performer=[
            {"actor": reference(f"Organization/{PHARMACY_ID}")},
            {"actor": chart.clinician(0)},
        ],
        authorizingPrescription=[reference(f"MedicationRequest/{chart.id(f'rx-{drug}')}")],
        type=concept(ACT_CODE, *kind),
        quantity=quantity(60, TABLET),
        whenHandedOver=chart.local(handed),
        dosageInstruction=[_dosage()],
    )


def immunizations(chart: Chart) -> Iterator[Json]:
    """Yields injections at visits, one that was refused, and one of which no date is known."""
    kinds = (FLU_SHOT, TETANUS, PNEUMONIA)
    for number, vaccine in enumerate(kinds, start=1):
        given = chart.during(number, 18)
        refused = number == len(kinds)
        yield resource(
            "Immunization",
            chart.id(f"shot-{number}"),
            "us-core-immunization",
            given + timedelta(minutes=3),
            status="not-done" if refused else "completed",
            statusReason=concept(ACT_REASON, "PATOBJ", "patient objection") if refused else None,
            vaccineCode=concept(CVX, *vaccine),
            patient=chart.subject,
            encounter=chart.visit(number),
            occurrenceDateTime=chart.local(given),
            primarySource=True,
        )
    if chart.full:
        yield resource(
            "Immunization",
            chart.id("shot-reported"),
            "us-core-immunization",
            chart.registered + timedelta(hours=13),
            status="completed",
            vaccineCode=concept(CVX, *TETANUS),
            patient=chart.subject,
            _occurrenceDateTime=absent_element(),
            primarySource=False,
        )


def _request(chart: Chart, suffix: str, visit: int, **elements: Any) -> Json:
    written = chart.during(visit, 22)
    community = concept(HL7 + "medicationrequest-category", "community", "Community")
    made = {
        "status": "active",
        "intent": "order",
        "category": [community],
        "reportedBoolean": False,
        "subject": chart.subject,
        "encounter": chart.visit(visit),
        "authoredOn": chart.local(written),
        "requester": chart.clinician(visit),
        "dosageInstruction": [_dosage()],
        "dispenseRequest": {
            "numberOfRepeatsAllowed": 3,
            "quantity": quantity(60, TABLET),
        },
    } | elements  # fmt: skip
    return resource(
        "MedicationRequest",
        chart.id(suffix),
        "us-core-medicationrequest",
        written + timedelta(minutes=2),
        **made,
    )


def _dosage() -> Json:
    return {
        "text": "One twice a day",
        "timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}},
        "doseAndRate": [{"doseQuantity": quantity(1, TABLET)}],
    }
