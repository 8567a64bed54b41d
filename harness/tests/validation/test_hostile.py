"""Whatever an EHR sends, the validator answers with findings, and in time."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
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
"""Seconds of processor for a resource of a few megabytes; what grows with the square of its input
takes minutes."""


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
NAMES_OF_MEMBERS = {name for base in bases().values() for name in base} | {
    *("extension", "url", "contained", "_status", "value", "valueCode", "resource", "div"),
    *("item", "_given", "given", "linkId"),
}
names = st.text() | st.sampled_from(sorted(NAMES_OF_MEMBERS))
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


def nested(wrap: Callable[[Any], Any]) -> Any:
    made: Any = {"url": "http://example.org/x", "valueString": "x"}
    for _ in range(DEEP):
        made = wrap(made)
    return made


DEEP_ONES: dict[str, Callable[[], Any]] = {
    "arrays": lambda: {"resourceType": "Patient", "extension": nested(lambda it: [it])},
    "extensions": lambda: {
        "resourceType": "Patient",
        "extension": [nested(lambda it: {"url": "http://example.org/y", "extension": [it]})],
    },
    "items": lambda: {
        "resourceType": "Questionnaire",
        "status": "draft",
        "item": [nested(lambda it: {"linkId": "1", "type": "group", "item": [it]})],
    },
    "contained": lambda: {
        "resourceType": "Patient",
        "contained": [nested(lambda it: {"resourceType": "Basic", "contained": [it]})],
    },
    "bundles": lambda: nested(
        lambda it: {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": it}]}
    ),
    "a concept": lambda: {"resourceType": "Observation", "code": nested(lambda it: {"coding": it})},
    "unknown members": lambda: {"resourceType": "Patient", "name": nested(lambda it: {"foo": it})},
}


@pytest.mark.parametrize("kind", DEEP_ONES)
def test_deep_nesting_is_refused(kind: str) -> None:
    assert errors(DEEP_ONES[kind]())


NUMBERS = {
    "5,000 digits": 10**5_000,
    "5,000 digits below zero": -(10**5_000),
    "infinite": float("inf"),
    "none": float("nan"),
    "the smallest": 5e-324,
}


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("member", ["value", "unit", "code"])
def test_numbers_of_any_size_are_answered(number: str, member: str) -> None:
    resource = copy.deepcopy(bases()["body-weight"])
    resource["valueQuantity"][member] = NUMBERS[number]
    judged(resource)


TEXTS = {
    "half a character": "\ud800",
    "no character": "\u0000",
    "right to left": "\u202e",
    "ten million characters": "x" * 10_000_000,
    "lines": "\n" * 100_000,
}


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("name", ["patient", "careplan", "diagnosticreport-note"])
def test_texts_of_any_kind_are_answered(name: str, text: str) -> None:
    resource = copy.deepcopy(bases()[name])
    resource["text"] = {"status": "generated", "div": TEXTS[text]}
    resource["id"] = TEXTS[text]
    resource[TEXTS[text]] = TEXTS[text]
    assert errors(resource)


def many(make: Callable[[int], Any]) -> list[Any]:
    return [make(number) for number in range(MANY)]


def div(inner: str) -> Any:
    text = f'<div xmlns="http://www.w3.org/1999/xhtml">{inner}</div>'
    return bases()["careplan"] | {"text": {"status": "generated", "div": text}}


MANY_OF: dict[str, Callable[[], Any]] = {
    "items": lambda: {
        "resourceType": "Questionnaire",
        "status": "draft",
        "item": many(lambda i: {"linkId": str(i), "type": "string"}),
    },
    "extensions": lambda: (
        bases()["patient"]
        | {"extension": many(lambda i: {"url": f"http://example.org/{i}", "valueInteger": i})}
    ),
    "categories": lambda: (
        bases()["lab"] | {"category": many(lambda i: {"coding": [{"code": str(i)}]})}
    ),
    "components": lambda: (
        bases()["lab"]
        | {"component": many(lambda i: {"code": {"coding": [{"code": str(i)}]}, "valueInteger": i})}
    ),
    "codings": lambda: (
        bases()["clinical-result"]
        | {
            "code": {"coding": many(lambda i: {"code": str(i)})},
            "component": [{"code": {"coding": many(lambda i: {"code": f"x{i}"})}}],
        }
    ),
    "entries": lambda: {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": many(
            lambda i: {
                "fullUrl": f"urn:oid:1.2.{i}",
                "resource": {"resourceType": "Basic", "code": {"text": "x"}},
            }
        ),
    },
    "contained resources": lambda: (
        bases()["contained"]
        | {
            "contained": many(
                lambda i: {"resourceType": "Medication", "id": str(i), "code": {"text": "x"}}
            )
        }
    ),
    "references to contained resources": lambda: (
        bases()["contained"]
        | {
            "contained": many(lambda i: {"resourceType": "Device", "id": str(i)}),
            "supportingInformation": many(lambda i: {"reference": f"#{i}"}),
        }
    ),
    "unknown members": lambda: bases()["patient"] | {f"member{i}": i for i in range(MANY)},
    "names": lambda: {
        "resourceType": "Patient",
        "name": [{"given": ["x"] * MANY, "_given": [None] * MANY}],
    },
    "paragraphs": lambda: div("<p>a</p>" * MANY),
    "nested letters": lambda: div("<b>" * MANY + "a" + "</b>" * MANY),
}


@pytest.mark.parametrize("kind", MANY_OF)
def test_much_of_one_thing_takes_no_more_than_seconds(kind: str) -> None:
    resource = MANY_OF[kind]()
    began = time.process_time()
    judged(resource)
    assert time.process_time() - began < LONG
