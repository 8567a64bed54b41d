"""One version of one resource, as the store keeps it and search reads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from harness.reference.fhir.json import packed, reread

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """One version of one resource; as parsed JSON, as bytes, or both.

    Bytes take a quarter of the memory, and most answers need nothing else: so what comes from the
    data or the database holds bytes, and is parsed when something asks for an element.

    Args:
        resource_type: of the resource.
        id: of the resource.
        version_id: counts from "1".
        last_updated: when this version was stored, in UTC.
        parsed: as it is served, for a deletion the last content; None where `raw` has it.
        patient: id of the patient to whom it belongs; None if it belongs to nobody.
        deleted: this version is a deletion.
        raw: the same as JSON.
    """

    resource_type: str
    id: str
    version_id: str
    last_updated: datetime
    parsed: Json | None
    patient: str | None
    deleted: bool = False
    raw: bytes | None = None
    search_values: dict[str, tuple[Any, ...]] = field(default_factory=dict, init=False, repr=False)
    """What search has extracted from it so far, by parameter."""
    name: tuple[str, str, str] = field(init=False, repr=False)
    """Type, id and version id."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", (self.resource_type, self.id, self.version_id))

    @property
    def reference(self) -> str:
        """The relative reference, such as `Observation/1`."""
        return f"{self.resource_type}/{self.id}"

    @property
    def resource(self) -> Json:
        """The resource; nobody may change it in place."""
        return self.parsed if self.parsed is not None else reread(self.body)

    @property
    def body(self) -> bytes:
        """The resource as JSON."""
        if self.raw is None:
            object.__setattr__(self, "raw", packed(self.parsed))
        return self.raw or b""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stored) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self.name)

    def _identity(self) -> tuple[object, ...]:
        return (self.name, self.last_updated, self.patient, self.deleted, self.body)


Versions = tuple[Stored, ...]
"""All versions of one resource, oldest first."""
