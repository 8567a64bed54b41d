"""Children of JSON nodes, as FHIRPath sees them; never raises, whatever the node is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any


def items(node: Any, name: str) -> Sequence[Any]:
    """The values of a child: none, the one, or those of the array."""
    value = node.get(name) if node.__class__ is dict else None
    if value.__class__ is list:
        return value
    return () if value is None else (value,)


def each(node: Any, *path: str) -> Iterator[Any]:
    """The values at the end of a path, through arrays."""
    if len(path) == 1:
        yield from items(node, path[0])
        return
    for child in items(node, path[0]):
        yield from each(child, *path[1:])


def text(node: Any, name: str) -> str:
    """The string in a child; empty where there is none."""
    value = node.get(name) if node.__class__ is dict else None
    return value if value.__class__ is str else ""
