"""Which verdicts say the same of one check, so that a person reads it once."""

from __future__ import annotations

from collections.abc import Iterable

from harness.checks.verdict import Verdict


def alike(verdicts: Iterable[Verdict]) -> list[tuple[Verdict, ...]]:
    """The verdicts in groups that differ by parameters alone, each where its first one stood."""
    groups: dict[object, list[Verdict]] = {}
    for each in verdicts:
        said = each.reason if each.expected is None else (each.expected, each.actual)
        key = (each.check.function, each.check.title, each.word, said, each.detail)
        groups.setdefault(key, []).append(each)
    return [tuple(group) for group in groups.values()]


def others(group: tuple[Verdict, ...]) -> str:
    """The parameters of all but the first, as they stand in the ids; empty for one alone."""
    return ", ".join(f"[{each.check.id.partition('[')[2]}" for each in group[1:])
