"""Patients that an EHR merged or closed, by their own resources.

FHIR R4, Patient.link: https://hl7.org/fhir/R4/patient.html#links. Whoever was merged into another
gets no new data: the tenant has to follow the survivor.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Merged:
    """A patient that is not current any more; `into` is the survivor's id, where one is named."""

    patient: str
    into: str | None


def merged(stored: Iterable[tuple[str, bytes]], patients: Container[str]) -> tuple[Merged, ...]:
    """Those of `patients` that were replaced or are inactive; `stored` are Patients by id."""
    found = []
    for patient, raw in stored:
        if patient not in patients:
            continue
        resource = json.loads(raw)
        into = next(iter(linked(resource, "replaced-by")), None)
        if into is not None or resource.get("active") is False:
            found.append(Merged(patient, into))
    return tuple(found)


def linked(patient: dict[str, Any], kind: str) -> tuple[str, ...]:
    """Ids of the patients that a Patient has a link of this type to."""
    links, found = patient.get("link"), []
    for link in links if isinstance(links, list) else []:
        if isinstance(link, dict) and link.get("type") == kind:
            other = link.get("other")
            reference = other.get("reference") if isinstance(other, dict) else None
            if isinstance(reference, str) and reference:
                found.append(reference.partition("/_history/")[0].rpartition("/")[2])
    return tuple(found)
