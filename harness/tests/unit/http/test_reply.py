"""Answers as they come, in any pieces: read as another reader of HTTP/1 reads them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.http.reply import MOST_IDLE, BadReplyError, Reply

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def read(*pieces: bytes, bodiless: bool = False) -> tuple[Reply, bytes]:
    reply, body = Reply(bodiless=bodiless), b""
    for piece in pieces:
        reply.feed(piece)
        body += b"".join(reply.taken())
    return reply, body


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    edges = [0, *sorted({each % len(data) for each in places}), len(data)]
    return [data[a:b] for a, b in pairwise(edges) if a < b]


# -- a second opinion

_token = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789-_", min_size=1, max_size=12)
_value = st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF), max_size=20).map(
    lambda text: "".join(each for each in text if each.isprintable()).strip()
)
_framing = ("content-length", "transfer-encoding", "connection", "upgrade")
_fields = st.lists(
    st.tuples(_token.filter(lambda name: name.lower() not in _framing), _value), max_size=5
)
_status = st.sampled_from([200, 201, 204, 206, 301, 304, 400, 404, 429, 500, 599])
_hints = st.lists(st.sampled_from([100, 102, 103]), max_size=2)
_end = st.sampled_from(["length", "chunks", "close", "lasting close"])


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """An answer as a server of any make may send it."""
    body = draw(st.binary(max_size=300))
    fields = [f"{name}: {value}".encode("latin-1") for name, value in draw(_fields)]
    end = draw(_end)
    if end == "length":
        fields.append(b"Content-Length: %d" % len(body))
    elif end == "chunks":
        fields.append(b"transfer-encoding: chunked")
        parts = cut(body, draw(st.lists(st.integers(0, 300), max_size=4))) if body else []
        body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
        body += draw(st.sampled_from([b"0\r\n\r\n", b"0\r\nX-Sum: 1\r\n\r\n"]))
    elif end == "lasting close":
        fields += [b"Connection: close", b"Content-Length: %d" % len(body)]
    status = draw(_status)
    if status in (204, 304):
        body = b""  # what is sent all the same is another matter
    version = draw(st.sampled_from([b"1.1", b"1.0"]))
    hints = b"".join(b"HTTP/1.1 %d Wait\r\nLink: <x>\r\n\r\n" % each for each in draw(_hints))
    return hints + b"\r\n".join([b"HTTP/%b %d Some words" % (version, status), *fields, b"", body])


def by_h11(data: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes, bool]:
    """Status, headers, body, and whether the connection stands for another request."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    status, headers, body, closed = 0, [], b"", False
    while not isinstance(event := connection.next_event(), h11.EndOfMessage):
        if event is h11.NEED_DATA:
            connection.receive_data(b"")
            closed = True
        elif isinstance(event, h11.Response):
            status, headers = event.status_code, event.headers.raw_items()
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
    return status, headers, body, connection.our_state is h11.DONE and not closed


@given(answers(), st.lists(st.integers(0, 2000), max_size=8))
def test_an_answer_in_any_pieces_is_read_as_another_reader_reads_it(
    data: bytes, places: Sequence[int]
) -> None:
    status, headers, body, lasting = by_h11(data)
    reply, came = read(*cut(data, places))
    through = reply.is_whole and not reply.is_last
    if not reply.is_whole:
        reply.feed(b"")
    assert (reply.status, reply.headers, came) == (status, headers, body)
    assert through is lasting


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=4))
def test_whatever_comes_is_an_answer_or_is_refused(data: bytes, places: Sequence[int]) -> None:
    reply = Reply()
    try:
        for piece in [*cut(b"HTTP/1.1 " + data, places), b""]:
            reply.feed(piece)
    except BadReplyError:
        return
    assert reply.is_whole


# -- where an answer ends


@pytest.mark.parametrize(
    "behind", [b"HTTP/1.1 200 OK\r\n\r\n", b"{}", b"\0"], ids=["an answer", "a body", "garbage"]
)
@pytest.mark.parametrize("apart", [True, False])
def test_what_comes_behind_an_answer_ends_its_connection(behind: bytes, apart: bool) -> None:  # noqa: FBT001 - a parameter of the test
    reply, body = read(OK, behind) if apart else read(OK + behind)
    assert body == b"{}"
    assert reply.is_whole
    assert reply.is_last


