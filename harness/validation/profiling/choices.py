"""A choice of types that a profile narrows.

https://hl7.org/fhir/R4/formats.html#choice
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.validation.findings import Rule
from harness.validation.profiling.narrowed import single
from harness.validation.walking.fields import Walk
from harness.validation.walking.judging import Judging
from harness.validation.walking.paths import Path


@dataclass(frozen=True, slots=True)
class Variant:
    """One type of a choice.

    Attributes:
        name: of the property in JSON: `valueQuantity`.
        step: to it in a path: `value.ofType(Quantity)`.
    """

    name: str
    step: str


def left_out(
    refused: Iterable[Variant], permitted: Iterable[Variant], stem: str, profile: str
) -> list[Walk]:
    """A step that refuses types which the profile leaves out, or none.

    Args:
        refused: those types.
        permitted: what may stand instead.
        stem: name of the choice without its type.
        profile: whose rule it is.
    """
    steps = {name: each.step for each in refused for name in _spellings(each)}
    if not steps:
        return []
    names = frozenset(steps)
    instead = " or ".join(sorted(each.name for each in permitted)) or f"no {stem}[x]"

    def judge(node: Any, path: Path, run: Judging) -> None:
        if not names.isdisjoint(node):
            for name in names.intersection(node):
                actual = name.removeprefix("_")
                run.add_error(Rule.CHOICE, (path, steps[name]), instead, actual, profile)

    return [judge]


def needed(
    variants: Iterable[Variant],
    stem: str,
    label: str,
    profile: str,
    among: Iterable[Variant] = (),
) -> Walk:
    """A step that asks for one of these types.

    Args:
        variants: the types.
        stem: name of the choice without its type.
        label: of the slice that asks for it; empty where the choice itself does.
        profile: whose rule it is.
        among: where not even one of these is there, another step says so.
    """
    names = frozenset(name for each in variants for name in _spellings(each))
    others = frozenset(name for each in among for name in _spellings(each))
    expected = f"at least 1 in slice {label}" if label else "at least 1"

    def judge(node: Any, path: Path, run: Judging) -> None:
        if names.isdisjoint(node) and not (others and others.isdisjoint(node)):
            run.add_error(Rule.MINIMUM, (path, stem), expected, "none", profile)

    return judge


def present(contents: Mapping[Variant, Sequence[Walk]]) -> list[Walk]:
    """A step that judges the value in whichever type it is, or none."""
    fields = [(each.name, single(each.step, walks)) for each, walks in contents.items() if walks]
    if not fields:
        return []

    def judge(node: Any, path: Path, run: Judging) -> None:
        for name, judged in fields:
            value = node.get(name)
            if value is not None:
                judged(value, node, path, run)

    return [judge]


def _spellings(variant: Variant) -> tuple[str, str]:
    return variant.name, f"_{variant.name}"
