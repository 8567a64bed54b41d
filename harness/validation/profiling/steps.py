"""Paths of discriminators: the few steps of FHIRPath that are permitted in them.

https://hl7.org/fhir/R4/profiling.html#discriminator: child elements, `$this`, `extension(url)`,
`resolve()` and `ofType(type)`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

RESOLVE = "resolve()"

_step = re.compile(r"extension\(['\"]([^'\"]*)['\"]\)|resolve\(\)|(?:ofType|as)\((\w+)\)|\$?\w+")


def parsed(path: str) -> tuple[str, ...]:
    """The steps of a path: `coding.code` is ("coding", "code"), `$this` is empty.

    `extension('url')` becomes `extension(url)`; a type in `ofType` adds nothing, because the
    definition at hand has one.
    """
    found = []
    for step in _step.finditer(path):
        url, kind = step.groups()
        if url is not None:
            found.append(f"extension({url})")
        elif kind is None and step[0] != "$this":
            found.append(step[0])
    return tuple(found)


def leaves(value: Any, path: Sequence[str]) -> Iterator[Any]:
    """All values at the end of a path, through arrays and choices."""
    if not path:
        yield value
    elif isinstance(value, dict):
        for each in _children(value, path[0]):
            yield from leaves(each, path[1:])


def found_at(path: Sequence[str], wanted: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """A test whether any value at the end of a path is wanted; what `leaves` yields, made once."""
    if not path:
        return wanted
    name, inner = path[0], found_at(path[1:], wanted)
    plain = not name.startswith("extension(")

    def test(node: Any) -> bool:
        if node.__class__ is not dict:
            return False
        found = node.get(name) if plain else None
        if found is None:
            return any(map(inner, _children(node, name)))
        if found.__class__ is not list:
            return inner(found)
        for item in found:  # noqa: SIM110 - a generator costs more than its few turns
            if inner(item):
                return True
        return False

    return test


def _children(node: dict[str, Any], name: str) -> list[Any]:
    if name.startswith("extension("):
        url, extensions = name[10:-1], node.get("extension")
        if not isinstance(extensions, list):
            return []
        return [e for e in extensions if isinstance(e, dict) and e.get("url") == url]
    found = node.get(name)
    if found is None:
        found = _chosen(node, name)
    if found is None:
        return []
    return found if isinstance(found, list) else [found]


def _chosen(node: dict[str, Any], name: str) -> Any:
    """The value of a choice, which has its type in its name."""
    for key, value in node.items():
        if key.startswith(name) and key[len(name) : len(name) + 1].isupper():
            return value
    return None
