"""What a conformance run did, as every report tells it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from harness.checks.verdict import Verdict, Word
from harness.config.ehr import EhrFile
from harness.errors import ExitStatus
from harness.spec.requirements import ChosenVersions

JUDGED = frozenset(
    {
        Word.PASSED,
        Word.FAILED,
        Word.NOW_PASSING,
        Word.KNOWN_DEVIATION,
        Word.ATTESTED,
        Word.NOT_APPLICABLE,
    }
)
"""What settles a SHALL; every other word leaves it open."""


@dataclass(frozen=True, slots=True)
class About:
    """Which run this is.

    Attributes:
        ehr: the endpoint, as run against.
        versions: the versions judged against.
        run: its id: UTC second and random.
        folder: where its reports go.
        started_at: UTC.
        endpoints: who gets secrets, in one line.
        options: command line options that shape verdicts.
        packages: package -> version, of what judged.
        replayed: the recording that was judged again, if one was.
    """

    ehr: EhrFile
    versions: ChosenVersions
    run: str
    folder: Path
    started_at: datetime
    endpoints: str
    options: Mapping[str, object] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)
    replayed: str | None = None


@dataclass(frozen=True, slots=True)
class FailedAct:
    """An act that failed for itself: what and why, in one line, and the traceback of a defect."""

    name: str
    reason: str
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Completeness:
    """How many of the selected SHALLs were judged, and why not the others."""

    shalls: int
    open: Mapping[str, int]

    @property
    def complete(self) -> bool:
        """Whether every one was."""
        return not self.open

    def __str__(self) -> str:
        if self.complete:
            return "complete: yes"
        reasons = sorted(self.open.items(), key=lambda item: (-item[1], item[0]))
        listed = ", ".join(f"{word} {count}" for word, count in reasons)
        not_judged = sum(self.open.values())
        return f"complete: no, {not_judged} of {self.shalls} SHALLs not judged: {listed}"


def completeness(verdicts: Iterable[Verdict]) -> Completeness:
    """Count the SHALLs among verdicts."""
    shalls = [each for each in verdicts if each.level == "SHALL"]
    still_open = Counter(each.word.value for each in shalls if each.word not in JUDGED)
    return Completeness(len(shalls), dict(still_open))


@dataclass(frozen=True, slots=True)
class Account:
    """A run from its first line to its last; everything in it is redacted.

    Attributes:
        about: which run.
        verdicts: one per selected check, in order.
        ended_at: UTC.
        status: its exit status.
        completeness: of its SHALLs.
        failed_acts: acts that failed for themselves.
        defects: what else is wrong with the harness, one line each.
        left_behind: resources that could not be undone.
        deselected: how many checks were not selected.
        cut_off: why the run ended before its end; None where it did not.
    """

    about: About
    verdicts: tuple[Verdict, ...]
    ended_at: datetime
    status: ExitStatus
    completeness: Completeness
    failed_acts: tuple[FailedAct, ...] = ()
    defects: tuple[str, ...] = ()
    left_behind: tuple[str, ...] = ()
    deselected: int = 0
    cut_off: str | None = None

    @property
    def counts(self) -> dict[str, int]:
        """How often each word was said, in the order of `Word`."""
        said = Counter(each.word for each in self.verdicts)
        return {word.value: said[word] for word in Word if said[word]}

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.ended_at - self.about.started_at).total_seconds()
