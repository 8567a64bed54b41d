"""What can be done with which resource type; routes and CapabilityStatement both follow it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from harness.reference.data.vocabulary import MEASURES, US_CORE

READING: Final = ("read", "vread", "history-instance", "search-type")
WRITING: Final = ("create", "update", "delete")


@dataclass(frozen=True, slots=True)
class ResourceKind:
    """One resource type.

    Args:
        interactions: FHIR names of what is routed.
        profiles: canonical URLs of the profiles that the data conforms to.
    """

    interactions: tuple[str, ...]
    profiles: tuple[str, ...] = ()


def _us_core(*names: str) -> tuple[str, ...]:
    return tuple(US_CORE + name for name in names)


RESOURCES: Final[Mapping[str, ResourceKind]] = {
    "Patient": ResourceKind(READING, _us_core("us-core-patient")),
    "Observation": ResourceKind(
        (*READING, *WRITING), _us_core(*dict.fromkeys(one.profile for one in MEASURES))
    ),
    "Practitioner": ResourceKind(READING, _us_core("us-core-practitioner")),
    "Organization": ResourceKind(READING, _us_core("us-core-organization")),
    "Device": ResourceKind(READING),
    "Provenance": ResourceKind(READING, _us_core("us-core-provenance")),
    "Encounter": ResourceKind(READING, _us_core("us-core-encounter")),
    "Condition": ResourceKind(READING, _us_core("us-core-condition-problems-health-concerns")),
    "AllergyIntolerance": ResourceKind(READING, _us_core("us-core-allergyintolerance")),
}
