"""Launch context is read whatever its form, and judged by the version."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.smart.context import Context, ContextItem

VERSIONS = ("1.0.0", "2.0.0", "2.2.0")
GOOD = {
    "patient": "p-1",
    "encounter": "e.1",
    "need_patient_banner": False,
    "smart_style_url": "https://ehr.example.org/style.json",
    "intent": "reconcile-medications",
    "tenant": "clinic-7",
}


def members(body: dict[str, Any], version: str = "2.2.0") -> list[str]:
    return [problem.member for problem in Context.parse(body, version).problems]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_context_as_it_has_to_be_has_no_problems(version: str) -> None:
    context = Context.parse(GOOD, version)
    assert context.problems == ()
    assert (context.patient, context.encounter, context.tenant) == ("p-1", "e.1", "clinic-7")
    assert context.need_patient_banner is False
    assert context.smart_style_url == "https://ehr.example.org/style.json"
    assert context.intent == "reconcile-medications"
    assert Context.parse({}, version) == Context()


@pytest.mark.parametrize(
    ("member", "value", "kept"),
    [
        ("patient", "Patient/p-1", "p-1"),
        ("patient", 17, "17"),
        ("patient", "", None),
        ("patient", "a b", None),
        ("encounter", False, None),
        ("need_patient_banner", "maybe", None),
        ("need_patient_banner", 1, None),
        ("smart_style_url", "/style.json", "/style.json"),
        ("smart_style_url", "https://[::1", "https://[::1"),
        ("smart_style_url", [], None),
        ("intent", {}, None),
        ("tenant", " ", None),
    ],
)
def test_each_member_has_its_own_problem(member: str, value: object, kept: object) -> None:
    context = Context.parse(GOOD | {member: value}, "2.0.0")
    assert [problem.member for problem in context.problems] == [member]
    assert str(context.problems[0]).startswith(f"{member}: expected ")
    assert context.about(member) == context.problems
    assert getattr(context, member) == kept


OBJECTS = [
    {"reference": "ImagingStudy/123"},
    {"canonical": "https://example.org/Questionnaire/q|1.0", "type": "Questionnaire"},
    {"identifier": {"system": "urn:x", "value": "7"}, "type": "ServiceRequest"},
    {"reference": "Patient/p-2", "role": "https://example.org/role/donor"},
    {"reference": "Task/1/_history/2", "role": "launch", "type": "Task"},
]
STRINGS = ["ImagingStudy/123", "DiagnosticReport/9"]


def test_fhir_context_is_read_in_both_forms_and_judged_by_the_version() -> None:
    assert members({"fhirContext": OBJECTS}, "2.2.0") == []
    assert members({"fhirContext": STRINGS}, "2.0.0") == []
    assert members({"fhirContext": OBJECTS[:1]}, "2.0.0") == []
    assert members({"fhirContext": STRINGS}, "2.2.0") == ["fhirContext[0]", "fhirContext[1]"]
    for version in VERSIONS:
        as_string = Context.parse({"fhirContext": STRINGS[:1]}, version).fhir_context
        as_object = Context.parse({"fhirContext": OBJECTS[:1]}, version).fhir_context
        expected = (ContextItem(reference="ImagingStudy/123", type="ImagingStudy"),)
        assert as_string == as_object == expected
    third = Context.parse({"fhirContext": OBJECTS}, "2.2.0").fhir_context[3]
    assert (third.type, third.role) == ("Patient", "https://example.org/role/donor")


@pytest.mark.parametrize(
    ("item", "member"),
    [
        ({}, ""),
        ({"type": "Task"}, ""),
        (7, ""),
        ({"reference": "https://ehr.example.org/fhir/Task/1"}, ".reference"),
        ({"reference": "Foo/1"}, ".reference"),
        ({"reference": None}, ".reference"),
        ({"canonical": "Questionnaire/q"}, ".canonical"),
        ({"canonical": 1}, ".canonical"),
        ({"identifier": "7"}, ".identifier"),
        ({"identifier": {}}, ".identifier"),
        ({"reference": "Task/1", "type": "Foo"}, ".type"),
        ({"reference": "Task/1", "type": ["Task"]}, ".type"),
        ({"reference": "Task/1", "type": "Goal"}, ".type"),
        ({"reference": "Task/1", "role": ""}, ".role"),
        ({"reference": "Task/1", "role": None}, ".role"),
        ({"reference": "Task/1", "role": "donor"}, ".role"),
        ({"reference": "Patient/1"}, ""),
        ({"reference": "Encounter/1", "role": "launch"}, ""),
    ],
)
def test_an_object_that_departs_is_named_with_its_member(item: object, member: str) -> None:
    context = Context.parse({"fhirContext": [{"reference": "Task/0"}, item]}, "2.2.0")
    assert [each.member for each in context.problems] == [f"fhirContext[1]{member}"]
    assert context.about("fhirContext") == context.problems
    assert context.about("patient") == ()


@pytest.mark.parametrize(
    "item", ["Patient/1", "Encounter/1", "Foo/1", "Task", "https://a/Task/1", 3]
)
def test_a_string_that_departs_is_named(item: object) -> None:
    assert members({"fhirContext": [item]}, "2.0.0") == ["fhirContext[0]"]


def test_what_is_no_array_is_named_and_version_1_leaves_it_undefined() -> None:
    assert members({"fhirContext": "Task/1"}) == ["fhirContext"]
    assert members({"fhirContext": None, "patient": None, "need_patient_banner": None}) == []
    assert members({"fhirContext": [7, {}, "x"]}, "1.0.0") == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)
items = st.dictionaries(
    st.sampled_from(["reference", "canonical", "identifier", "type", "role"]), json_values
)
bodies = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(GOOD, json_values) | {"fhirContext": st.lists(items | json_values)}
)


@given(bodies, st.sampled_from(VERSIONS))
def test_no_token_response_breaks_the_reader(body: dict[str, Any], version: str) -> None:
    context = Context.parse(body, version)
    for problem in context.problems:
        assert str(problem).isprintable()
