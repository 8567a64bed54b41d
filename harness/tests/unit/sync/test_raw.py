from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ProtocolError
from harness.sync.raw import resources_of

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
values = st.recursive(
    leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10
)


def test_bytes_are_those_that_the_server_sent() -> None:
    odd = (
        b'{ "resourceType":"Observation",\n "id" : "1", "v":{"x": 1.500e0}, "t":"\\u00e9\xc3\xa9"}'
    )
    body = b'{"entry" : [ {"fullUrl":"x", "resource":' + odd + b' , "search":{}} ] }\n'
    assert [raw for _, raw in resources_of(body)] == [odd]


def test_a_byte_order_mark_is_no_part_of_it() -> None:
    assert resources_of(b'\xef\xbb\xbf{"entry":[{"resource":{}}]}') == (({}, b"{}"),)


@pytest.mark.parametrize(
    "body",
    [b"{}", b'{"entry": null}', b'{"entry": []}', b'{"entry": {"resource": {}}}', b'{"entry":[1]}'],
)
def test_a_bundle_without_resources_has_none(body: bytes) -> None:
    assert resources_of(body) == ()


def test_of_repeated_members_the_last_one_counts() -> None:
    body = b'{"entry":[{"resource":1}],"entry":[{"resource":2,"resource":3},{}]}'
    assert resources_of(body) == ((3, b"3"),)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"<html>",
        b"{",
        b'{"entry":[{"resource":{}}]',
        b'{"entry":[{"resource":{}},]}',
        b'{"entry":[{"resource":{}}]} x',
        b'{"entry":[{"resource":NaN}]}',
        b'{"entry":[{"resource":{},}]}',
        b"{1:2}",
        b'{"a" 1}',
        b'\xff{"entry":[]}',
        b'{"entry":' + b"[" * 100_000,
    ],
)
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError, match="expected a Bundle as JSON"):
        resources_of(body)


@given(st.lists(values, max_size=4), st.sampled_from([None, 1, "\t"]), st.booleans(), values)
def test_it_agrees_with_the_json_library(
    resources: list[Any], indent: int | str | None, ascii_only: Any, other: Any
) -> None:
    bundle = {"link": other, "entry": [{"resource": each, "x": other} for each in resources]}
    body = json.dumps(bundle, indent=indent, ensure_ascii=ascii_only)
    try:
        encoded = body.encode()
    except UnicodeEncodeError:
        return  # a lone surrogate has no UTF-8
    found = resources_of(encoded)
    assert [value for value, _ in found] == resources
    assert all(json.loads(raw) == value for value, raw in found)
    assert all(raw in encoded for _, raw in found)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with suppress(ProtocolError):
        resources_of(body)
