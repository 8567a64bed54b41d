"""Each defect made by hand is found, by rule and place, and none where there is none."""

from __future__ import annotations

import json
from functools import cache

import pytest

from harness.spec.definitions import load
from harness.tests.validation.mutants import US_CORE, Mutant, bases, mutants
from harness.validation.findings import Finding, Rule, Severity
from harness.validation.validator import Validator


@cache
def validator(us_core: str, profile: str | None = None) -> Validator:
    return Validator(load("hl7.fhir.us.core", us_core), profiles=(profile,) if profile else ())


def errors(found: tuple[Finding, ...]) -> list[Finding]:
    return [one for one in found if one.severity is Severity.ERROR]


@pytest.mark.parametrize("name", sorted(bases()))
def test_a_resource_without_defects_has_no_errors(name: str) -> None:
    judged_by = {US_CORE, *(one.us_core for one in mutants() if one.base == name)}
    for us_core in sorted(judged_by):
        assert errors(validator(us_core).check(bases()[name])) == []


@pytest.mark.parametrize("mutant", mutants(), ids=lambda one: one.name)
def test_a_defect_is_found_where_it_is(mutant: Mutant) -> None:
    found = validator(mutant.us_core, mutant.profile).check(mutant.resource)
    assert any(map(mutant.is_caught_by, found)), errors(found)


def test_each_mutant_differs_from_its_base() -> None:
    for one in mutants():
        assert json.dumps(one.resource) != json.dumps(bases()[one.base]), one.name


WITHOUT_MUTANT = {
    "json": "text that is no JSON, or nested too deep: no change of a resource",
    "slicing": "a closed or ordered slicing: US Core has none",
    "profile": "a profile that is not known, which is no error",
    "not-checked": "never an error",
}


def test_the_mutants_reach_every_rule_and_most_profiles() -> None:
    """So that a theme that falls silent, or a new rule without a mutant, is seen."""
    assert {one.rule for one in mutants()} | set(WITHOUT_MUTANT) == {rule.value for rule in Rule}
    profiles = {
        profile
        for one in mutants()
        for profile in bases()[one.base].get("meta", {}).get("profile", ())
    }
    assert len(mutants()) >= 400
    assert len(profiles) >= 40
