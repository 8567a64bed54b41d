"""How numbers, spans of time and lists are told to a person."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import msgspec

SHOWN = 10
"""Lines of one kind that a person gets to read; JSON has them all."""

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0


def pretty(value: object) -> str:
    """JSON in ASCII, indented; the standard library indents ten times as slowly as it writes."""
    return msgspec.json.format(json.dumps(value), indent=2)


def span(seconds: float) -> str:
    """A span of time in its two largest units, such as `3 min 20 s`."""
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE:.0f} min {seconds % _MINUTE:.0f} s"
    if seconds < _DAY:
        return f"{seconds // _HOUR:.0f} h {seconds % _HOUR // _MINUTE:.0f} min"
    return f"{seconds // _DAY:.0f} d {seconds % _DAY // _HOUR:.0f} h"


def table(columns: Sequence[str], rows: Mapping[str, Sequence[object]]) -> list[str]:
    """Rows by name under their columns, numbers with separators and to the right; none for none."""
    if not rows:
        return []
    cells = {name: [_cell(value) for value in values] for name, values in rows.items()}
    widths = [
        max(len(column), *(len(row[at]) for row in cells.values()))
        for at, column in enumerate(columns)
    ]
    first = max(len(name) for name in rows)
    lines = [("", columns), *cells.items()]
    return [
        "  ".join(
            [
                name.ljust(first),
                *(each.rjust(width) for each, width in zip(row, widths, strict=True)),
            ]
        )
        for name, row in lines
    ]


def listed(title: str, lines: Sequence[str]) -> list[str]:
    """A title with lines below, no more than a person reads; nothing for none."""
    if not lines:
        return []
    rest = len(lines) - SHOWN
    more = [f"and {rest:,} more, see --json"] if rest > 0 else []
    return [title, *(f"  {each}" for each in (*lines[:SHOWN], *more))]


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
