"""One version of one resource, as the store keeps it and search reads it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from harness.reference.fhir.json import dumps

Json = dict[str, Any]


@dataclass(frozen=True)
class Stored:
    """One version of one resource.

    Args:
        resource_type: of the resource.
        id: of the resource.
        version_id: counts from "1".
        last_updated: when this version was stored, in UTC.
        resource: as it is served; for a deletion the last content.
        patient: id of the patient to whom it belongs; None if it belongs to nobody.
        deleted: this version is a deletion.
    """

    resource_type: str
    id: str
    version_id: str
    last_updated: datetime
    resource: Json
    patient: str | None
    deleted: bool = False

    @property
    def reference(self) -> str:
        """The relative reference, such as `Observation/1`."""
        return f"{self.resource_type}/{self.id}"

    @cached_property
    def body(self) -> bytes:
        """The resource as JSON."""
        return dumps(self.resource)

    @cached_property
    def search_values(self) -> dict[str, tuple[Any, ...]]:
        """What search has extracted from it so far, by parameter."""
        return {}


Versions = tuple[Stored, ...]
"""All versions of one resource, oldest first."""
