"""Bindings of an element, as a step over its values.

What cannot be known offline is said at the first value that it concerns, not at a million of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.spec.definitions.model import Binding, Strength, ValueSet
from harness.validation.findings import Rule
from harness.validation.values.terminology import judge
from harness.validation.walking.fields import Walk
from harness.validation.walking.judging import Judging
from harness.validation.walking.paths import Path

_ONE_STRING = frozenset({"code", "string", "uri", "url", "canonical", "id", "oid"})


def accepted(
    binding: Binding | None, kind: str, value_sets: Mapping[str, ValueSet]
) -> frozenset[str]:
    """The strings of type `kind` that are certainly right; none where that cannot be enumerated."""
    if binding is None or binding.strength is not Strength.REQUIRED or kind not in _ONE_STRING:
        return frozenset()
    value_set = value_sets.get(binding.value_set)
    if value_set is None:
        return frozenset()
    return frozenset().union(*(codes for codes in value_set.codes.values() if codes is not None))


def bound(
    binding: Binding | None, kind: str, value_sets: Mapping[str, ValueSet], profile: str | None
) -> tuple[Walk, ...]:
    """One step that judges the codes of values of type `kind`, or none."""
    if binding is None:
        return ()
    maximum = None if binding.maximum is None else value_sets.get(binding.maximum)
    judged = judge(binding, value_sets.get(binding.value_set), maximum, kind)
    if judged is None:
        return ()
    said = False

    def check(value: Any, path: Path, run: Judging) -> None:
        nonlocal said
        judgement = judged(value)
        if judgement is None:
            return
        if judgement.rule is Rule.NOT_CHECKED:
            if said:
                return
            said = True
        run.add(
            judgement.severity,
            judgement.rule,
            path,
            judgement.expected,
            judgement.actual,
            profile,
        )

    return (check,)
