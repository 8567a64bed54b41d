"""The rosters by which data of many patients are exported (FHIR R4, Group)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from harness.reference.data.building import Json, reference, resource
from harness.reference.data.people import ORGANIZATION_ID
from harness.reference.data.systems import PROTOCOLS

ALL_ID: Final = "all-patients"
MONITORED_ID: Final = "monitored-at-home"
MONITORED: Final = 3
"""How many patients measure everything at home: the first ones, who can also sign in."""


def groups(patient_ids: Sequence[str], since: datetime) -> Iterator[Json]:
    """Yields one Group of all patients, and one of those who measure everything at home.

    Args:
        patient_ids: all of them, in their order.
        since: when the Groups were stored, in UTC.
    """
    yield _group(ALL_ID, "All patients", patient_ids, since)
    yield _group(MONITORED_ID, "Monitored at home", patient_ids[:MONITORED], since)


def _group(group_id: str, name: str, patient_ids: Sequence[str], since: datetime) -> Json:
    return resource(
        "Group",
        group_id,
        None,
        since,
        identifier=[{"system": PROTOCOLS + "group", "value": group_id}],
        active=True,
        type="person",
        actual=True,
        code={"text": name},
        name=name,
        quantity=len(patient_ids),
        managingEntity=reference(f"Organization/{ORGANIZATION_ID}"),
        member=[{"entity": reference(f"Patient/{one}")} for one in patient_ids],
    )
