"""Invariants of the resource types that clients may write (FHIR R4 4.0.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Invariant:
    """One invariant of a well-shaped resource.

    Args:
        name: as the specification calls it.
        text: what breaks it.
        expression: FHIRPath of the element at fault.
        holds: whether a resource keeps it.
    """

    name: str
    text: str
    expression: str
    holds: Callable[[Json], bool]


def _has(resource: Json, beginning: str) -> bool:
    return any(name.startswith(beginning) for name in resource)


def _code(resource: Json, element: str) -> set[str]:
    return {one.get("code", "") for one in resource.get(element, {}).get("coding", [])}


def _in_error(resource: Json) -> bool:
    return "entered-in-error" in _code(resource, "verificationStatus")


_ENDED: Final = {"inactive", "resolved", "remission"}

INVARIANTS: Final[dict[str, tuple[Invariant, ...]]] = {
    "Observation": (
        Invariant(
            "obs-6",
            "a value and dataAbsentReason",
            "Observation",
            lambda one: not ("dataAbsentReason" in one and _has(one, "value")),
        ),
    ),
    "Condition": (
        Invariant(
            "con-4",
            "an abated condition whose clinicalStatus is not inactive, resolved or remission",
            "Condition.clinicalStatus",
            lambda one: not _has(one, "abatement") or bool(_code(one, "clinicalStatus") & _ENDED),
        ),
        Invariant(
            "con-5",
            "clinicalStatus with a verificationStatus of entered-in-error",
            "Condition.clinicalStatus",
            lambda one: not (_in_error(one) and "clinicalStatus" in one),
        ),
    ),
    "AllergyIntolerance": (
        Invariant(
            "ait-1",
            "clinicalStatus is missing, and verificationStatus is not entered-in-error",
            "AllergyIntolerance.clinicalStatus",
            lambda one: _in_error(one) or "clinicalStatus" in one,
        ),
        Invariant(
            "ait-2",
            "clinicalStatus with a verificationStatus of entered-in-error",
            "AllergyIntolerance.clinicalStatus",
            lambda one: not (_in_error(one) and "clinicalStatus" in one),
        ),
    ),
    "MedicationRequest": (
        Invariant(
            "medication[x]",
            "no medication is named",
            "MedicationRequest.medication",
            lambda one: _has(one, "medication"),
        ),
    ),
}
"""By resource type."""
