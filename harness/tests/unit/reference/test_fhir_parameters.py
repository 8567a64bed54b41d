from __future__ import annotations

from typing import get_args

import pytest

from harness.reference.fhir.parameters import (
    INCLUDES,
    PARAMETERS,
    REV_INCLUDES,
    Kind,
    Parameter,
)
from harness.reference.fhir.resources import RESOURCES
from harness.reference.fhir.values import Target, Token, extracted

DATED = {
    "extension": [
        {"url": "urn:other", "valueDateTime": "2001"},
        {"url": "urn:wanted", "valueDateTime": "2026-03-01"},
    ],
    "telecom": [{"system": "phone", "value": "1"}, {"system": "email", "value": "a@b"}],
}


def test_every_resource_type_has_its_row_and_no_other() -> None:
    assert set(PARAMETERS) == set(RESOURCES)


def test_every_row_is_readable() -> None:
    for resource_type, table in PARAMETERS.items():
        for name, one in table.items():
            where = (resource_type, name)
            assert one.kind in get_args(Kind), where
            assert one.definition.startswith("http://hl7.org/fhir/"), where
            assert set(one.targets) <= set(RESOURCES), where
            assert one.paths or one.parts, where
            assert len(one.parts) == (2 if one.kind == "composite" else 0), where


def test_references_are_followed_in_both_directions() -> None:
    assert "medication" in INCLUDES["MedicationRequest"]
    assert "MedicationRequest:medication" in REV_INCLUDES["Medication"]
    assert "Observation:patient" not in REV_INCLUDES["Medication"]
    for resource_type in RESOURCES:
        assert "Provenance:target" in REV_INCLUDES[resource_type]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("extension[urn:wanted].valueDateTime", ["2026-03-01"]),
        ("extension[http://x.y/z].valueDateTime", []),
        ("telecom[email].value", ["a@b"]),
        ("telecom.value", ["1", "a@b"]),
        ("name.given", []),
    ],
)
def test_paths_lead_to_elements(path: str, found: list[str]) -> None:
    assert list(Parameter("x", "token", (path,), "").values(DATED)) == found


def test_references_are_relative_absolute_canonical_or_by_identifier() -> None:
    subject = PARAMETERS["Observation"]["subject"]
    for element, target in (
        ({"reference": "Patient/1"}, Target("Patient", "1")),
        ({"reference": "https://x.org/Patient/1"}, Target(None, None, "https://x.org/Patient/1")),
        ({"identifier": {"system": "s", "value": "v"}},
         Target(None, None, None, Token("s", "v"))),
    ):  # fmt: skip
        assert extracted({"subject": element}, subject) == (target,)
    form = PARAMETERS["QuestionnaireResponse"]["questionnaire"]
    assert extracted({"questionnaire": "urn:q|1"}, form) == (Target(None, None, "urn:q|1"),)
    assert extracted({"subject": {"reference": "Medication/1"}}, subject) == ()


def test_a_composite_takes_both_halves_from_one_element() -> None:
    both = PARAMETERS["Observation"]["component-code-value-quantity"]
    code = {"coding": [{"system": "s", "code": "c"}]}
    pairs = extracted(
        {"component": [{"code": code}, {"code": code, "valueQuantity": {"value": 1}}]}, both
    )
    assert len(pairs) == 1
    assert pairs[0].first == (Token("s", "c"),)
