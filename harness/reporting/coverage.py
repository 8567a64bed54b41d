"""What is judged and what is not: requirements and official rows by the checks that judge them.

`cover` is a pure function of the catalogue, an official list, the collected checks and, where one
is given, the verdicts of a run. `values` is for machines, `coverage_page` for readers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.checks.verdict import Word
from harness.spec.coverage import DUPLICATE, REASONS, OfficialList, Row
from harness.spec.requirements import ChosenVersions, Level, Requirement

FORMAT = "fhir-harness coverage"
VERSION = 1
NO_CHECK = "no check"
"""The reason of a row whose requirements no collected check verifies."""

WORST_FIRST = (
    Word.FAILED,
    Word.ERROR,
    Word.UNREACHABLE,
    Word.PREREQUISITE_FAILED,
    Word.NOT_RUN,
    Word.NOT_PERMITTED,
    Word.NOT_CONFIGURED,
    Word.ADVISED,
    Word.KNOWN_DEVIATION,
    Word.NOW_PASSING,
    Word.ATTESTED,
    Word.PASSED,
    Word.NOT_SUPPORTED,
    Word.NOT_APPLICABLE,
)
"""Of several checks, which verdict speaks for their requirement."""


@dataclass(frozen=True, slots=True)
class CoveredRow:
    """A row of the official list.

    Attributes:
        row: the row.
        checks: ids of the checks that judge it; empty where none does.
        reason: why none does, as in the list, or `NO_CHECK`; None where some do.
        verdict: the worst of its checks in the run; None without a run, or without checks.
    """

    row: Row
    checks: tuple[str, ...]
    reason: str | None
    verdict: str | None = None


@dataclass(frozen=True, slots=True)
class CoveredRequirement:
    """A requirement of the catalogue.

    Attributes:
        requirement: the requirement.
        level: in the version judged; None where that version does not have it.
        rows: numbers of the official rows that it judges.
        checks: ids of the checks that verify it.
        verdict: as of a row.
    """

    requirement: Requirement
    level: Level | None
    rows: tuple[int, ...]
    checks: tuple[str, ...]
    verdict: str | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """Rows by number, requirements in the order of the catalogue.

    Attributes:
        official: the list.
        rows: its rows.
        requirements: the whole catalogue.
    """

    official: OfficialList
    rows: tuple[CoveredRow, ...]
    requirements: tuple[CoveredRequirement, ...]

    @property
    def judged(self) -> tuple[CoveredRow, ...]:
        """Rows that checks judge, as a whole or in part."""
        return tuple(each for each in self.rows if each.checks)

    @property
    def normative(self) -> int:
        """How many rows say SHALL or SHALL NOT."""
        return sum(each.row.level.startswith("SHALL") for each in self.rows)

    @property
    def in_part(self) -> int:
        """How many of those leave something unjudged."""
        return sum(bool(each.row.open) for each in self.judged)

    @property
    def missing(self) -> tuple[CoveredRow, ...]:
        """Rows that no check judges, and rows that checks judge in part."""
        return tuple(each for each in self.rows if not each.checks or each.row.open)

    @property
    def unverified(self) -> tuple[CoveredRequirement, ...]:
        """Requirements of the catalogue that no check verifies."""
        return tuple(each for each in self.requirements if not each.checks)

    @property
    def reasons(self) -> dict[str, int]:
        """How many rows are not judged for which reason, `planned` first."""
        counted = Counter(each.reason for each in self.rows if each.reason is not None)
        order = [NO_CHECK, *REASONS, DUPLICATE]
        return {reason: counted[reason] for reason in order if counted[reason]}

    def __str__(self) -> str:
        judged = f"{len(self.judged)} judged by checks ({self.in_part} of them in part)"
        why = ", ".join(f"{count} {reason!r}" for reason, count in self.reasons.items())
        others = f", {len(self.rows) - len(self.judged)} not: {why}" if why else ""
        return f"{len(self.rows)} rows ({self.normative} of them SHALL): {judged}{others}"


def cover(
    official: OfficialList,
    requirements: Mapping[str, Requirement],
    checks: Mapping[str, str],
    versions: ChosenVersions,
    verdicts: Mapping[str, str],
) -> Coverage:
    """Bring rows, requirements and checks together.

    Args:
        official: the rows.
        requirements: the catalogue.
        checks: check id -> id of the requirement that it verifies.
        versions: levels depend on them; the one of `official.spec` is that of the list.
        verdicts: check id -> verdict word, of a run; empty without one.
    """
    verifying: dict[str, list[str]] = {each: [] for each in requirements}
    for check, verified in checks.items():
        verifying[verified].append(check)
    covered = tuple(
        CoveredRequirement(
            each,
            each.level(versions),
            tuple(row.number for row in official.rows if each.id in row.requirements),
            tuple(verifying[each.id]),
            worst(verifying[each.id], verdicts),
        )
        for each in requirements.values()
    )
    binding = {each.requirement.id: each.checks for each in covered if each.level is not None}
    rows = tuple(_row(each, binding, verdicts) for each in official.rows)
    return Coverage(official, rows, covered)


def worst(checks: Iterable[str], verdicts: Mapping[str, str]) -> str | None:
    """The verdict that speaks for these checks; what a run left out is not run.

    Returns:
        None without checks, or without a run.
    """
    said = {verdicts.get(check, Word.NOT_RUN) for check in checks} if verdicts else frozenset()
    return next((word.value for word in WORST_FIRST if word.value in said), None)


def because(covered: CoveredRow) -> str:
    """Why no check judges a row, in a phrase; empty where one does."""
    row = covered.row
    if covered.reason == NO_CHECK:
        return f"{NO_CHECK} of {', '.join(row.requirements)}"
    if covered.reason == DUPLICATE:
        return f"duplicate of @{row.duplicate_of}"
    return f"{covered.reason}: {row.detail}" if covered.reason else ""


def folded(checks: Iterable[str]) -> list[str]:
    """Ids of checks, those of one function with their parametrised values put together."""
    cases: dict[str, list[str]] = {}
    for check in checks:
        function, _, rest = check.partition("[")
        cases.setdefault(function, []).extend([rest.removesuffix("]")] if rest else [])
    return [f"{name}[{', '.join(each)}]" if each else name for name, each in cases.items()]


def values(coverage: Coverage, rows: Iterable[CoveredRow]) -> dict[str, Any]:
    """Coverage as JSON values, with these of its rows."""
    official = coverage.official
    return {
        "format": FORMAT,
        "version": VERSION,
        "specification": {"name": official.spec, "version": official.version},
        "summary": {
            "rows": len(coverage.rows),
            "normative": coverage.normative,
            "judged": len(coverage.judged),
            "in_part": coverage.in_part,
            "not_judged": coverage.reasons,
            "requirements": len(coverage.requirements),
            "unverified": [each.requirement.id for each in coverage.unverified],
            "text": str(coverage),
        },
        "rows": [
            {
                "id": official.reference(each.row),
                "number": each.row.number,
                "level": each.row.level,
                "name": each.row.name,
                "requirements": list(each.row.requirements),
                "checks": list(each.checks),
                "open": each.row.open or None,
                "reason": each.reason,
                "detail": each.row.detail or None,
                "duplicate_of": each.row.duplicate_of,
                "verdict": each.verdict,
            }
            for each in rows
        ],
        "requirements": [
            {
                "id": each.requirement.id,
                "text": each.requirement.text,
                "level": each.level,
                "rows": list(each.rows),
                "checks": list(each.checks),
                "verdict": each.verdict,
            }
            for each in coverage.requirements
        ],
    }


def _row(
    row: Row, binding: Mapping[str, tuple[str, ...]], verdicts: Mapping[str, str]
) -> CoveredRow:
    found = tuple(check for name in row.requirements for check in binding.get(name, ()))
    reason = None if found else row.reason or NO_CHECK
    return CoveredRow(row, found, reason, worst(found, verdicts))
