"""Slices of arrays as schema: what an item is, and how many of a kind there may be.

A schema here says exactly what the exact checker's matcher says of a value that its type accepts.
Where that cannot be done, there is none, and the element is left to the exact checker.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from harness.spec.definitions.model import (
    UNBOUNDED,
    Discriminator,
    Element,
    Slicing,
    Strength,
)
from harness.validation.fast import coded
from harness.validation.fast.combining import both
from harness.validation.fast.primitives import Schema
from harness.validation.fast.types import Place, Types

_SIMPLE: Final = frozenset({"value", "pattern"})


def counted(piece: Element, test: Schema) -> Schema:
    """How many items may be in a slice, where each is in one slice at most."""
    most = {} if piece.maximum in (None, UNBOUNDED) else {"maxContains": piece.maximum}
    if piece.minimum or most:
        return {"contains": test, "minContains": piece.minimum or 0, **most}
    return True


def items(contents: Sequence[tuple[Schema, Schema]]) -> Schema:
    """What slices ask of their items.

    An item that passes the tests of two slices belongs to the first of them, and would be counted
    there alone. It is left to the exact checker.
    """
    made: Schema = True
    behind: list[Schema] = []
    for test, content in reversed(contents):
        asked = both(_besides(test, content), _none_of(behind))
        behind.append(test)
        if asked is not True or made is not True:
            made = {"if": test, "then": asked, **({} if made is True else {"else": made})}
    return True if made is True else {"items": made}


def _none_of(tests: Sequence[Schema]) -> Schema:
    if not tests:
        return True
    return {"not": tests[0] if len(tests) == 1 else {"anyOf": list(tests)}}


def _besides(test: Schema, content: Schema) -> Schema:
    """What is asked of an item beyond what the test of its slice says."""
    if isinstance(test, bool) or isinstance(content, bool):
        return content
    known, required = test.get("properties", {}), test.get("required", ())
    rest = {
        "properties": {
            name: each
            for name, each in content.get("properties", {}).items()
            if name not in known or known[name] != each
        },
        "required": [name for name in content.get("required", ()) if name not in required],
    }
    others = {key: each for key, each in content.items() if key not in rest}
    return {**others, **{key: each for key, each in rest.items() if each}} or True


def matching(
    piece: Element, slicing: Slicing | None, place: Place | None, types: Types
) -> Schema | None:
    """What makes an item one of a slice; None where that cannot be told by a schema."""
    if slicing is None or place is None:
        return None
    url = _url(piece)
    if url is not None and [e.path for e in slicing.discriminators] == ["url"]:
        return {"properties": {"url": {"const": url}}}
    found = [_test(piece, each, place, types) for each in slicing.discriminators]
    tests = [test for each in found for test in each or ()]
    # Each may be met by another item within the value.
    return None if None in found or not tests else both(*tests)


def _url(piece: Element) -> str | None:
    """The `url` of the extensions in a slice of them."""
    for ref in piece.types:
        if ref.code == "Extension" and len(ref.profiles) == 1:
            return ref.profiles[0]
    child = piece.children.get("url")
    fixed = None if child is None else child.fixed or child.pattern
    return fixed if isinstance(fixed, str) else None


def _test(piece: Element, by: Discriminator, place: Place, types: Types) -> list[Schema] | None:
    """Each of these has to be met; None where they cannot be told."""
    path = [] if by.path == "$this" else by.path.split(".")
    if by.kind not in _SIMPLE or not all(step.isalpha() for step in path):
        return None
    element: Element | None = piece
    drilled: list[Any] = [v for v in (piece.fixed, piece.pattern) if v is not None]
    exact = piece.fixed is not None
    for name in path:
        drilled = [each for value in drilled for each in _drilled(value, name)]
        element = None if element is None else element.children.get(name)
        if element is not None and (element.fixed, element.pattern) != (None, None):
            exact = element.fixed is not None
            drilled = [element.fixed if exact else element.pattern]
    wanted: list[Schema] = [{"const": each} if exact else coded.pattern(each) for each in drilled]
    if wanted:
        made = [_below(path, each, place, types) for each in wanted]
        return None if None in made else [each for each in made if each is not None]
    return None if element is None else _within(element, path, place, types)


def _within(element: Element, path: list[str], place: Place, types: Types) -> list[Schema] | None:
    """What a slice asks for below the path, where it says nothing at the path itself."""
    binding = element.binding
    if binding is not None and binding.strength is Strength.REQUIRED:
        known = coded.enumerated(types.value_set(binding.value_set))
        if known is None or not _is_concept(path, place, types):
            return None
        made = _below(path, coded.concept(known), place, types)
        return None if made is None else [made]
    found: list[Schema] = []
    for name, child in element.children.items():
        further = [*path, name.removesuffix("[x]")]
        if child.fixed is not None:
            made = _below(further, {"const": child.fixed}, place, types)
        elif child.pattern is not None:
            made = _below(further, coded.pattern(child.pattern), place, types)
        elif child.slicing is None:
            deeper = _within(child, further, place, types)
            if deeper is None:
                return None
            found += deeper
            continue
        else:
            continue
        if made is None:
            return None
        found.append(made)
    return found


def _is_concept(path: Sequence[str], place: Place, types: Types) -> bool:
    """Whether what lies at a path is a CodeableConcept."""
    for index, name in enumerate(path):
        base = place.element.children.get(name)
        if base is None:
            return False
        ((_, ref),) = types.keys(base)
        if index == len(path) - 1:
            return ref.code == "CodeableConcept"
        deeper = types.place(place, base, ref)
        if deeper is None:
            return False
        place = deeper
    return place.kind.name == "CodeableConcept"


def _below(path: Sequence[str], test: Schema, place: Place, types: Types) -> Schema | None:
    """That some value at a path passes a test; None where the path is not in the type."""
    if not path:
        return test
    name, *rest = path
    base = place.element.children.get(name)
    if base is None:
        return None
    ((_, ref),) = types.keys(base)
    inner: Schema | None = test
    if rest:
        deeper = types.place(place, base, ref)
        inner = None if deeper is None else _below(rest, test, deeper, types)
    if inner is None:
        return None
    there: dict[str, Any] = {} if base.minimum else {"required": [name]}
    return there | {"properties": {name: {"contains": inner} if base.array else inner}}


def _drilled(value: Any, name: str) -> list[Any]:
    """The parts of a pattern at the next step of a path."""
    found = value.get(name) if isinstance(value, dict) else None
    if found is None:
        return []
    return found if isinstance(found, list) else [found]
