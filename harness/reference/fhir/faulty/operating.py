"""Faults of operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from harness.reference.access import Access
from harness.reference.fhir.store import Store
from harness.reference.fhir.stored import Stored

Has = Callable[[str], bool]


def access(has: Has, own: Access, patient: str | None) -> Access:
    """Alters whose record the token is for; `patient` is that of the URL."""
    return replace(own, patient=patient) if has("everything-ignores-compartment") else own


def everything(has: Has, store: Store, found: list[Stored], patient: str) -> list[Stored]:
    """Alters what belongs to the record of a patient."""
    if has("everything-leaks-other-patient"):
        other = next(one for one in store.patient_ids() if one != patient)
        found = [*found, *store.all("Encounter", other)]
    if has("everything-omits-devices"):
        found = [one for one in found if one.resource_type != "Device"]
    return found


def latest(has: Has, found: list[Stored], kept: list[Stored]) -> list[Stored]:
    """Alters which Observations are the latest of their code."""
    return found if has("lastn-answers-all") else kept
