"""What is written to a table is what is read from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.spec.definitions import decode, encode, server_rows
from harness.spec.definitions.model import (
    UNBOUNDED,
    Amendment,
    Binding,
    Choice,
    CodeSystem,
    Constraint,
    Discriminator,
    Element,
    Kind,
    Profile,
    Slicing,
    Strength,
    Support,
    Type,
    TypeRef,
    ValueSet,
)
from harness.spec.definitions.server import (
    Allowance,
    Combination,
    Expectation,
    ExpectedOperation,
    ExpectedParameter,
    ExpectedResource,
    SearchParameter,
    Server,
)
from harness.spec.definitions.table import Table, text_of

TEXT = st.text(max_size=6)
URL = st.sampled_from(
    ["http://hl7.org/fhir/StructureDefinition/Patient", "http://x/y", "urn:oid:1.2", "http://x/%22"]
)
URLS = st.lists(URL, max_size=2).map(tuple)
TEXTS = st.lists(TEXT, max_size=2).map(tuple)
CODE = st.sampled_from(["code", "Quantity", "Reference"])
VALUE = st.recursive(
    st.one_of(st.booleans(), st.integers(), TEXT),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(TEXT, inner, min_size=1, max_size=2)
    ),
    max_leaves=4,
)
REFS = st.lists(st.builds(TypeRef, CODE, URLS, URLS, st.booleans(), URLS), max_size=2).map(tuple)
FURTHER = st.lists(st.tuples(st.sampled_from(["current", "minimum"]), URL), max_size=1).map(tuple)
BINDING = st.builds(Binding, st.sampled_from(Strength), URL, st.none() | URL, FURTHER)
CONSTRAINTS = st.lists(
    st.builds(Constraint, TEXT, st.sampled_from(["error", "warning"]), TEXT, TEXT), max_size=2
).map(tuple)
BY = st.lists(
    st.builds(Discriminator, st.sampled_from(["value", "type"]), st.sampled_from(["$this", "a.b"])),
    max_size=2,
).map(tuple)
LEAST = st.none() | st.integers(0, 3)
MOST = st.none() | st.integers(0, 3) | st.just(UNBOUNDED)


def element(name: str, depth: int = 1) -> st.SearchStrategy[Element]:
    inner = element("child", depth - 1) if depth else st.nothing()
    below = st.dictionaries(st.just("child"), inner) if depth else st.just({})
    same = element(name, depth - 1) if depth else st.nothing()
    slices = st.dictionaries(TEXT, same, max_size=1) if depth else st.just({})
    slicing = st.builds(Slicing, BY, st.sampled_from(["open", "closed"]), st.booleans(), slices)
    return st.builds(
        Element,
        name=st.just(name),
        minimum=LEAST,
        maximum=MOST,
        array=st.booleans(),
        types=REFS,
        same_as=st.none() | st.just("Thing.part"),
        binding=st.none() | BINDING,
        fixed=st.none() | VALUE,
        pattern=st.none() | VALUE,
        constraints=CONSTRAINTS,
        must_support=st.booleans(),
        uscdi=st.booleans(),
        longest=st.none() | st.integers(0, 9),
        slicing=st.none() | slicing,
        children=below,
    )


AMENDMENTS = st.lists(
    st.builds(Amendment, TEXT, TEXT, st.none() | TEXT, URLS, st.booleans()), max_size=1
).map(tuple)
CHOICES = st.lists(st.builds(Choice, TEXTS, URLS, st.booleans()), max_size=1).map(tuple)
SUPPORT = st.builds(Support, CHOICES, AMENDMENTS, AMENDMENTS)
EXPECTATION = st.none() | st.sampled_from(Expectation)
EXPECTATIONS = st.dictionaries(TEXT, EXPECTATION, max_size=2)
OPERATIONS = st.lists(st.builds(ExpectedOperation, TEXT, TEXT, EXPECTATION), max_size=1).map(tuple)
RESOURCE = st.builds(
    ExpectedResource,
    st.just("Thing"),
    EXPECTATION,
    EXPECTATIONS,
    EXPECTATIONS,
    st.dictionaries(
        st.just("date"),
        st.builds(ExpectedParameter, st.just("date"), TEXT, st.none() | URL, EXPECTATION),
    ),
    st.lists(st.builds(Combination, TEXTS, TEXTS, EXPECTATION), max_size=1).map(tuple),
    EXPECTATIONS,
    EXPECTATIONS,
    OPERATIONS,
    EXPECTATIONS,
)
ALLOWANCE = st.builds(Allowance, st.none() | st.booleans(), EXPECTATION)


def through(row: Mapping[str, Any]) -> Any:
    """A row as it is after it was a line of a file."""
    table = Table("t", [{"t": text_of({"key": row})}.get], lambda _, read: read)
    return table["key"]


@settings(max_examples=40)
@given(st.builds(Type, st.just("T"), st.sampled_from(Kind), st.booleans(), st.none() | TEXT,
                 element("T"), st.none() | TEXT))  # fmt: skip
def test_types(type_: Type) -> None:
    assert decode.type_of("T", through(encode.type_row(type_))) == type_


@settings(max_examples=40)
@given(st.builds(Profile, URL, TEXT, TEXT, st.just("T"), URL, element("T"), URLS, SUPPORT))
def test_profiles(profile: Profile) -> None:
    assert decode.profile_of(profile.url, through(encode.profile_row(profile))) == profile


@settings(max_examples=40)
@given(
    st.builds(
        ValueSet,
        URL,
        st.dictionaries(URL, st.none() | st.frozensets(TEXT, max_size=3), max_size=2),
        st.booleans(),
        st.none() | st.frozensets(URL, max_size=2),
    )
)
def test_value_sets(said: ValueSet) -> None:
    assert decode.value_set_of(said.url, through(encode.value_set_row(said))) == said


@settings(max_examples=40)
@given(
    st.builds(
        CodeSystem,
        URL,
        st.frozensets(TEXT, max_size=3),
        st.dictionaries(TEXT, st.lists(TEXT, min_size=1, max_size=2).map(sorted).map(tuple)),
    )
)
def test_code_systems(said: CodeSystem) -> None:
    assert decode.code_system_of(said.url, through(encode.code_system_row(said))) == said


@settings(max_examples=40)
@given(
    st.builds(
        SearchParameter,
        URL, TEXT, TEXT, TEXTS, st.none() | TEXT, TEXTS, EXPECTATIONS, EXPECTATIONS, EXPECTATIONS,
        ALLOWANCE, ALLOWANCE, st.lists(st.tuples(URL, TEXT), max_size=1).map(tuple),
    )
)  # fmt: skip
def test_search_parameters(said: SearchParameter) -> None:
    assert server_rows.parameter_of(said.url, through(server_rows.parameter_row(said))) == said


@settings(max_examples=40)
@given(
    st.builds(
        Server,
        URL, TEXT, TEXT, EXPECTATIONS, EXPECTATIONS, EXPECTATIONS,
        st.dictionaries(st.just("Thing"), RESOURCE), OPERATIONS,
    )
)  # fmt: skip
def test_servers(said: Server) -> None:
    assert server_rows.server_of(said.url, through(server_rows.server_row(said))) == said


@given(st.dictionaries(st.text(), st.dictionaries(TEXT, VALUE, max_size=2), max_size=4))
@example({'":': {}, ":": {}, ":0": {}, "": {}, "\\": {}, '\\":': {"a": 1}, "\u2028\n": {}})
def test_a_table_is_json_whose_rows_are_found_by_any_key(rows: dict[str, Any]) -> None:
    text = text_of(rows)
    table = Table("t", [{"t": text}.get], lambda _, row: row)
    assert json.loads(text) == rows
    assert dict(table) == rows
    assert list(table) == sorted(rows)


def test_where_two_packages_define_the_same_the_later_one_wins() -> None:
    lower = text_of({"a": {"of": 1}, "b": {"of": 1}})
    upper = text_of({"b": {"of": 2}})
    table = Table(
        "t", [{"t": lower}.get, dict[str, str]().get, {"t": upper}.get], lambda _, row: row["of"]
    )
    assert dict(table) == {"a": 1, "b": 2}


def test_a_row_is_parsed_once_and_only_when_it_is_asked_for() -> None:
    read: list[str] = []
    text = text_of({"a": {}, "b": {}})

    def reading(key: str, _: object) -> str:
        read.append(key)
        return key

    table = Table("t", [{"t": text}.get], reading)
    assert len(table) == 2
    assert "a" in table
    assert read == []
    assert (table["a"], table["a"]) == ("a", "a")
    assert read == ["a"]
