"""Whatever an EHR sends, the validator answers with findings, and in time."""

from __future__ import annotations

import copy
import time
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.spec.definitions import load
from harness.tests.validation.chance import drawn
from harness.tests.validation.mutants import US_CORE, bases
from harness.validation.findings import Finding, Severity
from harness.validation.validator import Validator

DEEP = 100_000
MANY = 20_000
NAMES = sorted(bases())
LONG = 20.0
"""Seconds that no resource of a few megabytes may take, on a machine that does other things too;
what grows with the square of its input takes minutes."""


@cache
def validator() -> Validator:
    return Validator(load("hl7.fhir.us.core", US_CORE))


def judged(resource: Any) -> tuple[Finding, ...]:
    found = validator().check(resource)
    for one in found:
        for text in (one.path, one.expected, one.actual):
            assert len(text) < 5_000
            assert text.isprintable()
    return found


def errors(resource: Any) -> list[Finding]:
    return [one for one in judged(resource) if one.severity is Severity.ERROR]


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["Patient", "Observation", "final", "http://loinc.org", "2024-02-30"])
)
names = st.text() | st.sampled_from(
    [
        "resourceType",
        "id",
        "meta",
        "extension",
        "url",
        "contained",
        "_status",
        "value",
        "valueCode",
        "entry",
        "resource",
        "div",
        "text",
        "item",
        "name",
        "_given",
        "given",
        "component",
    ]
)
documents = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(names, inner), max_leaves=40
)


@given(documents)
def test_arbitrary_json_is_answered_with_findings(document: Any) -> None:
    assert errors(document) or isinstance(document, dict)


@given(st.sampled_from(NAMES), st.data())
def test_arbitrary_json_in_the_place_of_any_member_is_answered(
    name: str, data: st.DataObject
) -> None:
    resource = copy.deepcopy(bases()[name])
    parent: Any = resource
    while True:
        keys = list(parent) if isinstance(parent, dict) else list(range(len(parent)))
        key = data.draw(st.sampled_from(keys))
        inner = parent[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            break
        parent = inner
    parent[key] = data.draw(documents)
    judged(resource)


def test_mutants_by_chance_never_raise() -> None:
    for one in drawn(list(bases().items()), 3_000, seed=1):
        judged(one.resource)


def nested(depth: int, wrap: Any) -> Any:
    made: Any = {"url": "http://example.org/x", "valueString": "x"}
    for _ in range(depth):
        made = wrap(made)
    return made


@pytest.mark.parametrize(
    "resource",
    [
        {"resourceType": "Patient", "extension": nested(DEEP, lambda it: [it])},
        {
            "resourceType": "Patient",
            "extension": [nested(DEEP, lambda it: {"url": "http://x.org/y", "extension": [it]})],
        },
        {"resourceType": "Questionnaire", "status": "draft",
         "item": [nested(DEEP, lambda it: {"linkId": "1", "type": "group", "item": [it]})]},
        {"resourceType": "Patient", "contained": [
            nested(DEEP, lambda it: {"resourceType": "Basic", "contained": [it]})]},
        nested(DEEP, lambda it: {"resourceType": "Bundle", "type": "collection",
                                 "entry": [{"resource": it}]}),
        {"resourceType": "Observation", "code": nested(DEEP, lambda it: {"coding": it})},
        {"resourceType": "Patient", "name": nested(DEEP, lambda it: {"foo": it})},
    ],
    ids=["arrays", "extensions", "items", "contained", "bundles", "a concept", "unknown members"],
)  # fmt: skip
def test_deep_nesting_is_refused(resource: Any) -> None:
    assert errors(resource)


@pytest.mark.parametrize(
    "number", [10**5_000, -(10**5_000), float("inf"), float("-inf"), float("nan"), 1e308, 5e-324]
)
@pytest.mark.parametrize("path", ["value", "unit", "code"])
def test_numbers_of_any_size_are_answered(number: float, path: str) -> None:
    resource = copy.deepcopy(bases()["body-weight"])
    resource["valueQuantity"][path] = number
    judged(resource)


@pytest.mark.parametrize("text", ["\ud800", "\u0000", "\u202e", "x" * 10_000_000, "\n" * 100_000])
def test_texts_of_any_kind_are_answered(text: str) -> None:
    for name in ("patient", "careplan", "diagnosticreport-note"):
        resource = copy.deepcopy(bases()[name])
        resource["text"] = {"status": "generated", "div": text}
        resource["id"] = text
        resource[text] = text
        assert errors(resource)


def many(make: Any) -> list[Any]:
    return [make(number) for number in range(MANY)]


@pytest.mark.parametrize(
    "resource",
    [
        {"resourceType": "Questionnaire", "status": "draft",
         "item": many(lambda i: {"linkId": str(i), "type": "string"})},
        bases()["patient"] | {"extension": many(
            lambda i: {"url": f"http://example.org/{i}", "valueInteger": i})},
        bases()["lab"] | {"category": many(lambda i: {"coding": [{"code": str(i)}]})},
        bases()["lab"] | {"component": many(
            lambda i: {"code": {"coding": [{"code": str(i)}]}, "valueInteger": i})},
        {"resourceType": "Bundle", "type": "collection", "entry": many(
            lambda i: {"fullUrl": f"urn:oid:1.2.{i}", "resource": {"resourceType": "Basic",
                                                                 "code": {"text": "x"}}})},
        bases()["contained"] | {"contained": many(
            lambda i: {"resourceType": "Medication", "id": str(i), "code": {"text": "x"}})},
        bases()["patient"] | {f"member{i}": i for i in range(MANY)},
        {"resourceType": "Patient", "name": [{"given": ["x"] * MANY, "_given": [None] * MANY}]},
        bases()["careplan"] | {"text": {"status": "generated", "div":
            '<div xmlns="http://www.w3.org/1999/xhtml">' + "<p>a</p>" * MANY + "</div>"}},
        bases()["careplan"] | {"text": {"status": "generated", "div":
            '<div xmlns="http://www.w3.org/1999/xhtml">' + "<b>" * MANY + "a" + "</b>" * MANY
            + "</div>"}},
    ],
    ids=["items", "extensions", "categories", "components", "entries", "contained", "unknown",
         "names", "a wide narrative", "a deep narrative"],
)  # fmt: skip
def test_much_of_one_thing_takes_no_more_than_seconds(resource: Any) -> None:
    began = time.monotonic()
    judged(resource)
    assert time.monotonic() - began < LONG
