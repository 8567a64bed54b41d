"""Files and pipes as JSON texts, however they are packed, cut or torn."""

from __future__ import annotations

import gzip
import io
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.validation.findings import Finding
from harness.validation.reading import streams
from harness.validation.reading.streams import lines, pieces, texts


def read(data: bytes) -> list[tuple[int, bytes | str]]:
    return [
        (number, text.actual if isinstance(text, Finding) else text)
        for number, text in texts(io.BytesIO(data))
    ]


def test_ndjson_is_read_line_by_line_with_blank_lines_counted() -> None:
    assert read(b'{"a":1}\n\n{"a":2}\r\n{"a":3}') == [
        (1, b'{"a":1}'),
        (3, b'{"a":2}\r'),
        (4, b'{"a":3}'),
    ]


@pytest.mark.parametrize(
    "document",
    [
        b'{"a":1}',
        b'{\n  "a": 1\n}\n',
        b'{"a": [\n{"b": 1},\n{"b": 2}]}',
        b'{"a":\n{"b": 1}}',
        b'{"c": 1,\n"a": {"b": 1}}',
        b'[\n{"b": 1},\n{"b": 2}]',
    ],
)
def test_a_document_is_one_text(document: bytes) -> None:
    ((number, text),) = read(document)
    assert number == 0
    assert isinstance(text, bytes)
    assert text.strip() == document.strip()


@pytest.mark.parametrize("first", [b'{"a":1', b"garbage", b'{"a":1}', b'{"a":"b'])
def test_a_bad_first_line_does_not_make_a_document_of_ndjson(first: bytes) -> None:
    assert [number for number, _ in read(first + b'\n{"a":2}\n{"a":3}')] == [1, 2, 3]


def test_lines_of_a_document_keep_their_numbers() -> None:
    ((_, text),) = read(b'\n\n{"a": [\n\n1]}')
    assert text == b'\n\n{"a": [\n\n1]}\n'


def test_nothing_is_nothing() -> None:
    assert read(b"") == []
    assert read(b" \n\n ") == []


def test_gzip_is_seen_from_its_first_bytes_and_may_have_members() -> None:
    assert read(gzip.compress(b'{"a":1}\n{"a"') + gzip.compress(b":2}\n") + b"\0\0") == [
        (1, b'{"a":1}'),
        (2, b'{"a":2}'),
    ]


def test_a_member_may_begin_anywhere_in_what_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = b"".join(gzip.compress(b'{"a":%d}\n' % each) for each in range(9))
    for size in (1, 7, 20, 33):
        monkeypatch.setattr(streams, "PIECE", size)
        assert [number for number, _ in read(packed)] == list(range(1, 10))


def test_gzip_that_is_cut_off_gives_what_is_whole_and_says_so() -> None:
    packed = gzip.compress(b'{"a":1}\n' * 50_000, compresslevel=0)
    found = read(packed[:-20])
    assert found[-1] == (len(found), "gzip that is cut off")
    assert len(found) > 40_000
    assert {text for _, text in found[:-1]} == {b'{"a":1}'}


def test_gzip_that_is_cut_off_within_a_document_says_so() -> None:
    assert read(gzip.compress(b'{"a":\n1}')[:-4]) == [(0, "gzip that is cut off")]


def test_gzip_that_is_damaged_says_so() -> None:
    packed = bytearray(gzip.compress(b'{"a":1}\n' * 5000, compresslevel=0))
    packed[-6] ^= 0xFF
    assert read(bytes(packed))[-1][1] == "gzip that is damaged"
    assert read(b"\x1f\x8bnonsense") == [(0, "gzip that is damaged")]


def test_a_gzip_bomb_is_given_up_in_flat_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "ROOM", 4 << 20)
    squeeze = zlib.compressobj(9, wbits=31)
    bomb = b"".join(squeeze.compress(b" " * (1 << 20)) for _ in range(96)) + squeeze.flush()
    assert len(bomb) < 400_000
    tracemalloc.start()
    ((_, said),) = read(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "trap" in str(said)
    assert peak < 60 << 20


@given(
    st.lists(st.binary(max_size=12).map(lambda each: each.replace(b"\n", b""))),
    st.integers(1, 9),
    st.integers(1, 8),
)
def test_lines_are_the_same_however_they_are_cut(
    given: list[bytes], size: int, longest: int
) -> None:
    data = b"\n".join(given)
    cut = [data[at : at + size] for at in range(0, len(data), size)]
    found = {
        number: None if isinstance(text, Finding) else text
        for number, text in lines(cut, longest=longest)
    }
    kept = {number: each for number, each in enumerate(data.split(b"\n"), 1) if each.strip(_BLANK)}
    assert {number: each for number, each in found.items() if each is not None} == {
        number: each for number, each in kept.items() if len(each) <= longest
    }
    assert {number for number, each in found.items() if each is None} == {
        number for number, each in enumerate(data.split(b"\n"), 1) if len(each) > longest
    }


_BLANK = b" \t\n\r\x0b\x0c"


@given(st.binary(max_size=300))
def test_any_bytes_are_texts_or_findings(data: bytes) -> None:
    for packed in (data, gzip.compress(data), gzip.compress(data)[:-3], b"\x1f\x8b" + data):
        list(texts(io.BytesIO(packed)))


@given(st.binary(max_size=5000), st.integers(1, 64))
def test_gzip_gives_back_every_byte(data: bytes, size: int) -> None:
    packed = io.BytesIO(gzip.compress(data))
    before = streams.PIECE
    streams.PIECE = size  # type: ignore[misc]  # small pieces for small data
    try:
        assert b"".join(pieces(packed)) == data
    finally:
        streams.PIECE = before  # type: ignore[misc]
