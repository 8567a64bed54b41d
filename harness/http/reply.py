"""One answer of a server, read as it comes: llhttp takes it apart, we say when it is whole.

A body ends as RFC 9112 section 6.3 says, and what comes behind it must never be taken for the next
answer. What belongs to no body is bounded: a server may send headers, or chunks of nothing, for
ever.
"""

from __future__ import annotations

from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

MOST_IDLE: Final = 100 * 1024
"""Bytes of a head, or between two pieces of a body: lengths of chunks, trailers."""

SWITCHING: Final = 101
_INFORMATIONAL: Final = range(100, 200)


class BadReplyError(Exception):
    """What came is no answer in HTTP/1, or ends in the middle of one."""


class Reply:
    """One answer. It is its parser's listener: the `on_` methods are llhttp's words.

    Borne, as section 2.2, 5.2 and 6.3 of RFC 9112 let a client do: lines without a carriage return,
    folded header fields, a `Content-Length` beside chunks.

    Args:
        bodiless: whether it has no body whatever its head says, being the answer to a HEAD.

    Attributes:
        status: 0 until the head has come; informational answers are passed over.
        http_version: such as `HTTP/1.1`; empty until the head has come.
        headers: names and values in the order sent, names as they were spelt.
        is_whole: whether it has come to its end.
        is_last: whether its connection cannot be used again: the server closes it, or sent more.
    """

    def __init__(self, *, bodiless: bool = False) -> None:
        self.status = 0
        self.http_version = ""
        self.headers: list[tuple[bytes, bytes]] = []
        self.is_whole = False
        self.is_last = False
        self._bodiless = bodiless
        self._has_length = False
        self._fault: str | None = None
        self._pieces: list[bytes] = []
        self._idle = 0
        self._parser = HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(
            lenient_headers=True,
            lenient_chunked_length=True,
            lenient_optional_cr_before_lf=True,
        )

    def feed(self, data: bytes) -> None:
        """Take what came next; nothing is the end of the connection.

        Raises:
            BadReplyError: it is no HTTP/1, too long, or over too early.
        """
        if not data:
            self._end()
            return
        self._idle += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self.is_last = True
        except HttpParserError as error:
            self._wrong(str(error))
        if self._idle > MOST_IDLE:
            self._wrong(f"more than {MOST_IDLE} bytes that are no body")
        if self._fault is not None:
            raise BadReplyError(self._fault)

    def taken(self) -> list[bytes]:
        """What has come of the body and was not taken yet."""
        pieces, self._pieces = self._pieces, []
        return pieces

    def _end(self) -> None:
        self.is_last = True
        if not self.status:
            raise BadReplyError("server disconnected without sending a response")
        if self._has_length and not self.is_whole:
            raise BadReplyError("server disconnected before the end of the body")
        self.is_whole = True

    def _wrong(self, fault: str) -> None:
        """Behind its end nothing is wrong with an answer, but with the next one."""
        if self.is_whole:
            self.is_last = True
        else:
            self._fault = self._fault or fault

    # -- what the parser calls

    def on_message_begin(self) -> None:
        """An answer begins: the first, the one behind an informational one, or one too many."""
        if self.is_whole:
            self.is_last = True
        else:
            self.headers.clear()
            self._has_length = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head, or of a trailer."""
        if self.status:
            return
        value = value.strip(b" \t")
        self.headers.append((name, value))
        if b"\0" in value:
            self._wrong("a header with a NUL")
        match name.lower():
            case b"content-length":
                self._has_length = True
            case b"transfer-encoding":
                self._has_length = True
                if value.lower() != b"chunked":
                    self._wrong("a Transfer-Encoding other than chunked")

    def on_headers_complete(self) -> None:
        """The head has come, if not of one that is too many."""
        status = self._parser.get_status_code()
        if self.is_whole or (status in _INFORMATIONAL and status != SWITCHING):
            return
        self.status = status
        self.http_version = f"HTTP/{self._parser.get_http_version()}"
        self.is_last = not self._parser.should_keep_alive()
        self.is_whole = self._bodiless

    def on_body(self, piece: bytes) -> None:
        """A piece of the body."""
        if self.is_whole:
            self.is_last = True
        else:
            self._pieces.append(piece)
            self._idle = 0

    def on_message_complete(self) -> None:
        """The end, if not of an informational one."""
        self.is_whole = self.status > 0
