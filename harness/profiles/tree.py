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
        for name, slice_ in list(_steps(element))[1:]:
            node = node.children.setdefault(name, Node())
            for each in _reslices(slice_, node):
                node = node.slices.setdefault(each, Node())
        node.definition.update(element)
    return root


def _steps(element: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    """Names on the way to an element, each with its slice.

    The path has no slices in it, so it tells a dot between elements from one in a slice's name.
    """
    path, id_ = str(element["path"]), str(element.get("id") or element["path"])
    names = path.split(".")
    shape = r"\.".join(rf"{re.escape(name)}(?::(.+?))?" for name in names)
    if found := re.fullmatch(shape, id_):
        yield from zip(names, found.groups(), strict=True)
    else:  # such as the path Observation.valueQuantity of the id Observation.value[x]:valueQuantity
        for step in id_.split("."):
            name, _, slice_ = step.partition(":")
            yield name, slice_ or None


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
