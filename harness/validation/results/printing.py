"""Findings as they come, in one of three forms: text, JSON lines, OperationOutcomes.

A printer is told every resource that has findings, and at the end the counts. It holds nothing, so
that a stream of any length is printed in flat memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from harness.validation.findings import Finding, Rule, Severity
from harness.validation.results.links import Links
from harness.validation.results.outcome import outcome
from harness.validation.results.tally import (
    LEVELS,
    LONGEST_PATH,
    Judged,
    Kind,
    Seen,
    Tally,
    plain,
    told,
)

Counted = Sequence[tuple[Finding, int]]
"""Findings of one resource, each with how often its kind was found by then."""

_WIDTH: Final = 11
_MOST_KINDS: Final = 20
_STYLES: Final = {"error": "1;31", "warning": "33", "information": "36", "bold": "1", "dim": "2"}


@dataclass(frozen=True, slots=True)
class Ending:
    """What there is to say when all is judged.

    Attributes:
        tally: the counts.
        by: what was validated against: `US Core 6.1.0`.
        coverage: by profile, the must-support elements that no resource had; None where nobody
            asked.
        remarks: what else a person should know, such as why it was slow.
    """

    tally: Tally
    by: str
    coverage: Mapping[str, Sequence[str]] | None = None
    remarks: Sequence[str] = ()


class Printer(Protocol):
    """One form of output."""

    def found(self, judged: Judged, counted: Counted) -> None:
        """A resource that has findings."""

    def end(self, ending: Ending) -> None:
        """All is judged."""


@dataclass(frozen=True, slots=True)
class Style:
    """How findings are shown.

    Attributes:
        shown: severities that are; all are counted.
        limit: as text, how often one kind of finding is; 0 without end.
        links: to specifications.
        colors: whether the reader is a terminal that takes colours.
    """

    shown: frozenset[Severity]
    limit: int
    links: Links
    colors: bool = False

    def paint(self, text: str, style: str) -> str:
        """`text` in a style: a severity, `bold` or `dim`."""
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self.colors else text


@dataclass(frozen=True, slots=True)
class Text:
    """For people: a block per resource, repetitions counted, a summary."""

    write: Callable[[str], object]
    style: Style

    def found(self, judged: Judged, counted: Counted) -> None:
        """A block per resource; inside a Bundle per resource in it."""
        by_resource: dict[str, list[Finding]] = {}
        for finding, count in counted:
            fresh = not self.style.limit or 0 < count <= self.style.limit
            if fresh and finding.severity in self.style.shown:
                by_resource.setdefault(judged.resource(finding), []).append(finding)
        for resource, found in by_resource.items():
            self._lines([self.style.paint(f"{judged.place}  {resource}", "bold")])
            for each in sorted(found, key=lambda one: LEVELS.index(one.severity)):
                self._lines(self._finding(each, resource))
            self._lines([""])

    def end(self, ending: Ending) -> None:
        """The kinds that were repeated, must-support, and the verdict."""
        tally = ending.tally
        kinds = [each for each in tally.worst() if each[0].severity in self.style.shown]
        repeated = [each for each in kinds if each[1].count > max(1, self.style.limit)]
        if repeated:
            self._lines([self.style.paint("found again and again:", "bold")])
            for kind, seen in repeated[:_MOST_KINDS]:
                self._lines(self._kind(kind, seen))
            if len(repeated) > _MOST_KINDS:
                self._lines([f"  and {len(repeated) - _MOST_KINDS:,} more kinds"])
            self._lines([""])
        self._lines(_coverage(ending.coverage))
        self._lines(_verdict(ending))

    def _finding(self, finding: Finding, resource: str) -> Iterator[str]:
        path = plain(finding.path, LONGEST_PATH) or "the text"
        rule = f"{finding.rule.value} {plain(finding.key)}" if finding.key else finding.rule.value
        link = plain(self.style.links.of(finding, resource.partition("/")[0]), 200)
        yield f"  {self._severity(finding.severity)} {path}"
        yield f"  {'':{_WIDTH}} {told(finding)}"
        yield f"  {'':{_WIDTH}} {self.style.paint(f'{rule}, {link}', 'dim')}"

    def _kind(self, kind: Kind, seen: Seen) -> Iterator[str]:
        profile = kind.profile.rpartition("/")[2] if kind.profile else "FHIR R4"
        rule = f"{kind.rule.value} {kind.key}" if kind.key else kind.rule.value
        yield f"  {seen.count:>9,} {self._severity(kind.severity)} {kind.path or 'the text'}"
        word = "" if kind.rule in (Rule.INVARIANT, Rule.NOT_CHECKED) else "expected "
        yield f"  {'':9} {'':{_WIDTH}} {word}{kind.expected}"
        dim = f"{plain(rule)} of {plain(profile)}, first at {seen.first}"
        yield f"  {'':9} {'':{_WIDTH}} {self.style.paint(dim, 'dim')}"

    def _severity(self, severity: Severity) -> str:
        return self.style.paint(f"{severity.value:{_WIDTH}}", severity.value)

    def _lines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(f"{line}\n")


@dataclass(frozen=True, slots=True)
class JsonLines:
    """For scripts: an object per finding, and a last one with the counts."""

    write: Callable[[str], object]
    style: Style

    def found(self, judged: Judged, counted: Counted) -> None:
        """A line per finding."""
        for finding, _ in counted:
            if finding.severity in self.style.shown:
                self._line(_as_json(judged, finding))

    def end(self, ending: Ending) -> None:
        """The line that sums up."""
        summary = ending.tally.as_json() | {"by": ending.by}
        if ending.coverage is not None:
            summary["must_support_missing"] = {k: list(v) for k, v in ending.coverage.items()}
        self._line({"summary": summary})

    def _line(self, value: dict[str, Any]) -> None:
        self.write(json.dumps(value, separators=(",", ":")) + "\n")


@dataclass(slots=True)
class Outcomes:
    """For FHIR software: an OperationOutcome per resource with findings, one to a line.

    Where there is none at all, one says that all is well.
    """

    write: Callable[[str], object]
    style: Style
    _written: int = field(default=0)

    def found(self, judged: Judged, counted: Counted) -> None:
        """One OperationOutcome."""
        findings = [each for each, _ in counted if each.severity in self.style.shown]
        if findings:
            self._line(outcome(judged, findings))

    def end(self, ending: Ending) -> None:
        """All is well, where it is."""
        if not self._written:
            self._line(outcome(Judged(_judged(ending), 0, None), ()))

    def _line(self, value: dict[str, Any]) -> None:
        self._written += 1
        self.write(json.dumps(value, separators=(",", ":")) + "\n")


PRINTERS: Final[Mapping[str, Callable[[Callable[[str], object], Style], Printer]]] = {
    "text": Text,
    "json": JsonLines,
    "outcome": Outcomes,
}


def _as_json(judged: Judged, finding: Finding) -> dict[str, Any]:
    return {
        "source": judged.source,
        "line": judged.line or None,
        "resource": judged.resource(finding),
        "severity": finding.severity.value,
        "rule": finding.rule.value,
        "path": finding.path,
        "expected": finding.expected,
        "actual": finding.actual,
        "profile": finding.profile,
        "key": finding.key,
    }


def _coverage(missing: Mapping[str, Sequence[str]] | None) -> Iterator[str]:
    for profile, elements in (missing or {}).items():
        count = len(elements)
        said = "every must-support element was there"
        if count:
            were = "element was" if count == 1 else "elements were"
            said = f"{count} must-support {were} in no resource:"
        yield f"{plain(profile)}: {said}"
        yield from (f"  {plain(each, LONGEST_PATH)}" for each in elements)
    if missing is not None:
        yield ""


def _verdict(ending: Ending) -> Iterator[str]:
    tally = ending.tally
    severities = tally.by_severity()
    counts = ", ".join(f"{n:,} {_LABELS[level][n != 1]}" for level, n in severities.items() if n)
    yield f"{_judged(ending)}: {_share(tally)}" + (f"; {counts}" if counts else "")
    for label, found in (("by rule", tally.by_rule()), ("by profile", tally.by_profile())):
        if found:
            named = [f"{plain(name)} {n:,}" for name, n in list(found.items())[:_MOST_KINDS]]
            yield f"  {label}: {', '.join(named)}"
    yield from (f"  {plain(remark, 300)}" for remark in ending.remarks)


def _judged(ending: Ending) -> str:
    n = ending.tally.resources
    return f"{n:,} {'resource' if n == 1 else 'resources'} by FHIR R4 and {ending.by}"


def _share(tally: Tally) -> str:
    if not tally.invalid:
        return "valid" if tally.resources == 1 else "all valid"
    return "not valid" if tally.resources == 1 else f"{tally.invalid:,} not valid"


_LABELS: Final = {
    Severity.ERROR: ("error", "errors"),
    Severity.WARNING: ("warning", "warnings"),
    Severity.INFORMATION: ("note", "notes"),
}
