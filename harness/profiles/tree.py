"""The flat list of elements of a StructureDefinition as a tree.

https://hl7.org/fhir/R4/elementdefinition.html#id

The id of an element says where it hangs: `Observation.category:VSCat.coding` is the child `coding`
of the slice `VSCat` of `category`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

DEEPEST = 64
"""Levels of elements; profiles of FHIR have a dozen."""


@dataclass(frozen=True, slots=True)
class Node:
    """An ElementDefinition with what hangs below it, in the definition's order."""

    definition: dict[str, Any] = field(default_factory=dict)
    children: dict[str, Node] = field(default_factory=dict)
    slices: dict[str, Node] = field(default_factory=dict)


def tree(elements: Iterable[Mapping[str, Any]]) -> Node:
    """The tree of these ElementDefinitions; a parent that is missing is there without a word."""
    root = Node()
    for element in elements:
        node = root
        for name, slice_ in _steps(element)[1:]:
            node = node.children.setdefault(name, Node())
            for each in _reslices(slice_, node):
                node = node.slices.setdefault(each, Node())
        node.definition.update(element)
    return root


def _steps(element: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    """Names on the way to an element, each with its slice.

    Raises:
        ValueError: its id does not fit its path.
    """
    path = str(element["path"])
    id_ = str(element.get("id") or path)
    names = path.split(".")
    if len(names) > DEEPEST:
        raise ValueError(f"an element {len(names)} levels deep, over {DEEPEST}")
    if (slices := _slices(names, id_)) is not None:
        return list(zip(names, slices, strict=True))
    steps = [step.partition(":") for step in id_.split(".")]
    if len(steps) != len(names):
        raise ValueError(f"the id {id_[:80]!r} does not fit the path {path[:80]!r}")
    # The path Observation.valueQuantity may have the id Observation.value[x]:valueQuantity.
    return [
        (name, (slice_ or None) if name == named else None)
        for name, (named, _, slice_) in zip(names, steps, strict=True)
    ]


def _slices(names: list[str], id_: str) -> list[str | None] | None:
    """The slices in an id, name by name; None where it has other names.

    The path has no slices in it, so it tells a dot between elements from one in a slice's name.
    """
    found: list[str | None] = []
    rest = f".{id_}"
    for name, following in zip(names, [*names[1:], None], strict=True):
        if not rest.startswith(f".{name}"):
            return None
        rest = rest[len(name) + 1 :]
        if not rest.startswith(":"):
            found.append(None)
            continue
        end = len(rest)
        if following is not None:
            next_ = re.search(rf"\.{re.escape(following)}(?=[.:]|$)", rest)
            end = next_.start() if next_ else end
        found.append(rest[1:end])
        rest = rest[end:]
    return found if not rest else None


def _reslices(slice_: str | None, node: Node) -> Iterator[str]:
    """A slice `a/b` is the slice `b` of the slice `a`, where there is such a one."""
    if slice_ is None:
        return
    outer, _, inner = slice_.partition("/")
    if inner and outer in node.slices:
        yield outer
        yield inner
    else:
        yield slice_
