"""To which patient a resource belongs (FHIR R4, CompartmentDefinition patient).

http://hl7.org/fhir/R4/compartmentdefinition-patient.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

Json = dict[str, Any]

OWNERS: Final = ("subject", "patient", "beneficiary", "securityContext")
"""The elements that name the patient, the one that counts first."""


def patient_of(resource: Json, owner: Callable[[str], str | None]) -> str | None:
    """Returns the id of the patient to whom a resource belongs; None if it is nobody's.

    Args:
        resource: any resource that this server stores.
        owner: tells the patient of the resource behind a relative reference.
    """
    if resource["resourceType"] == "Patient":
        return str(resource["id"])
    for element in OWNERS:
        referred = resource.get(element)
        reference = referred.get("reference") if isinstance(referred, dict) else None
        if patient_id := _id_behind(str(reference)):
            return patient_id
    targets = resource.get("target", []) if resource["resourceType"] == "Provenance" else []
    owners = (owner(target.get("reference", "")) for target in targets)
    return next((found for found in owners if found), None)


def _id_behind(reference: str) -> str | None:
    parts = reference.split("/")
    return parts[-1] if len(parts) > 1 and parts[-2] == "Patient" else None
