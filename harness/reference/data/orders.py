"""What was ordered and done: ServiceRequest, Procedure, implanted Device (US Core 6.1.0)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from harness.reference.data.building import (
    Code,
    Json,
    concept,
    in_loinc,
    in_snomed,
    reference,
    resource,
)
from harness.reference.data.chart import Chart
from harness.reference.data.laboratory import CHEMISTRY, URINALYSIS
from harness.reference.data.problems import DIAGNOSES
from harness.reference.data.systems import US_CORE_CATEGORY
from harness.reference.data.vocabulary import SNOMED

LABORATORY_ORDER: Final = concept(SNOMED, "108252007", "Laboratory procedure")
EVALUATION: Final = concept(SNOMED, "386053000", "Evaluation procedure")
SOCIAL: Final = concept(US_CORE_CATEGORY, "sdoh", "SDOH")
ECG: Final = ("29303009", "Electrocardiographic procedure")
COLONOSCOPY: Final = ("73761001", "Colonoscopy")
FOOD_PANTRY: Final = ("467771000124109", "Assistance with application for food pantry program")
PACEMAKER: Final = ("14106009", "Cardiac pacemaker, device")
IMPLANTATION: Final = ("307280005", "Implantation of cardiac pacemaker")


def service_requests(chart: Chart) -> Iterator[Json]:
    """Yields orders to the laboratory, for an electrocardiogram, and a social referral."""
    for number in range(1, len(chart.visits) + 1):
        yield _order(chart, f"chemistry-{number}", number, in_loinc(CHEMISTRY.code))
    yield _order(chart, "urinalysis-1", 1, in_loinc(URINALYSIS.code))
    yield _order(
        chart, "ecg", 2, in_snomed(ECG), category=[EVALUATION],
        occurrenceDateTime=None, occurrencePeriod=_period(chart, chart.during(2, 10), 20),
    )  # fmt: skip
    yield _order(
        chart, "food", 1, in_snomed(FOOD_PANTRY), category=[SOCIAL], status="active",
        reasonReference=[reference(f"Condition/{chart.id('social')}")],
    )  # fmt: skip


def procedures(chart: Chart) -> Iterator[Json]:
    """Yields the electrocardiogram, a colonoscopy that was not done, and an implantation."""
    yield _procedure(
        chart, "ecg", ECG, chart.during(2, 10), 2,
        basedOn=[reference(f"ServiceRequest/{chart.id('order-ecg')}")],
    )  # fmt: skip
    yield _procedure(
        chart, "colonoscopy", COLONOSCOPY, chart.during(3, 40), 3,
        status="not-done" if chart.who.ordinal % 2 else "completed",
        performedDateTime=chart.local(chart.during(3, 40)), performedPeriod=None,
    )  # fmt: skip
    if _wears_pacemaker(chart):
        device = reference(f"Device/{chart.id('pacemaker')}")
        yield _procedure(
            chart, "pacemaker", IMPLANTATION, _implanted(chart), None,
            focalDevice=[{"manipulated": device}],
        )  # fmt: skip


def implants(chart: Chart) -> Iterator[Json]:
    """Yields the pacemaker of the first and of every fourth patient after."""
    if not _wears_pacemaker(chart):
        return
    implanted = _implanted(chart)
    made, expires = implanted - timedelta(days=200), implanted + timedelta(days=1500)
    serial, lot = f"PM{chart.who.ordinal:06d}", f"L{chart.who.ordinal:04d}"
    identifier = "09504000059118"
    human = f"(01){identifier}(11){made:%y%m%d}(17){expires:%y%m%d}(10){lot}(21){serial}"
    yield resource(
        "Device",
        chart.id("pacemaker"),
        "us-core-implantable-device",
        implanted + timedelta(hours=1),
        udiCarrier=[
            {"deviceIdentifier": identifier, "carrierHRF": human}
        ],
        status="active",
        distinctIdentifier=f"A9999XYZ100T{chart.who.ordinal:04d}",
        manufacturer="Fabrikam",
        manufactureDate=f"{made:%Y-%m-%d}",
        expirationDate=f"{expires:%Y-%m-%d}",
        lotNumber=lot,
        serialNumber=serial,
        type=in_snomed(PACEMAKER),
        patient=chart.subject,
    )  # fmt: skip


def _wears_pacemaker(chart: Chart) -> bool:
    return chart.who.ordinal % 4 == 1


def _implanted(chart: Chart) -> datetime:
    return chart.registered + timedelta(days=20)


def _period(chart: Chart, start: datetime, minutes: float) -> Json:
    end = start + timedelta(minutes=minutes)
    return {"start": chart.local(start), "end": chart.local(end)}


def _order(chart: Chart, key: str, visit: int, code: Json, **elements: Any) -> Json:
    written = chart.during(visit, 8)
    diagnosis = DIAGNOSES[chart.diagnoses[0]]
    made = {
        "status": "completed",
        "intent": "order",
        "category": [LABORATORY_ORDER],
        "code": code,
        "subject": chart.subject,
        "encounter": chart.visit(visit),
        "occurrenceDateTime": chart.local(written + timedelta(minutes=4)),
        "authoredOn": chart.local(written),
        "requester": chart.clinician(visit),
        "reasonCode": [in_snomed(diagnosis)],
    } | elements
    stored = written + timedelta(minutes=1)
    return resource(
        "ServiceRequest", chart.id(f"order-{key}"), "us-core-servicerequest", stored, **made
    )


def _procedure(
    chart: Chart, key: str, code: Code, done: datetime, visit: int | None, **elements: Any
) -> Json:
    made = {
        "status": "completed",
        "code": in_snomed(code),
        "subject": chart.subject,
        "encounter": chart.visit(visit) if visit else None,
        "performedPeriod": _period(chart, done, 15),
        "performer": [{"actor": chart.clinician(visit or 0)}],
    } | elements
    stored = done + timedelta(minutes=20)
    return resource("Procedure", chart.id(f"done-{key}"), "us-core-procedure", stored, **made)
