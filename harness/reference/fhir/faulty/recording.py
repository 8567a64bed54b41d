"""Faults of what was recorded: resources that do not say what US Core wants of them.

They show wherever a resource is read or found. Observation and Patient are spared by those that
are about any type: what an application writes itself has faults of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any, Final

from harness.reference.data.vocabulary import US_CORE
from harness.reference.fhir.stored import Stored

Json = dict[str, Any]
Has = Callable[[str], bool]

_DATE_AND_TIME: Final = len("2026-03-01T08:00:00")
_OWN: Final = {"Observation", "Patient"}


def recorded(has: Has, stored: tuple[Stored, ...]) -> tuple[Stored, ...]:
    """Alters what resources say."""
    alterations = [alter for fault, alter in _ALTERED.items() if has(fault)]
    if not alterations:
        return stored
    return tuple(_altered(one, alterations) for one in stored)


def _altered(stored: Stored, alterations: list[Callable[[Json], None]]) -> Stored:
    resource = deepcopy(stored.resource)
    for alter in alterations:
        alter(resource)
    return replace(stored, parsed=resource, raw=None)


def _forget_profile(resource: Json) -> None:
    if resource["resourceType"] not in _OWN:
        resource.get("meta", {}).pop("profile", None)


def _forget_race(resource: Json) -> None:
    if resource["resourceType"] == "Patient":
        extensions = resource.get("extension", [])
        resource["extension"] = [
            one for one in extensions if one["url"] != f"{US_CORE}us-core-race"
        ]


def _shout_status(resource: Json) -> None:
    status = resource.get("status")
    if resource["resourceType"] not in _OWN and isinstance(status, str):
        resource["status"] = status.capitalize()


def _forget_code_systems(resource: Json) -> None:
    if resource["resourceType"] not in _OWN:
        for coding in resource.get("code", {}).get("coding", []):
            coding.pop("system", None)


def _forget_zones(resource: Json) -> None:
    if resource["resourceType"] in _OWN:
        return
    for name, value in resource.items():
        dated = name.endswith(("DateTime", "Date", "authoredOn", "authored", "whenHandedOver"))
        if dated and isinstance(value, str) and len(value) > _DATE_AND_TIME:
            resource[name] = value[:_DATE_AND_TIME]


def _forget_dosage(resource: Json) -> None:
    resource.pop("dosageInstruction", None)


def _forget_reasons(resource: Json) -> None:
    for element in (resource, *resource.get("component", [])):
        element.pop("dataAbsentReason", None)


def _misdirect_medications(resource: Json) -> None:
    if "medicationReference" in resource:
        resource["medicationReference"] = {"reference": "Medication/formulary-4711"}


def _write_empty_lists(resource: Json) -> None:
    if resource["resourceType"] not in _OWN:
        resource.setdefault("note", [])


def _write_numbers_as_text(resource: Json) -> None:
    if resource["resourceType"] in _OWN:
        return
    for quantity in _quantities(resource):
        if "value" in quantity:
            quantity["value"] = str(quantity["value"])


def _quantities(value: Any) -> Iterator[Json]:
    if isinstance(value, list):
        for one in value:
            yield from _quantities(one)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name.lower().endswith("quantity") and isinstance(inner, dict):
                yield inner
            else:
                yield from _quantities(inner)


_ALTERED: Final[dict[str, Callable[[Json], None]]] = {
    "profile-not-declared": _forget_profile,
    "race-not-recorded": _forget_race,
    "status-as-shown": _shout_status,
    "code-without-system": _forget_code_systems,
    "date-time-without-zone": _forget_zones,
    "dosage-not-recorded": _forget_dosage,
    "absent-without-reason": _forget_reasons,
    "medication-dangling": _misdirect_medications,
    "empty-list-written": _write_empty_lists,
    "number-as-text": _write_numbers_as_text,
}
