from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ProtocolError
from harness.http.exchange import Exchange, Request, Response
from harness.sync.answers.raw import RawPage, page_of
from harness.sync.answers.salvage import salvaged
from harness.sync.answers.scan import resources_of
from harness.sync.answers.told import Told, told

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
names = st.text() | st.sampled_from(["resourceType", "id", "meta", "subject", "link"])
values = st.recursive(
    leaves, lambda inner: st.lists(inner) | st.dictionaries(names, inner), max_leaves=10
)

Resources = tuple[tuple[Told | None, bytes], ...]
Reading = Callable[[bytes], Resources]


def page(body: bytes) -> RawPage:
    request = Request("GET", "https://ehr.example/fhir/Observation?patient=p")
    return page_of(Exchange(1, "sync", request, Response(200, body=body), datetime.now(UTC), 0.1))


def patiently(body: bytes) -> Resources:
    return tuple((told(value), sent) for value, sent in resources_of(body))


def quickly(body: bytes) -> Resources:
    return page(body).resources


both = pytest.mark.parametrize("reading", [quickly, patiently])


@both
def test_bytes_are_those_that_the_server_sent(reading: Reading) -> None:
    odd = (
        b'{ "resourceType":"Observation",\n "id" : "1", "v":{"x": 1.500e0}, "t":"\\u00e9\xc3\xa9"}'
    )
    body = b'{"entry" : [ {"fullUrl":"x", "resource":' + odd + b' , "search":{}} ] }\n'
    assert [sent for _, sent in reading(body)] == [odd]


@both
def test_a_byte_order_mark_is_no_part_of_it(reading: Reading) -> None:
    body = b'{"entry":[{"resource":{}}]}'
    assert reading(b"\xef\xbb\xbf" + body) == ((Told(), b"{}"),)


@both
@pytest.mark.parametrize(
    "body",
    [b"{}", b'{"entry": null}', b'{"entry": []}', b'{"entry": {"resource": {}}}', b'{"entry":[1]}'],
)
def test_a_bundle_without_resources_has_none(reading: Reading, body: bytes) -> None:
    assert reading(body) == ()


@both
def test_of_repeated_members_the_last_one_counts(reading: Reading) -> None:
    body = b'{"entry":[{"resource":1}],"entry":[{"resource":2,"resource":3},{}]}'
    assert reading(body) == ((None, b"3"),)


@both
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
def test_what_is_no_json_object_is_refused(reading: Reading, body: bytes) -> None:
    with pytest.raises(ProtocolError):
        reading(body)


@pytest.mark.parametrize("at", [b'{"entry":[{"resource":%b}]}', b'{"link":%b,"entry":[]}'])
@pytest.mark.parametrize("depth", [101, 300, 100_000])
def test_what_nests_too_deep_is_refused(at: bytes, depth: int) -> None:
    with pytest.raises(ProtocolError, match="deeper than 100 levels"):
        page(at % (b"[" * depth + b"]" * depth))


def test_brackets_within_texts_nest_nothing() -> None:
    body = b'{"entry":[{"resource":{"a":"%b\\""}}]}' % (b"[{" * 200)
    assert [sent for _, sent in page(body).resources] == [b'{"a":"%b\\""}' % (b"[{" * 200)]


@pytest.mark.parametrize("value", [b'"cut \\ud83d"', b"1e400"])
def test_a_page_is_not_lost_to_half_a_character_or_a_number_beyond_floats(value: bytes) -> None:
    body = b'{"resourceType":"Bundle","entry":[{"resource":{"a":%b}},{"resource":{}}]}' % value
    assert [sent for _, sent in page(body).resources] == [b'{"a":%b}' % value, b"{}"]
    assert page(body).head["resourceType"] == "Bundle"


def test_what_is_no_bundle_is_its_head() -> None:
    assert page(b'{"resourceType":"OperationOutcome","issue":[]}') == RawPage(
        {"resourceType": "OperationOutcome", "issue": []}, ()
    )


@pytest.mark.parametrize("wrong", [b'"\xff"', b'{"x":"\xff"}'])
def test_text_that_is_no_utf_8_is_refused_wherever_it_stands(wrong: bytes) -> None:
    with pytest.raises(ProtocolError):
        page(b'{"entry":[{"search":%b,"resource":{}}]}' % wrong)


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
    read = page(encoded)
    assert (read.resources, read.head["link"]) == (patiently(encoded), other)
    assert [value for value, _ in found] == resources
    assert all(json.loads(raw) == value for value, raw in found)
    assert all(raw in encoded for _, raw in found)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for reading in (quickly, patiently):
        with suppress(ProtocolError):
            reading(body)


@given(st.text(alphabet='{}[]",:\\0aeu1-. \n', max_size=60))
def test_both_readings_agree_on_what_resembles_json(text: str) -> None:
    body = b'{"entry":[{"resource":%b}]}' % text.encode()
    try:
        found = resources_of(body)
    except ProtocolError:
        with pytest.raises(ProtocolError):
            page(body)
    else:
        assert quickly(body) == tuple((told(value), sent) for value, sent in found)


@given(st.binary(max_size=200))
def test_whatever_is_no_page_is_not_saved(body: bytes) -> None:
    assert salvaged(body) is None
    assert salvaged(b'{"resourceType":"Bundle","entry":[' + body) is None


@given(st.lists(values, max_size=4), st.sampled_from([b"NaN", b'"\xff"', b"Infinity"]))
def test_of_a_page_everything_is_saved_but_what_is_no_json(
    resources: list[Any], wrong: bytes
) -> None:
    good = [json.dumps(each).encode() for each in resources]
    entries = b",".join(b'{"resource":%b}' % each for each in [*good, wrong])
    saved = salvaged(b'{"resourceType":"Bundle","entry":[%b]}' % entries)
    assert saved is not None
    assert saved.head == {"resourceType": "Bundle"}
    values = [told(each) for each in resources]
    assert saved.resources == (*zip(values, good, strict=True), (None, wrong))
