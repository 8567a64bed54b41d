import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import HostileInput
from harness.http.decoding import Body, UndecodableError


def decode(data: bytes, coding: str | None, *, step: int = 65536, cap: int = 1 << 20) -> bytes:
    body = Body(coding, max_bytes=cap, where="GET /x")
    for start in range(0, len(data), step):
        body.feed(data[start : start + step])
    return body.content()


@given(st.binary(max_size=2000), st.integers(1, 700))
def test_every_coding_gives_back_the_bytes(data: bytes, step: int) -> None:
    assert decode(data, None, step=step) == data
    assert decode(gzip.compress(data), "GZIP", step=step) == data
    assert decode(zlib.compress(data), "deflate", step=step) == data


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.integers(1, 90))
def test_every_member_of_a_gzip_body_is_read(parts: list[bytes], step: int) -> None:
    assert decode(b"".join(map(gzip.compress, parts)), "gzip", step=step) == b"".join(parts)


def test_an_empty_body_with_a_coding_is_empty() -> None:
    assert decode(b"", "gzip") == b""


def test_a_bomb_is_refused_before_it_fills_memory() -> None:
    bomb = gzip.compress(bytes(200 * 1024 * 1024))
    tracemalloc.start()
    with pytest.raises(HostileInput, match="at most 1048576 bytes"):
        decode(bomb, "gzip")
    assert tracemalloc.get_traced_memory()[1] < 8 * 1024 * 1024
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("data", "coding"),
    [
        (b"plain", "gzip"),
        (gzip.compress(b"cut" * 99, mtime=0)[:-9], "gzip"),
        (gzip.compress(b"whole", mtime=0) + b"and more", "gzip"),
        (b"x", "br"),
        (b"x", "gzip, gzip"),
    ],
)
def test_what_is_not_in_its_coding_is_refused(data: bytes, coding: str | None) -> None:
    with pytest.raises(UndecodableError):
        decode(data, coding)
