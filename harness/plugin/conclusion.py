"""From verdicts to the account of a run, its status, and its recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from traceback import format_exception

from harness.checks.acting import REGISTRY
from harness.checks.runner import Outcome, one_line
from harness.checks.verdict import Check, Terms, Verdict, not_run
from harness.errors import EhrUnreachable, ExitStatus, HarnessError
from harness.http import recording
from harness.plugin import status
from harness.plugin.live import Live
from harness.plugin.publishing import Publisher
from harness.plugin.stand_in import texts
from harness.plugin.target import Target
from harness.reporting.account import About, Account, FailedAct, completeness


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended.

    Attributes:
        exitstatus: pytest's own.
        cut_off: why no check was judged.
        require_complete: whether an open SHALL fails the run.
        partial: whether checks were left out, so that a root may be among them.
        left_behind: what could not be undone.
        deselected: how many checks were not selected.
    """

    exitstatus: int
    cut_off: HarnessError | None
    require_complete: bool
    partial: bool
    left_behind: tuple[str, ...]
    deselected: int

    @property
    def interrupted(self) -> bool:
        """Whether a person ended it."""
        return self.exitstatus == ExitStatus.INTERRUPTED


def conclude(
    about: About,
    checks: Sequence[Check],
    judged: Mapping[str, Verdict],
    live: Live,
    terms: Terms,
    publisher: Publisher,
    ending: Ending,
) -> Account:
    """The account of a run; redacted."""
    missing = publisher.text(_why_not_run(ending))
    verdicts = tuple(judged.get(each.id) or not_run(each, terms, missing) for each in checks)
    outcomes = live.outcomes
    orphans = status.rootless(verdicts, outcomes, REGISTRY)
    whole = completeness(verdicts)
    holding = status.of_verdicts(verdicts) | status.of_outcomes(outcomes.values())
    holding |= of_ending(ending, complete=whole.complete, orphans=bool(orphans))
    return Account(
        about=about,
        verdicts=verdicts,
        ended_at=datetime.now(UTC),
        status=status.first_that_holds(holding),
        completeness=whole,
        failed_acts=tuple(
            _failed(each, publisher) for each in outcomes.values() if each.failed_itself
        ),
        defects=() if ending.partial else tuple(_orphan(each) for each in orphans),
        left_behind=tuple(publisher.text(each) for each in ending.left_behind),
        deselected=ending.deselected,
        cut_off=missing if ending.cut_off or ending.interrupted else None,
    )


def _why_not_run(ending: Ending) -> str:
    if ending.cut_off is None:
        return f"the run was {'interrupted' if ending.interrupted else 'stopped'}"
    unreachable = isinstance(ending.cut_off, EhrUnreachable)
    return f"{'the EHR could not be reached: ' if unreachable else ''}{ending.cut_off}"


def of_ending(ending: Ending, *, complete: bool, orphans: bool) -> set[ExitStatus]:
    """Every status that the ending of a run asks for, whatever its verdicts are."""
    root_elsewhere = ExitStatus.NOT_CONFORMANT if ending.partial else ExitStatus.HARNESS_DEFECT
    asked = {
        ExitStatus.INTERRUPTED: ending.interrupted,
        ExitStatus.HARNESS_DEFECT: ending.exitstatus == ExitStatus.HARNESS_DEFECT,
        ExitStatus.NOT_CONFORMANT: ending.require_complete and not complete,
    }
    holding = {each for each, holds in asked.items() if holds}
    if ending.cut_off:
        holding.add(status_of(ending.cut_off))
    return holding | ({root_elsewhere} if orphans else set())


def status_of(cut_off: HarnessError) -> ExitStatus:
    """The status of a run that ended before its first check."""
    unreachable = isinstance(cut_off, EhrUnreachable)
    return ExitStatus.UNREACHABLE if unreachable else ExitStatus.HARNESS_DEFECT


def record(target: Target, live: Live, about: About, checks: Sequence[str], folder: Path) -> None:
    """Write what a replay needs; `checks` are the ids of those that were selected."""
    said = {
        "name": target.ehr.name,
        "ehr": dict(target.table),
        "versions": asdict(target.versions),
        "texts": texts(target.ehr, target.secrets),
        "readings": live.clock.noted,
        "arrivals": live.hooks.noted(live.redactor),
        "checks": list(checks),
        "options": dict(about.options),
        "packages": dict(about.packages),
    }
    recording.write(
        folder / "recording.jsonl",
        (said, about.started_at),
        live.evidence.steps,
        live.entropy.drawn,
        live.redactor,
    )


def _failed(outcome: Outcome, publisher: Publisher) -> FailedAct:
    error = outcome.error
    defect = error is not None and not isinstance(error, HarnessError)
    detail = publisher.text("".join(format_exception(error))) if defect and error else None
    return FailedAct(outcome.act, publisher.text(one_line(error)), detail)


def _orphan(verdict: Verdict) -> str:
    return f"{verdict.check.id}: its prerequisite failed, but no check judged that"
