"""Which properties of a JSON object an element may appear as.

https://hl7.org/fhir/R4/formats.html#choice: `value[x]` is `valueQuantity` or `valueString`, and a
primitive has a sibling `_valueString` beside or instead of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from harness.spec.definitions.model import Element, Type, TypeRef
from harness.validation.values.primitives import CHECKS

_CHOICE = "[x]"
_NO_SIBLING = frozenset({"xhtml"})


class Key(NamedTuple):
    """One property.

    Attributes:
        name: in JSON: `valueQuantity`, `_status`.
        step: in a path: `value.ofType(Quantity)`, `status`.
        element: that it holds.
        type: of its value; of a sibling, of the value beside it.
        sibling: whether it holds ids and extensions of primitive values.
    """

    name: str
    step: str
    element: Element
    type: TypeRef
    sibling: bool = False


def is_choice(element: Element) -> bool:
    """Whether its name in JSON depends on its type."""
    return element.name.endswith(_CHOICE)


def stem(element: Element) -> str:
    """Its name in a path: `value` of `value[x]`."""
    return element.name.removesuffix(_CHOICE)


def names(element: Element, code: str) -> tuple[str, str]:
    """The property that holds a value of type `code`, and the step to it in a path."""
    if not is_choice(element):
        return element.name, element.name
    name = stem(element)
    return f"{name}{code[0].upper()}{code[1:]}", f"{name}.ofType({code})"


def keys(element: Element) -> list[Key]:
    """All properties of an element of a type."""
    if element.maximum == 0:
        return []
    found = []
    types = element.types if is_choice(element) else element.types[:1]
    for ref in types or (TypeRef(""),):
        name, step = names(element, ref.code) if ref.code else (element.name, element.name)
        found.append(Key(name, step, element, ref))
        if ref.code in CHECKS and ref.code not in _NO_SIBLING and element.name != "id":
            found.append(Key(f"_{name}", step, element, ref, sibling=True))
    return found


def by_name(elements: Mapping[str, Element], owner: str) -> dict[str, Key]:
    """All properties of an object with these elements."""
    known = {key.name: key for element in elements.values() for key in keys(element)}
    if owner == "Extension":
        # An attribute in XML, beside which nothing can stand.
        known.pop("_url", None)
    return known


def element_at(kind: Type, path: str) -> Element:
    """The element of a type at a path such as `Observation.referenceRange`.

    Raises:
        KeyError: the type has no such element.
    """
    element = kind.root
    for name in path.split(".")[1:]:
        children = element.children
        element = children[name] if name in children else children[f"{name}[x]"]
    return element