def test_the_answer_to_a_head_has_no_body_whatever_it_says() -> None:
    reply, body = read(OK.removesuffix(b"{}"), bodiless=True)
    assert reply.is_whole
    assert not reply.is_last
    reply, body = read(OK, bodiless=True)
    assert (body, reply.is_last) == (b"", True)


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_some_answers_have_no_body_whatever_they_say(status: bytes) -> None:
    reply, _ = read(b"HTTP/1.1 %b\r\nContent-Length: 5\r\n\r\n" % status)
    assert reply.is_whole
    assert not reply.is_last


def test_a_length_of_an_informational_answer_is_not_that_of_the_answer() -> None:
    hints = b"HTTP/1.1 103 Hints\r\nContent-Length: 3\r\n\r\n"
    reply, body = read(hints, b"HTTP/1.1 200 OK\r\n\r\nab", b"")
    assert (reply.status, reply.headers, body, reply.is_whole) == (200, [], b"ab", True)


def test_another_protocol_is_a_status_and_no_more() -> None:
    head = b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n"
    reply, body = read(head + b"PRI * HTTP/2.0")
    assert (reply.status, body, reply.is_last) == (101, b"", True)


# -- what is borne, and what is not


@pytest.mark.parametrize(
    ("data", "headers"),
    [
        (b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}", [(b"Content-Length", b"2")]),
        (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n{}", [(b"Content-Length", b"2")]),
        (
            b"HTTP/1.1 200 OK\r\nLink: a\r\n b \r\nContent-Length: 2\r\n\r\n{}",
            [(b"Link", b"a b"), (b"Content-Length", b"2")],
        ),
        (
            CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Length: 9\r\n\r\n")
            + b"2\r\n{}\r\n0\r\n\r\n",
            [(b"Transfer-Encoding", b"chunked"), (b"Content-Length", b"9")],
        ),
    ],
    ids=["line feeds alone", "no reason", "folded", "chunks and a length"],
)
def test_what_a_client_may_bear(data: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    for pieces in ([data], cut(data, range(len(data)))):
        reply, body = read(*pieces)
        assert (reply.status, reply.headers, body, reply.is_whole) == (200, headers, b"{}", True)


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        ([b""], "without sending a response"),
        ([b"HTTP/1.1 200 OK\r\n", b""], "without sending a response"),
        ([OK[:-1], b""], "before the end of the body"),
        ([CHUNKED + b"5\r\nab", b""], "before the end"),
        ([b"220 mail.example ESMTP\r\n"], "Expected HTTP/"),
        ([b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\n{}"], "NUL"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"], "Duplicate"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}"], "Content-Length"),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"], "other than chunked"),
        ([CHUNKED + b"xyz\r\n"], "chunk size"),
    ],
)
def test_what_is_no_answer_is_refused_and_says_why(pieces: list[bytes], reason: str) -> None:
    with pytest.raises(BadReplyError, match=reason):
        read(*pieces)


@pytest.mark.parametrize(
    "begin",
    [
        b"HTTP/1.1 200 OK\r\nX: ",
        b"HTTP/1.1 200 ",
        CHUNKED + b"2;",
        CHUNKED + b"0\r\nX: ",
    ],
    ids=["a header", "a reason", "an extension of a chunk", "a trailer"],
)
def test_what_is_no_body_is_bounded(begin: bytes) -> None:
    with pytest.raises(BadReplyError, match=f"more than {MOST_IDLE} bytes"):
        read(begin, *[b"a" * 1000] * (MOST_IDLE // 1000 + 1))


def test_a_body_may_be_of_any_length() -> None:
    reply, body = read(b"HTTP/1.1 200 OK\r\n\r\n", *[b"a" * 50_000] * 40, b"")
    assert (len(body), reply.is_whole, reply.is_last) == (2_000_000, True, True)
