"""A body that is too large for memory: decoded piece by piece, bounded in size and in time."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import TypeAlias

from harness.errors import HostileInput
from harness.http.decoding import UndecodableError, inflater, inflater_of
from harness.http.exchange import Response

Take: TypeAlias = Callable[[bytes], None]
"""Gets the decoded body piece by piece."""

Receive: TypeAlias = Callable[[Response], Take | None]
"""Told status and headers before the body comes, which is still empty in this response.

What it answers takes the body. With None the body is small, such as an error, and becomes part of
the response.
"""

ASIDE = 1024 * 1024
"""The most bytes of a body that nobody takes."""

SLOWEST = 64 * 1024
"""Bytes a second: what has come buys a body time at this pace beyond the total of its bounds."""

PIECE = 256 * 1024
"""The most that one step inflates to, however much a bomb holds."""


class Inflow:
    """Decodes a body as it comes.

    Args:
        coding: the value of `Content-Encoding`, if any.
        max_bytes: after decoding.
        where: names the request in messages.

    Raises:
        UndecodableError: a coding that was not asked for, or more than one.
    """

    def __init__(self, coding: str | None, *, max_bytes: int, where: str) -> None:
        self._inflate = inflater_of(coding)
        self._max_bytes = max_bytes
        self._where = where
        self._size = 0
        self._received = False

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """What the next chunk of the wire holds, decoded, none longer than `PIECE` if inflated.

        Raises:
            HostileInput: more than `max_bytes` after decoding.
            UndecodableError: not in the declared coding.
        """
        self._received = self._received or bool(chunk)
        if self._inflate is None:
            yield self._counted(chunk)
            return
        try:
            yield from self._inflated(chunk)
        except zlib.error as error:
            raise UndecodableError(f"a body that does not decompress: {error}") from None

    def end(self) -> None:
        """The wire has no more.

        Raises:
            UndecodableError: the coding ended in the middle.
        """
        if self._inflate is not None and self._received and not self._inflate.eof:
            raise UndecodableError("a compressed body that ends in the middle")

    def _inflated(self, chunk: bytes) -> Iterator[bytes]:
        full = False
        while (chunk or full) and self._inflate is not None:
            piece = self._inflate.decompress(chunk, PIECE)
            full = len(piece) == PIECE
            chunk = self._inflate.unconsumed_tail
            if self._inflate.eof:
                # A gzip file may have several members (RFC 1952 section 2.2).
                chunk, full = self._inflate.unused_data, False
                if chunk:
                    self._inflate = inflater()
            yield self._counted(piece)

    def _counted(self, piece: bytes) -> bytes:
        self._size += len(piece)
        if self._size > self._max_bytes:
            raise HostileInput(
                f"{self._where}: expected at most {self._max_bytes} bytes after decoding, got more"
            )
        return piece
