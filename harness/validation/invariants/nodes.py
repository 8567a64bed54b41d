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


def has(node: Any, name: str) -> bool:
    """Whether the child exists: a value, or the extensions of one that is left out."""
    return node.__class__ is dict and (name in node or f"_{name}" in node)


def choice(node: Any, prefix: str) -> bool:
    """Whether a choice such as value[x] exists in one of its types."""
    if node.__class__ is not dict:
        return False
    for name in node:
        bare = name[1:] if name[:1] == "_" else name
        if bare.startswith(prefix) and bare[len(prefix) : len(prefix) + 1].isupper():
            return True
    return False
