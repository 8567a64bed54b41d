from dataclasses import replace

import pytest

from harness.spec.definitions import load
from harness.spec.definitions.model import Element
from harness.validation.exemptions import Defect, defects, exempted
from harness.validation.findings import Finding, Rule, Severity
from harness.validation.invariants import TRANSLATIONS

LITRES = Finding(
    Severity.ERROR,
    Rule.BINDING,
    "Observation.component[0].valueQuantity",
    "a code of http://hl7.org/fhir/ValueSet/ucum-vitals-common (required)",
    '"http://unitsofmeasure.org|L/min"',
    "http://hl7.org/fhir/us/core/StructureDefinition/us-core-pulse-oximetry",
)


def test_an_acknowledged_fault_is_information_with_its_reason_and_source() -> None:
    found = exempted(LITRES)
    assert found.severity is Severity.INFORMATION
    assert "R4B" in found.expected
    assert "https://hl7.org/" in found.expected
    assert replace(found, severity=Severity.ERROR, expected=LITRES.expected) == LITRES


@pytest.mark.parametrize(
    "other",
    [
        replace(LITRES, actual='"http://unitsofmeasure.org|mL/min"'),
        replace(LITRES, path="Observation.valueQuantity"),
        replace(LITRES, rule=Rule.FIXED),
        replace(LITRES, profile=None),
        replace(LITRES, profile="http://hl7.org/fhir/StructureDefinition/oxygensat"),
        replace(LITRES, severity=Severity.WARNING),
    ],
    ids=["unit", "path", "rule", "base", "profile", "severity"],
)
def test_every_other_finding_stays_what_it_is(other: Finding) -> None:
    assert exempted(other) is other


def stated(element: Element, key: str) -> set[str]:
    """The expressions of that key in an element and below."""
    found = {each.expression for each in element.constraints if each.key == key}
    for slicing in [element.slicing] if element.slicing else []:
        found.update(*(stated(each, key) for each in slicing.slices.values()))
    return found.union(*(stated(each, key) for each in element.children.values()))


@pytest.mark.parametrize("defect", defects(), ids=lambda each: f"{each.key} {each.versions[0]}")
def test_each_defect_stands_in_the_versions_that_it_names(defect: Defect) -> None:
    assert defect.expression in TRANSLATIONS
    assert defect.corrected or defect.tracker or defect.source
    for version in defect.versions:
        definitions = load(*version.split("#"))
        roots = [each.root for each in definitions.types.values()]
        roots += [each.root for each in definitions.profiles.values()]
        assert any(defect.expression in stated(root, defect.key) for root in roots), version
