"""Everything around the Observations of a patient: devices, visits and where data came from."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from harness.reference.data.building import Json, coding, concept, meta, reference, resource
from harness.reference.data.chart import Chart
from harness.reference.data.instants import instant
from harness.reference.data.people import ORGANIZATION_ID, Person
from harness.reference.data.places import LOCATION_ID, WARD_ID
from harness.reference.data.problems import DIAGNOSES
from harness.reference.data.systems import DISCHARGE, PARTICIPATION, PROTOCOLS
from harness.reference.data.vocabulary import (
    ACT_CODE,
    CLINIC_MONITOR,
    IDENTIFIER_TYPE,
    MDC,
    PARTICIPANT_TYPE,
    SNOMED,
    US_CORE_PARTICIPANT_TYPE,
    DeviceKind,
)

CLINIC_DEVICE_ID: Final = CLINIC_MONITOR.key
CHECK_UP: Final = ("185349003", "Encounter for check up")
EMERGENCY: Final = ("50849002", "Emergency room admission")
EMERGENCY_VISIT: Final = 2
EMERGENCY_EVERY: Final = 3
"""Every so many patients, from the first on, were once at the emergency ward."""


def device(who: Person, kind: DeviceKind, registered: datetime) -> Json:
    """Returns the Device that a patient has at home."""
    resource = _device(f"{who.id}-{kind.key}", kind, registered)
    resource["patient"] = {"reference": who.reference}
    return resource


def clinic_device(registered: datetime) -> Json:
    """Returns the Device at the clinic, which belongs to no patient."""
    return _device(CLINIC_DEVICE_ID, CLINIC_MONITOR, registered)


def encounter(chart: Chart, number: int) -> Json:
    """Returns a finished visit of half an hour; the second one may be to the emergency ward."""
    start, end = chart.during(number, 0), chart.during(number, 30)
    urgent = number == EMERGENCY_VISIT and chart.who.ordinal % EMERGENCY_EVERY == 1
    period = {"start": instant(start), "end": instant(end)}
    made = resource(
        "Encounter",
        chart.id(f"visit-{number}"),
        "us-core-encounter",
        end + timedelta(minutes=5),
        identifier=[{"system": PROTOCOLS + "visit", "value": chart.id(f"visit-{number}")}],
        status="finished",
        type=[concept(SNOMED, *(EMERGENCY if urgent else CHECK_UP))],
        subject=chart.subject,
        participant=[
            {
                "type": [concept(PARTICIPATION, "PPRF", "primary performer")],
                "period": period,
                "individual": chart.clinician(number),
            }
        ],
        period=period,
        reasonCode=[concept(SNOMED, *DIAGNOSES[chart.diagnoses[0]])],
        reasonReference=[
            reference(f"Condition/{chart.id(f'problem-{chart.diagnoses[0]}')}"),
            reference(f"Condition/{chart.id(f'seen-{number}')}"),
        ],
        hospitalization={"dischargeDisposition": concept(DISCHARGE, "01", "Discharged to Home")}
        if urgent
        else None,
        location=[{"location": reference(f"Location/{WARD_ID if urgent else LOCATION_ID}")}],
        serviceProvider=reference(f"Organization/{ORGANIZATION_ID}"),
    )
    kind = ("EMER", "emergency") if urgent else ("AMB", "ambulatory")
    return made | {"class": coding(ACT_CODE, *kind)}


def provenance(target: Json, recorded: datetime, author: str) -> Json:
    """Returns who wrote a resource, and that the clinic took it in (US Core Provenance)."""
    organization = reference(f"Organization/{ORGANIZATION_ID}")
    writer: Json = {
        "type": {"coding": [coding(PARTICIPANT_TYPE, "author")]},
        "who": reference(author),
    }
    if author.startswith("Practitioner/"):
        writer["onBehalfOf"] = organization  # US Core invariant provenance-1
    transmitter = {
        "type": {"coding": [coding(US_CORE_PARTICIPANT_TYPE, "transmitter")]},
        "who": organization,
    }
    return resource(
        "Provenance",
        f"{target['id']}-prov",
        "us-core-provenance",
        recorded,
        target=[reference(f"{target['resourceType']}/{target['id']}")],
        recorded=instant(recorded),
        agent=[writer, transmitter],
    )


def _device(resource_id: str, kind: DeviceKind, registered: datetime) -> Json:
    return {
        "resourceType": "Device",
        "id": resource_id,
        "meta": meta(None, registered),
        "identifier": [
            {
                "type": {"coding": [{"system": IDENTIFIER_TYPE, "code": "SNO"}]},
                "value": f"SN-{resource_id}",
            }
        ],
        "status": "active",
        "manufacturer": kind.maker,
        "serialNumber": f"SN-{resource_id}",
        "deviceName": [{"name": f"{kind.maker} {kind.model}", "type": "user-friendly-name"}],
        "modelNumber": kind.model,
        "type": {
            "coding": [{"system": MDC, "code": kind.mdc, "display": kind.text}],
            "text": kind.text,
        },
        "owner": {"reference": f"Organization/{ORGANIZATION_ID}"},
    }
