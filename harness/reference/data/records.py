"""Everything around the Observations of a patient: devices, visits and where data came from."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from harness.reference.data.instants import instant
from harness.reference.data.people import ORGANIZATION_ID, Person
from harness.reference.data.vocabulary import (
    ACT_CODE,
    CLINIC_MONITOR,
    IDENTIFIER_TYPE,
    MDC,
    PARTICIPANT_TYPE,
    SNOMED,
    SYNTHETIC,
    US_CORE_PARTICIPANT_TYPE,
    DeviceKind,
    profile,
)

Json = dict[str, Any]
CLINIC_DEVICE_ID = CLINIC_MONITOR.key


def device(who: Person, kind: DeviceKind, registered: datetime) -> Json:
    """Returns the Device that a patient has at home."""
    resource = _device(f"{who.id}-{kind.key}", kind, registered)
    resource["patient"] = {"reference": who.reference}
    return resource


def clinic_device(registered: datetime) -> Json:
    """Returns the Device at the clinic, which belongs to no patient."""
    return _device(CLINIC_DEVICE_ID, CLINIC_MONITOR, registered)


def encounter(who: Person, number: int, start: datetime, practitioner: str) -> Json:
    """Returns a finished visit at the clinic of half an hour (US Core Encounter 6.1.0)."""
    end = start + timedelta(minutes=30)
    return {
        "resourceType": "Encounter",
        "id": f"{who.id}-visit-{number}",
        "meta": _meta(end + timedelta(minutes=5), "us-core-encounter"),
        "status": "finished",
        "class": {"system": ACT_CODE, "code": "AMB", "display": "ambulatory"},
        "type": [
            {
                "coding": [
                    {"system": SNOMED, "code": "185349003", "display": "Encounter for check up"}
                ],
                "text": "Check up",
            }
        ],
        "subject": {"reference": who.reference},
        "participant": [{"individual": {"reference": f"Practitioner/{practitioner}"}}],
        "period": {"start": instant(start), "end": instant(end)},
        "serviceProvider": {"reference": f"Organization/{ORGANIZATION_ID}"},
    }


def provenance(target: Json, recorded: datetime) -> Json:
    """Returns who wrote an Observation, and that the clinic took it in (US Core Provenance)."""
    author: Json = {
        "type": {"coding": [{"system": PARTICIPANT_TYPE, "code": "author"}]},
        "who": target["performer"][0],
    }
    organization = {"reference": f"Organization/{ORGANIZATION_ID}"}
    if author["who"]["reference"].startswith("Practitioner/"):
        author["onBehalfOf"] = organization  # US Core invariant provenance-1
    return {
        "resourceType": "Provenance",
        "id": f"{target['id']}-prov",
        "meta": _meta(recorded, "us-core-provenance"),
        "target": [{"reference": f"Observation/{target['id']}"}],
        "recorded": instant(recorded),
        "agent": [
            author,
            {
                "type": {"coding": [{"system": US_CORE_PARTICIPANT_TYPE, "code": "transmitter"}]},
                "who": organization,
            },
        ],
    }


def _device(resource_id: str, kind: DeviceKind, registered: datetime) -> Json:
    return {
        "resourceType": "Device",
        "id": resource_id,
        "meta": _meta(registered, None),
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


def _meta(updated: datetime, profile_name: str | None) -> Json:
    meta: Json = {"versionId": "1", "lastUpdated": instant(updated), "security": [SYNTHETIC]}
    if profile_name:
        meta["profile"] = [profile(profile_name)]
    return meta
