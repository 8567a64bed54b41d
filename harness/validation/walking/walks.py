"""Walks made of walks."""

from __future__ import annotations

from typing import Any

from harness.validation.findings import Rule
from harness.validation.walking.fields import Walk
from harness.validation.walking.judging import DEEPEST, Judging
from harness.validation.walking.paths import Path


def in_turn(first: Walk, second: Walk) -> Walk:
    """Two walks over the same value."""

    def both(value: Any, path: Path, run: Judging) -> None:
        first(value, path, run)
        second(value, path, run)

    return both


def bounded(walk: Walk) -> Walk:
    """A walk that refuses to go on where things stand too deep in each other."""

    def guarded(value: Any, path: Path, run: Judging) -> None:
        if run.depth >= DEEPEST:
            run.error(Rule.JSON, path, f"at most {DEEPEST} levels of recursion", value)
            return
        run.depth += 1
        walk(value, path, run)
        run.depth -= 1

    return guarded


def longest(most: int | None, profile: str | None) -> tuple[Walk, ...]:
    """A step that judges the length of a string, or none."""
    if most is None:
        return ()

    def step(value: Any, path: Path, run: Judging) -> None:
        if value.__class__ is str and len(value) > most:
            run.add_error(
                Rule.VALUE, path, f"at most {most} characters", f"{len(value)} characters", profile
            )

    return (step,)


def nothing(_value: Any, _path: Path, _run: Judging) -> None:
    """Judges nothing."""
