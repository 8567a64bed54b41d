from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.reference.fhir.matching import Target, Text, Token
from harness.reference.fhir.outcome import Refused
from harness.reference.fhir.query import read
from harness.reference.fhir.reading import split, unescaped

BASE = "https://ehr.example.org/r4"


def wanted(resource_type: str, name: str, value: str) -> list[object]:
    (criterion,) = read(resource_type, [(name, value)], BASE, strict=True).criteria
    return list(criterion.wanted)


@pytest.mark.parametrize(
    ("value", "token"),
    [
        ("85354-9", Token(None, "85354-9")),
        ("http://loinc.org|85354-9", Token("http://loinc.org", "85354-9")),
        ("|85354-9", Token("", "85354-9")),
        ("http://loinc.org|", Token("http://loinc.org", None)),
        (r"a\|b", Token(None, "a|b")),
        (r"s|a\,b", Token("s", "a,b")),
    ],
)
def test_tokens_have_four_forms_and_escapes(value: str, token: Token) -> None:
    assert wanted("Observation", "code", value) == [token]


def test_commas_mean_or_and_repetition_means_and() -> None:
    query = read("Observation", [("code", "1,2"), ("code", "3")], BASE, strict=True)
    assert [len(one.wanted) for one in query.criteria] == [2, 1]


@pytest.mark.parametrize(
    ("value", "target"),
    [
        ("1", Target("Patient", "1")),
        ("Patient/1", Target("Patient", "1")),
        (f"{BASE}/Patient/1", Target("Patient", "1")),
        (
            "https://other.example/Patient/1",
            Target(None, None, "https://other.example/Patient/1"),
        ),
        ("Group/1", Target("Group", None)),
    ],
)
def test_references_are_ids_relative_or_absolute(value: str, target: Target) -> None:
    assert wanted("Observation", "patient", value) == [target]


def test_a_subject_may_be_of_any_type() -> None:
    assert wanted("Observation", "subject", "1") == [Target(None, "1")]
    assert wanted("Observation", "subject:Patient", "1") == [Target("Patient", "1")]


def test_string_modifiers_are_read() -> None:
    assert wanted("Patient", "name", "Smith") == [Text("Smith", "start")]
    assert wanted("Patient", "name:exact", "Smith") == [Text("Smith", "exact")]


def test_empty_parameters_count_as_absent() -> None:
    assert read("Patient", [("name", "")], BASE, strict=True).criteria == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("_sort", "code"), ("_sort", "flavour"), ("_include", "Patient:organization"),
     ("_revinclude", "List:item"), ("_summary", "some"), ("_total", "maybe"), ("flavour", "1"),
     ("patient.flavour", "1"), ("flavour.name", "1"), ("_has:Observation:patient", "1"),
     ("_has:Observation:flavour:code", "1"), ("_include:later", "Observation:patient"),
     ("_include", "Observation:patient:Device")],
)  # fmt: skip
def test_what_is_not_supported_is_reported_or_refused(name: str, value: str) -> None:
    query = read("Observation", [(name, value)], BASE, strict=False)
    assert len(query.ignored) == 1
    assert name not in dict(query.used)
    with pytest.raises(Refused):
        read("Observation", [(name, value)], BASE, strict=True)


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=5))
def test_escaped_values_come_back(values: list[str]) -> None:
    escaped = [value.replace("\\", "\\\\").replace(",", "\\,") for value in values]
    assert [unescaped(part) for part in split(",".join(escaped), ",")] == values


@given(st.text(max_size=40))
def test_any_value_is_read_or_refused(value: str) -> None:
    for name in ("code", "date", "patient", "_sort", "_count", "_include"):
        with suppress(Refused):
            read("Observation", [(name, value)], BASE, strict=False)
