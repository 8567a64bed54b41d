"""The NDJSON files of one export, in one temporary file that has no name.

So no trace stays, however the process ends. The files are written together, in compressed blocks,
and read in any part of any of them.
"""

from __future__ import annotations

import tempfile
import weakref
import zlib
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Final, NamedTuple

BLOCK: Final = 256 * 1024
"""Bytes of NDJSON that are compressed together."""


class _Block(NamedTuple):
    start: int
    """Where it begins in its NDJSON file."""
    place: int
    packed: int


@dataclass(slots=True)
class NdjsonFile:
    """One file of an export.

    Args:
        name: the last part of its URL.
        kind: the resource type of its lines.
        count: how many lines it has.
        size: how many bytes.
    """

    name: str
    kind: str
    count: int = 0
    size: int = 0
    blocks: list[_Block] = field(default_factory=list, repr=False)


class Spool:
    """Files that grow line by line, and are read when they are whole.

    Args:
        most: how many lines a file has at most.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._store: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as this
        weakref.finalize(self, self._store.close)
        self._end = 0
        self._open: dict[str, tuple[NdjsonFile, list[bytes], int]] = {}
        self._files: dict[str, NdjsonFile] = {}

    @property
    def files(self) -> Mapping[str, NdjsonFile]:
        """The files by name, in the order in which they were begun."""
        return self._files

    def add(self, section: str, kind: str, line: bytes) -> None:
        """Adds a line.

        Args:
            section: the files that it belongs to, such as `Observation`; the stem of their names.
            kind: the resource type of the line.
            line: without a line break.
        """
        found, waiting, size = self._open.get(section) or self._begin(section, kind, 1)
        if found.count >= self._most:
            self._write(found, waiting)
            number = int(found.name.rpartition("-")[2].partition(".")[0]) + 1
            found, waiting, size = self._begin(section, kind, number)
        found.count += 1
        waiting.append(line)
        size += len(line) + 1
        if size >= BLOCK:
            self._write(found, waiting)
            size = 0
        self._open[section] = (found, waiting, size)

    def finish(self) -> None:
        """Makes the files whole."""
        for found, waiting, _ in self._open.values():
            self._write(found, waiting)
        self._open.clear()

    def read(self, found: NdjsonFile, start: int, stop: int) -> Iterator[bytes]:
        """Yields the bytes of a file from `start` on and before `stop`, a block at a time."""
        first = max(bisect_right(found.blocks, start, key=lambda one: one.start) - 1, 0)
        for block in found.blocks[first:]:
            if block.start >= stop:
                return
            self._store.seek(block.place)
            content = zlib.decompress(self._store.read(block.packed))
            yield content[max(start - block.start, 0) : stop - block.start]

    def _begin(self, section: str, kind: str, number: int) -> tuple[NdjsonFile, list[bytes], int]:
        found = NdjsonFile(f"{section}-{number}.ndjson", kind)
        self._files[found.name] = found
        return found, [], 0

    def _write(self, found: NdjsonFile, waiting: list[bytes]) -> None:
        if not waiting:
            return
        content = b"\n".join((*waiting, b""))
        packed = zlib.compress(content, 1)
        self._store.seek(self._end)
        self._store.write(packed)
        found.blocks.append(_Block(found.size, self._end, len(packed)))
        self._end += len(packed)
        found.size += len(content)
        waiting.clear()
