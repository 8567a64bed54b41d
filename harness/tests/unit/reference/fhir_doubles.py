"""An instance and tokens for tests of the FHIR interface, without OAuth around it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from harness.reference.access import Access
from harness.reference.bulk.jobs import Bulk
from harness.reference.clock import InstanceClock
from harness.reference.fhir.store import Store
from harness.reference.push.subscriptions import Subscriptions

NOW = datetime(2026, 11, 21, 7, 0, tzinfo=UTC)
VITALS = "http://terminology.hl7.org/CodeSystem/observation-category|vital-signs"


@cache
def shared_store() -> Store:
    """The data below all instances of the test session."""
    return Store.seeded(seed=7, patients=6, now=NOW)


@dataclass
class Ehr:
    """What the FHIR interface sees of an instance."""

    fhir_base: str = "https://ehr.example.org/r4"
    faults: Iterable[str] = ()
    store: Store = field(default_factory=lambda: shared_store().overlay())
    bulk: Bulk = field(default_factory=Bulk)
    push: Subscriptions = field(default_factory=Subscriptions)
    clock: InstanceClock = field(default_factory=lambda: InstanceClock(NOW + timedelta(hours=1)))

    def has(self, fault: str, /) -> bool:
        return fault in self.faults

    def oauth(self, endpoint: str, /) -> str:
        return self.fhir_base.removesuffix("/r4") + f"/oauth/{endpoint}"


def access(*scopes: str, patient: str | None = None, client_id: str = "test") -> Access:
    return Access(client_id, scopes, patient, None, NOW + timedelta(days=1000))


def weight(patient: str, **changes: Any) -> dict[str, Any]:
    """A well-formed Observation as a client sends it; None takes an element out."""
    resource: dict[str, Any] = {
        "resourceType": "Observation",
        "status": "final",
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                        "code": "vital-signs",
                    }
                ]
            }
        ],
        "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": "2026-11-20T08:00:00-05:00",
        "valueQuantity": {
            "value": 72.5,
            "unit": "kg",
            "system": "http://unitsofmeasure.org",
            "code": "kg",
        },
        "device": {"reference": f"Device/{patient}-scale"},
    }
    resource |= changes
    return {name: value for name, value in resource.items() if value is not None}
