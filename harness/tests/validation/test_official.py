"""The examples that HL7 publishes with US Core, and what its own validator said of them."""

from __future__ import annotations

import tomllib
from functools import cache
from typing import Any

import pytest

from harness.spec.definitions import load
from harness.tests.validation import packages
from harness.tests.validation.mutants import HERE
from harness.validation.findings import Finding, Severity
from harness.validation.selecting.choosing import us_core
from harness.validation.validator import Validator

KNOWN = tomllib.loads((HERE / "official.toml").read_text("utf-8"))
JUDGED_BY_HL7 = {"4.0.0": 84, "5.0.1": 157, "6.1.0": 183, "7.0.0": 214, "8.0.0": 228}
EXAMPLES = JUDGED_BY_HL7 | {"3.1.1": 84}


@cache
def errors(version: str, *, choosing: bool = False) -> dict[str, list[Finding]]:
    definitions = load("hl7.fhir.us.core", version)
    chooser = us_core(definitions.profiles) if choosing else None
    validator = Validator(definitions, chooser=chooser)
    return {
        name: [one for one in validator.check(example) if one.severity is Severity.ERROR]
        for name, example in packages.examples(version).items()
    }


def known(kind: str, version: str) -> dict[str, Any]:
    return {one["example"]: one for one in KNOWN[kind] if one["us_core"] == version}


@packages.needed
@pytest.mark.parametrize("version", packages.VERSIONS)
def test_official_examples_have_the_known_errors_and_no_others(version: str) -> None:
    wrong = known("error", version)
    found = {name: [(one.rule, one.path) for one in many] for name, many in errors(version).items()}
    assert len(found) == EXAMPLES[version]
    assert {name: many for name, many in found.items() if many and name not in wrong} == {}
    assert {name: {rule for rule, _ in found[name]} for name in wrong} == {
        name: {one["rule"]} for name, one in wrong.items()
    }


@packages.needed
@pytest.mark.parametrize("version", packages.VERSIONS)
def test_profiles_that_are_chosen_find_more_in_no_example_but_the_known(version: str) -> None:
    declared = errors(version)
    more = {name for name, many in errors(version, choosing=True).items() if many != declared[name]}
    assert more == set(known("undeclared", version))


@packages.needed
@pytest.mark.parametrize("version", packages.JUDGED)
def test_verdicts_agree_with_those_of_hl7_except_where_it_is_explained(version: str) -> None:
    differences = known("difference", version)
    official = packages.verdicts(version)
    differing = {
        name
        for name, many in errors(version).items()
        if bool(many) != any(one["severity"] in {"error", "fatal"} for one in official[name])
    }
    assert len(errors(version)) == JUDGED_BY_HL7[version]
    assert differing == set(differences)
