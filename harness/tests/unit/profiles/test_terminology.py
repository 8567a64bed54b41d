from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from harness.profiles.codes import Known
from harness.profiles.terminology import (
    Terminology,
    code_systems_of,
    known_of,
    value_set_of,
)
from harness.spec.definitions.model import ValueSet
from harness.tests.unit.profiles.making import URL

SYSTEM = f"{URL}CodeSystem/animals"
ANIMALS: dict[str, Any] = {
    "resourceType": "CodeSystem",
    "url": SYSTEM,
    "content": "complete",
    "concept": [
        {"code": "animal", "concept": [{"code": "cat", "concept": [{"code": "lion"}]}]},
        {"code": "dog", "property": [{"code": "subsumedBy", "valueCode": "animal"}]},
        {"code": "stone", "property": [{"code": "child", "valueCode": "pebble"}]},
        {"code": "pebble"},
    ],
}
SNOMED = "http://snomed.info/sct"


def nowhere(_: str) -> None:
    """No code system is known."""


def sets(known: ValueSet) -> dict[str, set[str] | None]:
    """Its codes by system."""
    return {system: None if each is None else set(each) for system, each in known.codes.items()}


def of(
    *include: dict[str, Any],
    exclude: tuple[dict[str, Any], ...] = (),
    more: Mapping[str, Any] | None = None,
) -> ValueSet:
    """What is known of a value set that is composed so."""
    url = f"{URL}ValueSet/one"
    said = {"url": url, "compose": {"include": list(include), "exclude": list(exclude)}}
    every = {url: said, **(more or {})}
    systems = code_systems_of([ANIMALS], [])
    return value_set_of(url, Terminology(every, systems.get).of(url))


def filtered(operator: str, value: str, system: str = SYSTEM) -> dict[str, Any]:
    return {"system": system, "filter": [{"property": "concept", "op": operator, "value": value}]}


def listed(*codes: str, system: str = SYSTEM) -> dict[str, Any]:
    return {"system": system, "concept": [{"code": code} for code in codes]}


def test_a_system_that_is_carried_whole_gives_its_codes() -> None:
    said = of({"system": SYSTEM})
    assert sets(said) == {SYSTEM: {"animal", "cat", "lion", "dog", "stone", "pebble"}}
    assert said.complete


def test_all_of_another_system_is_all_of_it_though_no_code_is_known() -> None:
    assert of({"system": SNOMED}) == ValueSet(f"{URL}ValueSet/one", {SNOMED: None}, complete=True)


@pytest.mark.parametrize(
    ("operator", "top", "codes"),
    [
        ("is-a", "animal", {"animal", "cat", "lion", "dog"}),
        ("descendent-of", "cat", {"lion"}),
        ("is-not-a", "animal", {"stone", "pebble"}),
        ("is-a", "stone", {"stone", "pebble"}),
        ("=", "cat", {"cat"}),
    ],
)
def test_hierarchies_are_followed(operator: str, top: str, codes: set[str]) -> None:
    assert sets(of(filtered(operator, top))) == {SYSTEM: codes}


@pytest.mark.parametrize(
    "part",
    [filtered("is-a", "404684003", SNOMED), filtered("regex", "c.*"), filtered("is-a", "unknown")],
    ids=["elsewhere", "regex", "no such code"],
)
def test_what_cannot_be_worked_out_stays_unknown_but_its_system_is_named(
    part: dict[str, Any],
) -> None:
    said = of(part, listed("x", system="http://x"))
    assert not said.complete
    assert said.systems == frozenset(["http://x", part["system"]])
    assert sets(said) == {"http://x": {"x"}}


def test_codes_are_excluded() -> None:
    said = of({"system": SYSTEM}, exclude=(filtered("is-a", "animal"),))
    assert sets(said) == {SYSTEM: {"stone", "pebble"}}


def test_value_sets_in_one_include_have_to_agree() -> None:
    other = {f"{URL}ValueSet/two": {"compose": {"include": [listed("cat", "stone")]}}}
    part = {"valueSet": [f"{URL}ValueSet/two|3"], **filtered("is-a", "animal")}
    assert sets(of(part, more=other)) == {SYSTEM: {"cat"}}


def test_a_value_set_that_is_not_here_may_hold_anything() -> None:
    said = of({"valueSet": ["http://gone"]}, listed("cat"))
    assert (said.complete, said.systems, sets(said)) == (False, None, {SYSTEM: {"cat"}})


def test_a_value_set_that_includes_itself_ends() -> None:
    assert not of({"valueSet": [f"{URL}ValueSet/one"]}).complete


def test_an_expansion_is_not_read() -> None:
    url = f"{URL}ValueSet/one"
    said = {"url": url, "expansion": {"contains": [{"system": SNOMED, "code": "1"}]}}
    assert Terminology({url: said}, nowhere).of(url).codes == {}


def test_long_lists_of_some_systems_are_left_unknown() -> None:
    url = f"{URL}ValueSet/one"
    said = {"url": url, "compose": {"include": [listed("1", "2", system=SNOMED)]}}
    assert Terminology({url: said}, nowhere, at_most={SNOMED: 2}).of(url).codes
    left = Terminology({url: said}, nowhere, at_most={SNOMED: 1}).of(url)
    assert left == Known(partly=frozenset({SNOMED}))


def test_one_that_is_malformed_is_unknown_and_named() -> None:
    url = f"{URL}ValueSet/one"
    for compose in ({"include": [3]}, {"include": [{"system": SYSTEM, "concept": [{}]}]}):
        problems: list[str] = []
        said = {url: {"resourceType": "ValueSet", "url": url, "compose": compose}}
        assert Terminology(said, nowhere, problems=problems).of(url).anywhere
        assert problems
        assert problems[0].startswith(f"ValueSet {url}: cannot be used")


@pytest.mark.parametrize(
    "known",
    [
        Known({"a": frozenset("1"), "b": None}),
        Known({"a": frozenset("1"), "b": None}, frozenset({"a", "c"})),
        Known({"a": frozenset("1")}, anywhere=True),
    ],
)
def test_what_a_table_says_is_as_good_as_the_definition(known: Known) -> None:
    again = known_of(value_set_of("u", known))
    assert (again.codes, again.anywhere) == (known.codes, known.anywhere)
    if again.partly != known.partly:
        assert again.partly == known.partly | {"a"}
