"""Faults of a front end that repairs what it should refuse, and drops what it does not know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from harness.reference.data.instants import instant
from harness.reference.fhir.dates import interval
from harness.reference.fhir.elements import CODES, ELEMENTS
from harness.reference.fhir.store import Store
from harness.reference.fhir.stored import Stored

Json = dict[str, Any]

INTERPRETATION: Final = {
    "coding": [
        {
            "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation",
            "code": "N",
        }
    ]
}


@dataclass(frozen=True, slots=True)
class Arrived:
    """What a repair knows.

    Args:
        kind: the resource type of the route.
        store: for what is known already.
        now: by the clock of the instance.
        patient: to whom the token is bound, if it is.
        current: what the URL names, if it is there.
    """

    kind: str
    store: Store
    now: datetime
    patient: str | None
    current: Stored | None


def _begins(text: Any) -> datetime | None:
    try:
        return interval(text).start if isinstance(text, str) else None
    except ValueError:
        return None


def _repaired(arrived: Arrived, resource: Json) -> Json:
    """Leaves out, or replaces by a default, what cannot be understood."""
    known = ELEMENTS["Observation"]
    kept = {name: value for name, value in resource.items() if name in known and value != []}
    values = [name for name in kept if name.startswith("value")]
    kept = {name: value for name, value in kept.items() if name not in values[1:]}
    if "status" in kept and kept["status"] not in CODES["Observation.status"]:
        kept["status"] = "unknown"
    if _begins(kept.get("effectiveDateTime", "2026")) is None:
        kept["effectiveDateTime"] = instant(arrived.now)
    quantity = kept.get("valueQuantity")
    if isinstance(quantity, dict) and not isinstance(quantity.get("value"), (int, float, Decimal)):
        kept["valueQuantity"] = {**quantity, "value": 0}
    return kept


def _subject_of_the_token(arrived: Arrived, resource: Json) -> Json:
    own = {"reference": f"Patient/{arrived.patient}"}
    return {**resource, "subject": own} if arrived.patient else resource


def _not_in_the_future(arrived: Arrived, resource: Json) -> Json:
    begins = _begins(resource.get("effectiveDateTime"))
    late = begins is not None and begins > arrived.now
    return {**resource, "effectiveDateTime": instant(arrived.now)} if late else resource


def _known_device(arrived: Arrived, resource: Json) -> Json:
    kind, _, name = str(resource.get("device", {}).get("reference")).partition("/")
    known = kind == "Device" and arrived.store.current("Device", name) is not None
    return resource if known else {k: v for k, v in resource.items() if k != "device"}


def _type_of_the_url(arrived: Arrived, resource: Json) -> Json:
    return {**resource, "resourceType": arrived.kind}


def _id_of_the_url(arrived: Arrived, resource: Json) -> Json:
    return {**resource, "id": arrived.current.id} if arrived.current else resource


def _status_of_the_workflow(arrived: Arrived, resource: Json) -> Json:
    if arrived.current is None:
        return resource
    return {**resource, "status": arrived.current.resource["status"]}


def _interpreted(arrived: Arrived, resource: Json) -> Json:
    del arrived
    return {**resource, "interpretation": [INTERPRETATION]}


def _shortened(arrived: Arrived, resource: Json) -> Json:
    quantity = resource.get("valueQuantity")
    if not isinstance(quantity, dict) or not isinstance(quantity.get("value"), float):
        return resource
    value = quantity["value"]
    short = int(value) if value.is_integer() else value
    del arrived
    return {**resource, "valueQuantity": {**quantity, "value": short}}


def _in_ascii(arrived: Arrived, resource: Json) -> Json:
    del arrived
    notes = [
        {**note, "text": str(note.get("text")).encode("ascii", "replace").decode()}
        for note in resource.get("note", [])
    ]
    return {**resource, "note": notes} if notes else resource


def _without_details(arrived: Arrived, resource: Json) -> Json:
    del arrived
    meta = {name: value for name, value in resource.get("meta", {}).items() if name != "tag"}
    kept = {k: v for k, v in resource.items() if k not in {"method", "performer", "meta"}}
    return {**kept, "meta": meta} if meta else kept


REPAIRS: Final[Mapping[str, Callable[[Arrived, Json], Json]]] = {
    "input-repaired": _repaired,
    "subject-from-token": _subject_of_the_token,
    "future-time-clamped": _not_in_the_future,
    "unknown-device-dropped": _known_device,
    "type-from-url": _type_of_the_url,
    "update-takes-any-id": _id_of_the_url,
    "update-keeps-status": _status_of_the_workflow,
    "create-adds-interpretation": _interpreted,
    "decimals-shortened": _shortened,
    "letters-lost": _in_ascii,
    "details-dropped": _without_details,
}
"""What is done to the resource in a request, before anybody looks at it."""
