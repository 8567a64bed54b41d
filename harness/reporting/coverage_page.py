"""What is judged and what is not, as a Markdown page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.reporting.coverage import (
    NO_CHECK,
    Coverage,
    CoveredRequirement,
    CoveredRow,
    because,
    folded,
)
from harness.spec.requirements import ChosenVersions


def markdown(
    coverage: Coverage, rows: Iterable[CoveredRow], versions: ChosenVersions
) -> Iterator[str]:
    """Coverage as a page, line by line, with these of its rows."""
    official = coverage.official
    yield f"# Coverage of {official.title} {official.version}"
    yield ""
    yield f"`harness coverage --spec {official.name} --markdown` writes this page; do not edit it."
    yield (
        f"A number stands for the official id `{official.official}@<number>`. "
        "Names and sentences are ours; the specification's own stand behind the links."
    )
    yield ""
    yield from _table(("rows", "of", "are"), _sums(coverage))
    yield ""
    yield "## Official rows"
    yield ""
    yield from _table(("row", "level", "about", "judged by, or why not"), map(_row_cells, rows))
    yield ""
    yield "## Requirements"
    yield ""
    yield "Every requirement of the catalogue, with the checks that verify it."
    yield ""
    cells = (_requirement_cells(each, versions) for each in coverage.requirements)
    yield from _table(("requirement", "level", "rows", "checks"), cells)


def _row_cells(covered: CoveredRow) -> tuple[str, ...]:
    row = covered.row
    lines = [f"`{check}`" for check in folded(covered.checks)] or [because(covered)]
    lines += [f"*{row.open}*"] if row.open else []
    lines += [f"**{covered.verdict}**"] if covered.verdict else []
    return f"@{row.number}", row.level, row.name, "<br>".join(lines)


def _requirement_cells(covered: CoveredRequirement, versions: ChosenVersions) -> tuple[str, ...]:
    requirement = covered.requirement
    lines = [f"`{check}`" for check in folded(covered.checks)] or [NO_CHECK]
    lines += [f"**{covered.verdict}**"] if covered.verdict else []
    return (
        f"[{requirement.id}]({requirement.link(versions)})<br>{requirement.text}",
        covered.level or "-",
        " ".join(f"@{number}" for number in covered.rows),
        "<br>".join(lines),
    )


def _sums(coverage: Coverage) -> Iterator[tuple[str, ...]]:
    whole = len(coverage.judged) - coverage.in_part
    total = str(len(coverage.rows))
    yield str(whole), total, "judged by checks"
    yield str(coverage.in_part), total, "judged by checks in part; what is open stands in *italics*"
    for reason, count in coverage.reasons.items():
        yield str(count), total, f"not judged: {reason}"


def _table(columns: Iterable[str], lines: Iterable[tuple[str, ...]]) -> Iterator[str]:
    names = tuple(columns)
    for cells in (names, tuple("---" for _ in names), *lines):
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
