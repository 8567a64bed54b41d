from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.reference.fhir.json import NotJson, dumps, loads

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@pytest.mark.parametrize("literal", ["72.50", "0.10", "1e2", "120", "-3.0", "1" * 40, "0.1"])
def test_numbers_come_back_as_they_were_written(literal: str) -> None:
    assert dumps(loads(literal)).decode().lower().replace("e+", "e") == literal


@pytest.mark.parametrize("text", ["", "{", '{"a":1,"a":2}', "NaN", "-Infinity", "[" * 100_000])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(NotJson):
        loads(text)


@given(st.text(max_size=20))
def test_any_text_is_json_or_refused(text: str) -> None:
    try:
        value = loads(text)
    except NotJson:
        return
    assert json.loads(dumps(value)) == json.loads(text)


@given(VALUES)
def test_values_come_back(value: object) -> None:
    text = json.dumps(value, ensure_ascii=True)
    try:
        written = dumps(loads(text))
    except UnicodeEncodeError:
        return
    assert json.loads(written) == json.loads(text)
