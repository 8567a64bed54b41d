"""NDJSON as a stream: lines with their byte offsets, in flat memory.

http://ndjson.org. Tolerated: CRLF, a byte order mark, blank lines, no line end after the last line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Line:
    """One line that is not blank.

    Attributes:
        number: from 1, blank lines counted as well.
        start: offset of its first byte in the file.
        end: offset behind its line end: where to go on.
        data: its bytes, without line end and byte order mark; empty where it is too long.
        ended: whether a line end follows; if not, it may have been cut.
        too_long: whether it exceeds what one line may have.
    """

    number: int
    start: int
    end: int
    data: bytes = field(repr=False)
    ended: bool = True
    too_long: bool = False


class Splitter:
    """Cuts a stream of bytes into lines, whatever pieces it comes in.

    Args:
        longest: bytes that a line may have; of a longer one nothing is kept.
        offset: of the first byte that will be fed: 0, or the `end` of an earlier line.
        number: of the last line before that.
    """

    def __init__(self, longest: int, *, offset: int = 0, number: int = 0) -> None:
        self._longest = longest
        self._at = offset
        self._number = number
        self._parts: list[bytes] = []
        self._size = 0
        self._kept = 0

    def feed(self, chunk: bytes) -> Iterator[Line]:
        """The lines that end in the next chunk."""
        begin = 0
        while (stop := chunk.find(b"\n", begin)) >= 0:
            self._hold(chunk[begin:stop])
            yield from self._line(1)
            begin = stop + 1
        self._hold(chunk[begin:] if begin else chunk)

    def end(self) -> Iterator[Line]:
        """What is left after the last line end."""
        if self._size:
            yield from self._line(0)

    def _hold(self, part: bytes) -> None:
        self._size += len(part)
        if self._kept <= self._longest:
            self._parts.append(part)
            self._kept += len(part)

    def _line(self, terminator: int) -> Iterator[Line]:
        start, size = self._at, self._size
        data = b"".join(self._parts)
        too_long = size > self._longest
        self._parts, self._size, self._kept = [], 0, 0
        self._at = start + size + terminator
        self._number += 1
        if too_long:
            yield Line(self._number, start, self._at, b"", ended=bool(terminator), too_long=True)
            return
        data = data.removesuffix(b"\r")
        if start == 0:
            data = data.removeprefix(BOM)
        if data.strip():
            yield Line(self._number, start, self._at, data, ended=bool(terminator))
