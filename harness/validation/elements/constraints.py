"""Invariants of an element, as one step over all of them.

https://hl7.org/fhir/R4/conformance-rules.html#constraints
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness.spec.definitions.model import Constraint
from harness.validation.findings import Rule, Severity
from harness.validation.invariants import translated
from harness.validation.telling import told
from harness.validation.walking.fields import Walk
from harness.validation.walking.judging import Judging
from harness.validation.walking.once import said_once
from harness.validation.walking.paths import Path

HARD_WIRED = frozenset({"ele-1", "ext-1", "sqty-1"})
"""What the walk itself judges: the last is the cardinality of Quantity.comparator once more."""

_OF_CONTAINED = "contained."
"""How expressions begin that say nothing of a resource which contains none."""


def constrained(
    constraints: Iterable[Constraint], profile: str | None, judged: Iterable[Constraint] = ()
) -> tuple[Walk, ...]:
    """One step that judges `constraints`, or none.

    Args:
        constraints: those of an element.
        profile: whose they are; None of FHIR itself.
        judged: constraints that are judged elsewhere already, by their expression.
    """
    elsewhere = {constraint.expression for constraint in judged}
    tests = []
    untranslated = []
    for constraint in constraints:
        if constraint.key in HARD_WIRED or constraint.expression in elsewhere:
            continue
        test = translated(constraint.expression)
        if test is None:
            untranslated.append(
                said_once(f"{constraint.human} (not evaluated)", profile, key=constraint.key)
            )
        else:
            tests.append((test, constraint))
    if not tests:
        return tuple(untranslated)
    always = [each for each in tests if not each[1].expression.startswith(_OF_CONTAINED)]
    rest = tests if len(tests) > len(always) else None

    def judge(value: Any, path: Path, run: Judging) -> None:
        scope = run.scope
        chosen = always
        if rest is not None and value.__class__ is dict and "contained" in value:
            chosen = rest
        for test, constraint in chosen:
            try:
                holds = test(value, scope)
            except Exception:  # noqa: BLE001 - a value of the wrong shape, which is told of itself
                _undecided(constraint, value, path, run, profile)
                continue
            if not holds:
                _broken(constraint, value, path, run, profile)

    return (judge, *untranslated)


def _broken(
    constraint: Constraint, value: Any, path: Path, run: Judging, profile: str | None
) -> None:
    run.add(
        Severity.ERROR if constraint.severity == Severity.ERROR else Severity.WARNING,
        Rule.INVARIANT,
        path,
        constraint.human,
        str(value.get("resourceType")) if value is run.scope.resource else told(value),
        profile,
        constraint.key,
    )


def _undecided(
    constraint: Constraint, value: Any, path: Path, run: Judging, profile: str | None
) -> None:
    run.add(
        Severity.INFORMATION,
        Rule.NOT_CHECKED,
        path,
        f"{constraint.human} (cannot be decided on a value of this shape)",
        told(value),
        profile,
        constraint.key,
    )
