"""The filter accepts nothing in which the exact checker finds an error."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import pytest

from harness.spec.definitions import load
from harness.tests.validation import packages
from harness.tests.validation.chance import drawn
from harness.tests.validation.crosscheck import LONG, corpus, us_core
from harness.tests.validation.mutants import US_CORE, bases, mutants
from harness.validation import fast
from harness.validation.fast.quick import Quick
from harness.validation.findings import Severity
from harness.validation.validator import Validator

NUMBER = 20_000 if LONG else 3_000

pytestmark = pytest.mark.skipif(
    not fast.available(), reason="jsonschema-rs is not installed (extra `fast`)"
)


@cache
def exact(version: str) -> Validator:
    return Validator(load("hl7.fhir.us.core", version))


@cache
def filtering(version: str) -> Quick:
    return Quick(exact(version).check, load("hl7.fhir.us.core", version))


def accepted(version: str, resource: Any) -> bool:
    return filtering(version).accepts(resource)


def unsound(resources: Iterable[tuple[str, str, Any]]) -> tuple[int, list[str]]:
    """Returns how many are accepted, and the names of those that should not have been."""
    count, wrong = 0, []
    for name, version, resource in resources:
        if accepted(version, resource):
            count += 1
            found = exact(version).check(resource)
            if any(one.severity is Severity.ERROR for one in found):
                wrong.append(name)
    return count, wrong


def test_no_defect_made_by_hand_is_accepted() -> None:
    declared = [one for one in mutants() if one.profile is None]
    made = ((one.name, one.us_core, one.resource) for one in declared)
    assert unsound(made) == (0, [])


def test_most_of_what_has_no_defect_is_accepted_at_once() -> None:
    count, wrong = unsound((name, US_CORE, one) for name, one in bases().items())
    assert wrong == []
    assert count >= len(bases()) * 0.8


@packages.needed
@pytest.mark.parametrize("version", packages.VERSIONS)
def test_no_official_example_with_an_error_is_accepted(version: str) -> None:
    _, wrong = unsound((name, version, one) for name, one in packages.examples(version).items())
    assert wrong == []


def test_no_defect_made_by_chance_is_accepted() -> None:
    made = drawn(corpus(), NUMBER, seed=11)
    count, wrong = unsound((one.name, us_core(one), one.resource) for one in made)
    assert wrong == []
    assert count >= NUMBER * 0.05
