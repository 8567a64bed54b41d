"""What the reference EHR holds is valid: an EHR that we call conformant has to conform."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import pytest

from harness.reference.data.world import World
from harness.spec.definitions import load
from harness.validation.findings import Severity
from harness.validation.selecting.choosing import us_core as us_core_profiles
from harness.validation.validator import Validator

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PATIENTS = 8
TYPES = 25
"""There are at least so many resource types; a world that lost one would still be valid."""


def resources(seed: int) -> Iterator[Any]:
    world = World(seed, PATIENTS, NOW)
    histories = [
        *world.shared,
        *(world.patient(ordinal) for ordinal in range(1, PATIENTS + 1)),
        *chain.from_iterable(world.records(ordinal) for ordinal in range(1, PATIENTS + 1)),
        *chain.from_iterable(world.sensor(ordinal) for ordinal in range(1, PATIENTS + 1)),
    ]
    return chain.from_iterable(histories)


@pytest.mark.parametrize("us_core", ["6.1.0", "7.0.0"])
@pytest.mark.parametrize("seed", [1, 2])
def test_every_resource_of_the_reference_ehr_is_valid(us_core: str, seed: int) -> None:
    definitions = load("hl7.fhir.us.core", us_core)
    validator = Validator(definitions, chooser=us_core_profiles(definitions.profiles))
    types = set()
    declared = set()
    for one in resources(seed):
        wrong = [it for it in validator.check(one) if it.severity is Severity.ERROR]
        assert wrong == [], one["id"]
        types.add(one["resourceType"])
        declared.update(one["meta"].get("profile", ()))
    assert len(types) >= TYPES
    assert declared <= set(definitions.profiles)
