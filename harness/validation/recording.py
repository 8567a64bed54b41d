"""Notes, during the walk, which parts that have to be supported were present.

A part is named as the definition names elements: `Observation.category:us-core`, with the type or
target behind it where it is one type or one target that has to be supported.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from harness.spec.definitions.model import Element, Profile, TypeRef
from harness.validation.fields import Walk
from harness.validation.judging import Judging
from harness.validation.paths import Path
from harness.validation.targets import Targets


def of_type(label: str, code: str) -> str:
    """The name of an element in one of its types."""
    return f"{label} as {code}"


def to_target(label: str, url: str) -> str:
    """The name of a Reference to one of its targets."""
    return f"{label} -> {url.rpartition('/')[2]}"


def noted(profile: str, label: str) -> Walk:
    """A step that notes that a value is there."""
    mark = (profile, label)

    def note(_value: Any, _path: Path, run: Judging) -> None:
        run.seen.add(mark)

    return note


def flagged(element: Element) -> bool:
    """Whether an element has to be supported, USCDI requirements included."""
    return element.must_support or element.uscdi


def steps(profile: str, label: str, element: Element, code: str, targets: Targets) -> list[Walk]:
    """What is noted of values of one type of an element."""
    made = [noted(profile, label)] if flagged(element) else []
    for ref in element.types:
        if ref.code != code:
            continue
        if ref.must_support and len(element.types) > 1:
            made.append(noted(profile, of_type(label, code)))
        if ref.must_support_targets:
            made.append(_leads(profile, label, ref, targets))
    return made


def _leads(profile: str, label: str, ref: TypeRef, targets: Targets) -> Walk:
    marks: dict[str, list[tuple[str, str]]] = {}
    for url in ref.must_support_targets:
        kind = targets.type_named(url)
        if kind is not None:
            marks.setdefault(kind, []).append((profile, to_target(label, url)))

    def note(value: Any, _path: Path, run: Judging) -> None:
        kind = targets.type_of(value, run)
        if kind is not None:
            run.seen.update(marks.get(kind, ()))

    return note


def labels(profile: Profile) -> Iterable[str]:
    """All parts of a profile that have to be supported, in the definition's order."""
    yield from _labels(profile.root, profile.root.name)


def _labels(element: Element, label: str) -> Iterable[str]:
    if flagged(element):
        yield label
    for ref in element.types:
        if ref.must_support and len(element.types) > 1:
            yield of_type(label, ref.code)
        for url in ref.must_support_targets:
            yield to_target(label, url)
    slices: Mapping[str, Element] = {} if element.slicing is None else element.slicing.slices
    for name, piece in slices.items():
        yield from _labels(piece, f"{label}:{name}")
    for name, child in element.children.items():
        yield from _labels(child, f"{label}.{name}")
