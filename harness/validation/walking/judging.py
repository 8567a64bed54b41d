"""One resource under judgement: where the walk is, and what it has found."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from harness.validation.exemptions import exempted
from harness.validation.findings import Finding, Rule, Severity
from harness.validation.invariants import Entries, Scope
from harness.validation.telling import harmless, printable, told
from harness.validation.walking.paths import Path, rendered

MOST_FINDINGS = 500
"""Of one resource; what is beyond is counted."""
DEEPEST = 60
"""How far resources, extensions and references may stand in each other."""

_MOST_BROKEN = 50
_MALFORMED = frozenset({Rule.TYPE, Rule.ARRAY, Rule.EMPTY, Rule.VALUE})
_FOLLOWING = frozenset({Rule.BINDING, Rule.INVARIANT})
_NOWHERE = Scope({}, {})


class Judging:
    """What the walk over one resource shares.

    Attributes:
        findings: so far, in the order of the walk.
        scope: the resource that the walk is in, and what that stands in.
        top: the path of that resource.
        entries: of the innermost Bundle around the walk, or None.
        entry_url: `fullUrl` of the entry that was entered last, or None.
        depth: how many recursive things enclose the walk.
        seen: must-support parts that were present, where they are recorded.
    """

    __slots__ = (
        "_broken",
        "_left_out",
        "_marks",
        "_worst",
        "depth",
        "entries",
        "entry_url",
        "findings",
        "scope",
        "seen",
        "top",
    )

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.scope = _NOWHERE
        self.top: Path | None = None
        self.entries: Entries | None = None
        self.entry_url: str | None = None
        self.depth = 0
        self.seen: set[Any] = set()
        self._marks: set[tuple[object, ...]] = set()
        self._broken: list[str] = []
        self._left_out = 0
        self._worst = Severity.INFORMATION

    def error(
        self, rule: Rule, path: Path, expected: str, value: Any, profile: str | None = None
    ) -> None:
        """An error about `value`."""
        self.add(Severity.ERROR, rule, path, expected, told(value), profile)

    def add_error(
        self, rule: Rule, path: Path, expected: str, actual: str, profile: str | None = None
    ) -> None:
        """An error whose other side is already in words."""
        self.add(Severity.ERROR, rule, path, expected, actual, profile)

    def add_missing(self, path: Path, minimum: int, profile: str | None = None) -> None:
        """What has to be there is not."""
        self.add(Severity.ERROR, Rule.MINIMUM, path, f"at least {minimum}", "none", profile)

    def add_count(
        self, path: Path, minimum: int, maximum: int, count: int, profile: str | None = None
    ) -> None:
        """There are too few or too many."""
        if count < minimum:
            rule, expected = Rule.MINIMUM, f"at least {minimum}"
        else:
            rule, expected = Rule.MAXIMUM, f"at most {maximum}" if maximum else "none"
        self.add(Severity.ERROR, rule, path, expected, str(count), profile)

    def add(
        self,
        severity: Severity,
        rule: Rule,
        path: Path,
        expected: str,
        actual: str,
        profile: str | None = None,
        key: str | None = None,
    ) -> None:
        """Takes one finding in, unless it was said already.

        A rule that FHIR itself has at a path is not said again by a profile, unless it is advice
        there and an error here; two profiles that expect the same are heard once. Where a value
        is malformed, its own error is told, and not what follows from it for profiles, bindings
        and invariants of the elements around it.
        """
        if len(self.findings) >= MOST_FINDINGS:
            self._left_out += 1
            if severity is Severity.ERROR:
                self._worst = severity
            return
        place = rendered(path)
        wrong = severity is Severity.ERROR
        said, same = (rule, place, key, wrong), (rule, place, key, wrong, expected)
        if same in self._marks:
            return
        if profile is None:
            self._marks.add(said)
        elif said in self._marks or (not wrong and (rule, place, key, True) in self._marks):
            return
        if (profile is not None or rule in _FOLLOWING) and self._follows(place, path):
            return
        self._marks.add(same)
        if wrong and rule in _MALFORMED and len(self._broken) < _MOST_BROKEN:
            self._broken.append(place)
        self.findings.append(_finding(severity, rule, place, expected, actual, profile, key))

    def _follows(self, place: str, path: Path) -> bool:
        return path is not self.top and any(_on_one_branch(place, each) for each in self._broken)

    @property
    def has_error(self) -> bool:
        """Whether an error was found, even if it was left out."""
        return self._worst is Severity.ERROR or any(
            finding.severity is Severity.ERROR for finding in self.findings
        )

    def trial(self) -> Judging:
        """Another judgement of what stands at the same place, whose findings are its own."""
        other = Judging()
        other.scope, other.top, other.depth = self.scope, self.top, self.depth
        other.entries, other.entry_url = self.entries, self.entry_url
        return other

    def concluded(self, path: Path) -> tuple[Finding, ...]:
        """All findings.

        The last says how many were left out; it is an error if one of those was.
        """
        if self._left_out:
            self.findings.append(
                Finding(
                    self._worst,
                    Rule.NOT_CHECKED,
                    rendered(path),
                    f"at most {MOST_FINDINGS} findings of one resource",
                    f"{self._left_out} more were left out",
                )
            )
        return tuple(self.findings)


@lru_cache(maxsize=1000)
def _finding(
    severity: Severity,
    rule: Rule,
    place: str,
    expected: str,
    actual: str,
    profile: str | None,
    key: str | None,
) -> Finding:
    """A finding, made once: what many resources lack is the same in all of them."""
    finding = Finding(severity, rule, place, printable(expected), harmless(actual), profile, key)
    return exempted(finding)


def _on_one_branch(one: str, other: str) -> bool:
    """Whether one path encloses the other."""
    short, long = (one, other) if len(one) < len(other) else (other, one)
    return long.startswith(short) and long[len(short) : len(short) + 1] in (".", "[", "")
