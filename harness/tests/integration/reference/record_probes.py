"""How the faults of what was recorded show; see `test_fhir_faults`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.tests.integration.reference.test_fhir_faults import Probe

Json = dict[str, Any]


def _found(probe: Probe, kind: str, query: str = "") -> list[Json]:
    bundle = probe.get(f"{kind}?patient={probe.patient}&_count=200&{query}").json()
    return [one["resource"] for one in bundle.get("entry", [])]


def _read(probe: Probe, kind: str) -> Json:
    return dict(probe.get(f"{kind}/{_found(probe, kind)[0]['id']}").json())


def _race(probe: Probe) -> bool:
    resource = probe.get(f"Patient/{probe.patient}").json()
    return not any("race" in one["url"] for one in resource["extension"])


def _dangling(probe: Probe) -> bool:
    references = [one.get("medicationReference") for one in _found(probe, "MedicationRequest")]
    answers = [probe.get(one["reference"]) for one in references if one]
    return any(not answer.is_success for answer in answers)


def _unexplained(probe: Probe) -> bool:
    empty = [one for one in _found(probe, "Observation", "category=procedure")
             if not any(name.startswith("value") for name in one)]  # fmt: skip
    return not all("dataAbsentReason" in one for one in empty)


RECORDING: dict[str, Callable[[Probe], bool]] = {
    "search-looks-at-patient-alone": lambda p: bool(_found(p, "Condition", "category=none")),
    "profile-not-declared": lambda p: "profile" not in _read(p, "Condition")["meta"],
    "race-not-recorded": _race,
    "status-as-shown": lambda p: _read(p, "Encounter")["status"] == "Finished",
    "code-without-system": lambda p: "system" not in _read(p, "Procedure")["code"]["coding"][0],
    "date-time-without-zone": lambda p: len(_read(p, "MedicationRequest")["authoredOn"]) == 19,
    "dosage-not-recorded": lambda p: "dosageInstruction" not in _read(p, "MedicationRequest"),
    "absent-without-reason": _unexplained,
    "medication-dangling": _dangling,
    "empty-list-written": lambda p: _read(p, "Goal").get("note") == [],
    "number-as-text": lambda p: isinstance(
        _read(p, "MedicationDispense")["quantity"]["value"], str
    ),
}
