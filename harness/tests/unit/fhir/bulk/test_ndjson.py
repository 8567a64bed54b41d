from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.fhir.bulk.ndjson import BOM, Line, Splitter

LONGEST = 40

contents = st.binary(max_size=LONGEST).map(
    lambda data: data.replace(b"\n", b"").replace(b"\r", b"")
)


def split(data: bytes, sizes: list[int], **options: int) -> list[Line]:
    """Feed `data` in pieces of these sizes, the last size again and again."""
    splitter = Splitter(LONGEST, **options)
    lines: list[Line] = []
    at = 0
    while at < len(data):
        size = sizes.pop(0) if len(sizes) > 1 else sizes[0]
        lines += splitter.feed(data[at : at + size])
        at += size
    return [*lines, *splitter.end()]


@given(st.lists(contents), st.sampled_from([b"\n", b"\r\n"]), st.booleans(), st.integers(1, 50))
def test_lines_come_out_as_they_went_in_whatever_the_pieces(
    texts: list[bytes],
    end: bytes,
    last: bool,  # noqa: FBT001 - given by hypothesis
    size: int,
) -> None:
    data = end.join(texts) + (end if last and texts else b"")
    data = data.removeprefix(BOM)
    lines = split(data, [size])
    expected = [each for each in data.replace(b"\r\n", b"\n").split(b"\n") if each.strip()]
    assert [each.data for each in lines] == expected


@given(st.binary(max_size=300), st.lists(st.integers(1, 30), min_size=1))
def test_offsets_name_the_bytes_of_each_line(data: bytes, sizes: list[int]) -> None:
    for line in split(data, sizes):
        held = data[line.start : line.end]
        assert held.endswith(b"\n") is line.ended
        assert b"\n" not in held[:-1]
        assert line.too_long == (len(held.removesuffix(b"\n")) > LONGEST)
        assert line.data in held


@given(st.lists(contents.filter(bytes.strip), min_size=1), st.data(), st.integers(1, 20))
def test_a_stream_goes_on_at_the_end_of_any_line(
    texts: list[bytes], data: st.DataObject, size: int
) -> None:
    whole = b"\n".join(texts) + b"\n"
    lines = split(whole, [7])
    if not lines:
        return
    done = data.draw(st.integers(0, len(lines) - 1))
    at = lines[done]
    assert split(whole[at.end :], [size], offset=at.end, number=at.number) == lines[done + 1 :]


def test_a_byte_order_mark_belongs_to_no_line() -> None:
    first, second = split(BOM + b'{"a":1}\n' + BOM + b"x\n", [3])
    assert (first.data, second.data) == (b'{"a":1}', BOM + b"x")
    assert first.start == 0


def test_blank_lines_are_no_lines_but_are_counted() -> None:
    assert [(each.number, each.data) for each in split(b"\n  \r\na\n\n", [2])] == [(3, b"a")]


def test_a_last_line_without_an_end_says_so() -> None:
    assert [each.ended for each in split(b"a\nb", [9])] == [True, False]


def test_a_line_that_is_too_long_is_named_and_not_kept() -> None:
    splitter = Splitter(10)
    held = []
    for _ in range(1000):
        assert list(splitter.feed(b"x" * 100)) == []
        held.append(sum(map(len, splitter._parts)))
    line, after = [*splitter.feed(b"\nnext\n")]
    assert (line.too_long, line.data, line.start, line.end) == (True, b"", 0, 100_001)
    assert (after.data, after.number) == (b"next", 2)
    assert max(held) <= 200
