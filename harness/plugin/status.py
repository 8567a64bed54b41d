"""The exit status of a run, and whether it is complete; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from harness.checks.acting import Registry
from harness.checks.runner import Outcome
from harness.checks.verdict import ERRORS, PASSES, Verdict, Word
from harness.errors import PRECEDENCE, EhrUnreachable, ExitStatus, HarnessError

ROOTS = frozenset({Word.FAILED, Word.ADVISED, Word.KNOWN_DEVIATION, *ERRORS})
"""Verdicts that a failed prerequisite may go back to."""


def first_that_holds(holding: Collection[ExitStatus]) -> ExitStatus:
    """The status that wins."""
    return next(each for each in PRECEDENCE if each in {*holding, ExitStatus.OK})


def of_verdicts(verdicts: Iterable[Verdict]) -> set[ExitStatus]:
    """Every status that these verdicts ask for."""
    words = {each.word for each in verdicts}
    holding = set()
    if Word.ERROR in words:
        holding.add(ExitStatus.HARNESS_DEFECT)
    if Word.UNREACHABLE in words:
        holding.add(ExitStatus.UNREACHABLE)
    if Word.FAILED in words:
        holding.add(ExitStatus.NOT_CONFORMANT)
    if not words & PASSES:
        holding.add(ExitStatus.NOTHING_PASSED)
    return holding


def of_outcomes(outcomes: Iterable[Outcome]) -> set[ExitStatus]:
    """Every status that acts ask for which failed themselves."""
    return {_of_error(each.error) for each in outcomes if each.failed_itself}


def _of_error(error: Exception | None) -> ExitStatus:
    if isinstance(error, EhrUnreachable):
        return ExitStatus.UNREACHABLE
    return error.status if isinstance(error, HarnessError) else ExitStatus.HARNESS_DEFECT


def rootless(
    verdicts: Iterable[Verdict], outcomes: Mapping[str, Outcome], registry: Registry
) -> list[Verdict]:
    """Failed prerequisites that go back to no failed check and no failed act.

    A check has a root when a check failed that stands on one of the acts below it; or when an act
    below it failed for itself.
    """
    kept = list(verdicts)
    blamed: set[str] = {name for each in kept if each.word in ROOTS for name in each.check.acts}
    blamed |= {each.act for each in outcomes.values() if each.failed_itself}
    orphans = []
    for each in kept:
        if each.word is not Word.PREREQUISITE_FAILED:
            continue
        below = {name for act in each.check.acts for name in registry.below(act)}
        if not below & blamed:
            orphans.append(each)
    return orphans
