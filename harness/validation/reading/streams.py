"""Files and pipes to JSON texts: documents, NDJSON and gzip of either, in flat memory.

http://ndjson.org and RFC 1952. What a file is, is seen from its first bytes, not from its name.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Final, Protocol, TypeAlias

from harness.validation.findings import Finding
from harness.validation.reading.resource import LONGEST, flaw, too_long

Text: TypeAlias = bytes | Finding
"""A JSON text, or why there is none."""

PIECE: Final = 256 << 10
"""Bytes that are read, and inflated, at a time."""

MOST_INFLATED: Final = 400
"""How many times its size a gzip stream may have, beyond `ROOM`. NDJSON has ten to forty."""

ROOM: Final = 256 << 20

_GZIP = b"\x1f\x8b"
_GZIP_HEADER = 31  # zlib's own convention: a header of gzip, and nothing else


class Readable(Protocol):
    """A binary file or pipe."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most `size`; none at the end."""
        ...


class TornError(Exception):
    """A stream that ends or goes wrong before its end."""

    def __init__(self, found: Finding) -> None:
        self.found = found
        super().__init__(found.actual)


def texts(file: Readable) -> Iterator[tuple[int, Text]]:
    """The JSON texts of a file or pipe, each with its line.

    Args:
        file: read to its end; nothing is sought.

    Returns:
        Line number and text of each; the number is 0 where the whole file is one text. A finding
        stands in the place of a text that is too long, and of what follows where a stream is torn.
    """
    found = lines(pieces(file))
    head = list(islice(found, 2))
    found = chain(head, found)
    return found if _is_lines(head) else _document(found)


def pieces(file: Readable) -> Iterator[bytes]:
    """What a file holds, a piece at a time; gzip is inflated.

    Raises:
        TornError: gzip that is cut off, damaged, or inflates beyond all reason.
    """
    piece = file.read(PIECE)
    while 0 < len(piece) < len(_GZIP) and (more := file.read(PIECE)):
        piece += more
    if piece[:2] == _GZIP:
        yield from _inflated(piece, file)
        return
    while piece:
        yield piece
        piece = file.read(PIECE)


def lines(pieces: Iterable[bytes], longest: int = LONGEST) -> Iterator[tuple[int, Text]]:
    """Lines that are not blank, numbered from 1 with the blank ones counted.

    Args:
        pieces: of the text, cut anywhere.
        longest: bytes that a line may have; of a longer one nothing is kept.
    """
    number, size, held = 0, 0, list[bytes]()
    try:
        for piece in pieces:
            start = 0
            while (end := piece.find(b"\n", start)) >= 0:
                number += 1
                if size + end - start > longest:
                    yield number, too_long()
                else:
                    line = b"".join((*held, piece[start:end])) if held else piece[start:end]
                    if line and not line.isspace():
                        yield number, line
                if size:
                    held, size = [], 0
                start = end + 1
            size += len(piece) - start
            if size > longest:
                held.clear()
            elif start < len(piece):
                held.append(piece[start:])
    except TornError as torn:
        # What came of the line at which it was torn is no line.
        yield number + 1, torn.found
        return
    yield from _last(number + 1, None if size > longest else b"".join(held))


def _last(number: int, line: bytes | None) -> Iterator[tuple[int, Text]]:
    """What stands behind the last line break, where it is not too long."""
    if line is None:
        yield number, too_long()
    elif line and not line.isspace():
        yield number, line


def _is_lines(head: list[tuple[int, Text]]) -> bool:
    """Whether a file whose first lines these are is NDJSON, and not one document.

    In a document no object begins right behind a line that begins one, unless that line ended with
    what calls for it.
    """
    if len(head) <= 1:
        return False
    (_, first), (_, second) = head
    if isinstance(first, Finding):
        return True
    if isinstance(second, Finding):
        return first.rstrip()[-1:] == b"}"
    follows = second.lstrip()[:1] == b"{" or first.rstrip()[-1:] == b"}"
    return follows and first.rstrip()[-1:] not in (b"[", b":", b",")


def _document(found: Iterable[tuple[int, Text]]) -> Iterator[tuple[int, Text]]:
    """All lines as one text."""
    parts, size, last = list[bytes](), 0, 0
    for number, line in found:
        if isinstance(line, Finding):
            yield 0, line
            return
        size += number - last + len(line)
        if size > LONGEST:
            yield 0, too_long()
            return
        parts += [b"\n" * (number - last - 1), line, b"\n"]
        last = number
    if parts:
        yield 0, b"".join(parts)


def _inflated(piece: bytes, file: Readable) -> Iterator[bytes]:
    inflate, packed, size = zlib.decompressobj(_GZIP_HEADER), 0, 0
    while piece:
        packed += len(piece)
        more = True
        while piece or more:
            if inflate.eof:
                # A gzip file may have several members, and zeros behind the last.
                piece = piece.lstrip(b"\0")
                if not piece:
                    break
                inflate = zlib.decompressobj(_GZIP_HEADER)
            try:
                part = inflate.decompress(piece, PIECE)
            except zlib.error:
                raise TornError(flaw("gzip", "gzip that is damaged")) from None
            size += len(part)
            if size > ROOM + MOST_INFLATED * packed:
                grown = f"more than {MOST_INFLATED} times as much, which is a trap"
                raise TornError(flaw("gzip of JSON", f"gzip that inflates to {grown}"))
            if part:
                yield part
            more = len(part) == PIECE
            piece = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
        piece = file.read(PIECE)
    if not inflate.eof:
        raise TornError(flaw("gzip", "gzip that is cut off"))
