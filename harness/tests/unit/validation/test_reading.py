"""Bytes to a resource: what is no good JSON is found, and named."""

from __future__ import annotations

import json
import time

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.validation.findings import Rule, Severity
from harness.validation.reading.resource import DEEPEST, LONGEST, UNREADABLE, read


def said(raw: bytes) -> str:
    value, flaws = read(raw)
    assert value is UNREADABLE
    (flaw,) = flaws
    assert flaw.severity is Severity.ERROR
    assert flaw.rule is Rule.JSON
    return f"expected {flaw.expected}, got {flaw.actual}"


def test_good_json_is_read_without_a_word() -> None:
    assert read(b'{"resourceType":"Patient","id":"p"}\r') == (
        {"resourceType": "Patient", "id": "p"},
        (),
    )


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "got nothing"),
        (b" \n ", "got nothing"),
        (b"<Patient/>", "XML"),
        ('{"a":1}'.encode("utf-16"), "UTF-16"),
        ('{"a":1}'.encode("utf-16-le"), "UTF-16"),
        (b'{"a":"\xff"}', "0xff at offset 6"),
        (b'{"a":"\xed\xa0\x80"}', "0xed"),
        (b'{"a":NaN}', "NaN, which is no JSON"),
        (b'{"a":-Infinity}', "Infinity, which is no JSON"),
        (b'{"a":1,}', "column"),
        (b'{"a":\n01}', "line 2"),
        (b'{"a":"\x01"}', "column"),
        (b'{"a":1} {"b":2}', "column"),
        (b'{"a":', "column"),
        (b'{"a":"\\ud800"}', "column"),
        (b"[" * 2000 + b"]" * 2000, f"at most {DEEPEST} levels"),
        (b"[" * 300 + b"]" * 300, f"at most {DEEPEST} levels"),
        (b"[" * 1_000_000, "levels"),
    ],
)
def test_what_is_no_json_is_refused_with_the_reason(raw: bytes, words: str) -> None:
    assert words in said(raw)


def test_a_byte_order_mark_is_a_warning() -> None:
    value, flaws = read(b'\xef\xbb\xbf{"a":1}')
    assert value == {"a": 1}
    assert [each.severity for each in flaws] == [Severity.WARNING]


def test_a_line_of_more_than_the_bound_is_refused_at_once() -> None:
    began = time.monotonic()
    assert "64 MiB" in said(b" " * (LONGEST + 1))
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b'{"resourceType":"Patient","id":"a","id":"b"}', "Patient.id"),
        (b'{"resourceType":"Patient","name":[{},{"use":"x","use" :"x"}]}', "Patient.name[1].use"),
        (b'{"a":{"b":":"},"a":{"b":":"}}', ".a"),
        (b'{"\\u0061":1,"a":"\\u003a"}', ".a"),
        (b'{"a":1,"a":1,"t":"\\u003a"}', ".a"),
        (b'{"a":1,"a":1,"t":"\\u003A\\u003A"}', ".a"),
    ],
)
def test_a_name_given_twice_is_found_where_it_stands(raw: bytes, path: str) -> None:
    value, flaws = read(raw)
    assert value == json.loads(raw)
    assert [each.path for each in flaws] == [path]


@pytest.mark.parametrize(
    "raw",
    [b'{"a":"\\u003a"}', b'{"a":"\\u003cb\\u003e"}', b'{"a" : "\\":\\\\u003a"}', b'{"a:b":1}'],
)
def test_escapes_are_no_repetition(raw: bytes) -> None:
    assert read(raw) == (json.loads(raw), ())


def test_ten_thousand_repetitions_are_a_hundred_findings() -> None:
    _, flaws = read(b"[" + b",".join([b'{"a":1,"a":2}'] * 10_000) + b"]")
    assert len(flaws) == 100


def _text(value: object) -> st.SearchStrategy[str]:
    """A value as JSON, with white space and escapes where a writer may put them."""
    if isinstance(value, list):  # pairs: an object, perhaps with a name given twice
        parts = [st.tuples(_name(k), _text(v)).map(" : ".join) for k, v in value]
        return st.tuples(*parts).map(lambda each: "{" + " ,".join(each) + "}")
    return st.just(json.dumps(value))


def _name(name: str) -> st.SearchStrategy[str]:
    escaped = '"' + "".join(f"\\u{ord(c):04x}" for c in name) + '"'
    return st.sampled_from([json.dumps(name), escaped])


_names = st.sampled_from(["a", "b", ":", "a:b", "<"])
_values = st.recursive(
    st.sampled_from([1, None, ":", '":', "::", "\\u003a", ""]),
    lambda inner: st.lists(st.tuples(_names, inner), max_size=4),
    max_leaves=12,
)


def _repeats(value: object) -> bool:
    if not isinstance(value, list):
        return False
    names = [name for name, _ in value]
    kept = dict(value)
    return len(names) != len(kept) or any(map(_repeats, [each for _, each in value]))


@given(_values.flatmap(lambda value: st.tuples(st.just(value), _text(value))))
def test_repetitions_are_found_exactly_where_there_are_some(drawn: tuple[object, str]) -> None:
    value, text = drawn
    _, flaws = read(text.encode())
    assert bool(flaws) is _repeats(value)


@given(st.binary(max_size=200))
@example(b"1e999")
@example(b'{"a":1e999}')
@example(b"9" * 5000)
@example(b'{"a":1,"a":' + b"9" * 5000 + b"}")
@example(b'{"a":-0.0}')
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    value, flaws = read(raw)
    assert value is not UNREADABLE or flaws


@settings(max_examples=60)
@given(st.text(max_size=60), st.integers(0, 80), st.binary(max_size=4))
def test_damaged_json_is_read_or_refused(text: str, at: int, damage: bytes) -> None:
    raw = (
        orjson.dumps({"resourceType": "Patient", "name": [{"text": text.replace("\ud800", "")}]})
        if (text.isascii())
        else b'{"a":"b"}'
    )
    value, flaws = read(raw[:at] + damage + raw[at:])
    assert value is not UNREADABLE or flaws
