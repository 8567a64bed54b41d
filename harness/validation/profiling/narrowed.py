"""An object that a profile narrows: what has to be there, what may not, and what each value meets.

What the type itself asks is judged before; a value of the wrong shape is passed over here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.spec.definitions.model import UNBOUNDED
from harness.validation.findings import Rule
from harness.validation.profiling.slicing import Slicer
from harness.validation.walking.fields import Field, Walk
from harness.validation.walking.judging import Judging
from harness.validation.walking.paths import Path


@dataclass(slots=True)
class Parts:
    """What a profile asks of an object, while it is put together.

    Attributes:
        required: minimum of each element that has to be there, by its name in JSON.
        fields: what is asked of properties that are there.
        steps: what is asked of the object as a whole.
    """

    required: dict[str, int] = field(default_factory=dict)
    fields: list[tuple[str, Field]] = field(default_factory=list)
    steps: list[Walk] = field(default_factory=list)

    def walk(self, profile: str) -> Walk | None:
        """The walk over such objects; None where nothing is asked."""
        if not (self.required or self.fields or self.steps):
            return None
        minima, names = dict(self.required), frozenset(self.required)
        fields, steps = tuple(self.fields), tuple(self.steps)

        def judge(node: Any, path: Path, run: Judging) -> None:
            if node.__class__ is not dict:
                return
            if names and not node.keys() >= names:
                for name, minimum in minima.items():
                    if name not in node and f"_{name}" not in node:
                        run.add_missing((path, name), minimum, profile)
            for name, judged in fields:
                value = node.get(name)
                if value is not None:
                    judged(value, node, path, run)
            for step in steps:
                step(node, path, run)

        return judge


def single(name: str, contents: Sequence[Walk]) -> Field:
    """A property with one value."""
    if len(contents) == 1:
        (only,) = contents

        def simple(value: Any, _: dict[str, Any], path: Path, run: Judging) -> None:
            only(value, (path, name), run)

        return simple

    def judge(value: Any, _: dict[str, Any], path: Path, run: Judging) -> None:
        for content in contents:
            content(value, (path, name), run)

    return judge


@dataclass(frozen=True, slots=True)
class Count:
    """How often something may be there."""

    minimum: int = 0
    maximum: int = UNBOUNDED


def many(
    name: str, count: Count, contents: Sequence[Walk], slicer: Slicer | None, profile: str
) -> Field:
    """A property with an array."""
    minimum, maximum = count.minimum, count.maximum

    def judge(values: Any, _: dict[str, Any], path: Path, run: Judging) -> None:
        if values.__class__ is not list or not values:
            return
        here = (path, name)
        if not minimum <= len(values) <= maximum:
            run.add_count(here, minimum, maximum, len(values), profile)
        for content in contents:
            for index, value in enumerate(values):
                if value is not None:
                    content(value, (here, index), run)
        if slicer is not None:
            slicer(values, here, run)

    return judge


def prohibited(name: str, profile: str) -> Field:
    """A property that may not be there."""

    def judge(value: Any, _: dict[str, Any], path: Path, run: Judging) -> None:
        run.error(Rule.MAXIMUM, (path, name), "none", value, profile)

    return judge


def absent(name: str, slicer: Slicer) -> Walk:
    """An array that may be left out, though a slice of it may not."""

    def judge(node: Any, path: Path, run: Judging) -> None:
        if name not in node:
            slicer((), (path, name), run)

    return judge


def beside(name: str, inner: Walk) -> Walk:
    """What is asked of the ids and extensions of a primitive, if it is there at all."""
    sibling = f"_{name}"

    def judge(node: Any, path: Path, run: Judging) -> None:
        if name in node or sibling in node:
            inner(node.get(sibling, {}), (path, name), run)

    return judge
