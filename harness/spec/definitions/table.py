"""Tables: the files that hold definitions, one a line, and their reader.

A table is one JSON object over many lines, so that a change of one definition changes one line and
a reader finds a row without parsing the others:

    {
    "Account":{"kind":"resource",...},
    "Observation":{...}
    }
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

Row: TypeAlias = Mapping[str, Any]
Source: TypeAlias = Callable[[str], str | None]
"""The text of a table by its name, such as `types`; None where the package has none."""

T = TypeVar("T")

_DECODER = json.JSONDecoder()


def text_of(rows: Mapping[str, Row]) -> str:
    """The table of these rows, sorted by key."""
    lines = [f"{_line(key)}:{_line(rows[key])}" for key in sorted(rows)]
    return "{\n" + ",\n".join(lines) + "\n}\n"


class Table(Mapping[str, T], Generic[T]):
    """Definitions by key; a row is parsed when it is asked for, and a table when its first row is.

    Args:
        name: of the table.
        sources: of its texts; where two have a key, the later one wins.
        read: makes a definition of key and row.
    """

    def __init__(self, name: str, sources: Sequence[Source], read: Callable[[str, Row], T]) -> None:
        self._name = name
        self._sources = sources
        self._read = read
        self._lines: dict[str, str] | None = None
        self._known: dict[str, T] = {}

    def __getitem__(self, key: str) -> T:
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._read(key, json.loads(self._index()[key]))
        return known

    def __iter__(self) -> Iterator[str]:
        return iter(self._index())

    def __len__(self) -> int:
        return len(self._index())

    def __contains__(self, key: object) -> bool:
        return key in self._index()

    def _index(self) -> dict[str, str]:
        if self._lines is None:
            texts = [source(self._name) for source in self._sources]
            lines = {key: row for text in texts if text for key, row in _rows(text)}
            self._lines = dict(sorted(lines.items()))
        return self._lines


def _rows(text: str) -> Iterator[tuple[str, str]]:
    for line in text.split("\n"):
        if line.startswith('"'):
            end = line.index('":', 1)
            key = line[1:end]
            if "\\" in key:  # what looks like its end may be a part of it
                key, end = _DECODER.raw_decode(line)
                end -= 1
            yield key, line[end + 2 :].rstrip(",")


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
