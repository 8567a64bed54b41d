"""What validation found in a stream of resources, named and counted in bounded memory.

Everything here comes from files of others: it is shortened, and no control character gets through.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any, Final

from harness.validation.findings import Finding, Rule, Severity

LEVELS: Final = (Severity.ERROR, Severity.WARNING, Severity.INFORMATION)
"""The worst first."""

MOST_KINDS: Final = 2000
"""Kinds of findings that are counted apart; a hostile file could have any number of them."""

_SHOWN = 120
LONGEST_PATH: Final = 300
_INDEX = re.compile(r"\[\d+\]")
_ENTRY = re.compile(r"Bundle\.entry\[(\d+)\]\.resource(?=[.\[]|$)")


@dataclass(frozen=True, slots=True)
class Judged:
    """One resource and what was found in it.

    Attributes:
        source: the file, as it was named.
        line: of an NDJSON file, from 1; 0 where the file is one resource.
        value: the parsed resource.
        findings: in the checker's order.
    """

    source: str
    line: int
    value: Any = field(repr=False)
    findings: tuple[Finding, ...] = ()

    @property
    def place(self) -> str:
        """`file:12`, or the file."""
        return f"{plain(self.source)}:{self.line}" if self.line else plain(self.source)

    def resource(self, finding: Finding) -> str:
        """`Patient/p-1` of the resource in which something was found; inside a Bundle the entry."""
        found = _ENTRY.match(finding.path)
        if found is None:
            return identity(self.value)
        try:
            return identity(self.value["entry"][int(found.group(1))]["resource"])
        except (LookupError, TypeError):
            return identity(self.value)

    def kind(self, finding: Finding) -> Kind:
        """The kind of a finding: the same rule at the same element, wherever that is."""
        path = finding.path
        found = _ENTRY.match(path)
        if found is not None:
            path = self.resource(finding).partition("/")[0] + path[found.end() :]
        return Kind(
            finding.severity,
            finding.rule,
            _everywhere(path),
            _short(finding.expected),
            finding.profile,
            finding.key,
        )


@dataclass(frozen=True, slots=True)
class Kind:
    """What findings have in common that are told once, with a count."""

    severity: Severity
    rule: Rule
    path: str
    expected: str
    profile: str | None
    key: str | None


@dataclass(slots=True)
class Seen:
    """How often a kind was found, and where first."""

    first: str
    count: int = 0


@dataclass(slots=True)
class Tally:
    """Counts over a stream; its size is bounded, however long that is.

    Attributes:
        resources: judged so far; a Bundle is one.
        invalid: those with an error.
        kinds: how often each kind was found, and where first.
        others: findings of kinds beyond `MOST_KINDS`, by severity and rule.
    """

    resources: int = 0
    invalid: int = 0
    kinds: dict[Kind, Seen] = field(default_factory=dict)
    others: Counter[tuple[Severity, Rule]] = field(default_factory=Counter)

    def add(self, judged: Judged) -> list[tuple[Finding, int]]:
        """Count a resource; its findings, each with how often its kind was found by now.

        That is 0 where the kind is one too many to be counted.
        """
        self.resources += 1
        counted = [(each, self._count(judged, each)) for each in judged.findings]
        self.invalid += any(each.severity is Severity.ERROR for each in judged.findings)
        return counted

    def _count(self, judged: Judged, finding: Finding) -> int:
        kind = judged.kind(finding)
        seen = self.kinds.get(kind)
        if seen is None:
            if len(self.kinds) >= MOST_KINDS:
                self.others[finding.severity, finding.rule] += 1
                return 0
            place = f"{judged.place} {judged.resource(finding)}"
            seen = self.kinds[kind] = Seen(place)
        seen.count += 1
        return seen.count

    def by_severity(self) -> dict[Severity, int]:
        """How many findings of each severity."""
        found: Counter[Severity] = Counter()
        for kind, seen in self.kinds.items():
            found[kind.severity] += seen.count
        for (severity, _), count in self.others.items():
            found[severity] += count
        return {level: found[level] for level in LEVELS}

    def by_rule(self) -> dict[str, int]:
        """How many errors by each rule, most first."""
        found: Counter[str] = Counter()
        for kind, seen in self.kinds.items():
            if kind.severity is Severity.ERROR:
                found[kind.rule.value] += seen.count
        for (severity, rule), count in self.others.items():
            if severity is Severity.ERROR:
                found[rule.value] += count
        return dict(found.most_common())

    def by_profile(self) -> dict[str, int]:
        """How many errors by each profile, most first; FHIR R4 itself under its own name."""
        found: Counter[str] = Counter()
        for kind, seen in self.kinds.items():
            if kind.severity is Severity.ERROR:
                found[kind.profile or "FHIR R4"] += seen.count
        return dict(found.most_common())

    def as_json(self) -> dict[str, Any]:
        """For a script."""
        return {
            "resources": self.resources,
            "invalid": self.invalid,
            "findings": {level.value: n for level, n in self.by_severity().items()},
            "errors_by_rule": self.by_rule(),
            "errors_by_profile": self.by_profile(),
            "kinds": [
                asdict(kind) | {"count": seen.count, "first": seen.first}
                for kind, seen in self.worst()
            ],
        }

    def worst(self) -> list[tuple[Kind, Seen]]:
        """Kinds by severity, then by how often they were found."""
        ranked = self.kinds.items()
        return sorted(ranked, key=lambda each: (LEVELS.index(each[0].severity), -each[1].count))


@lru_cache(maxsize=4096)
def _everywhere(path: str) -> str:
    """A path without indexes."""
    return plain(_INDEX.sub("", path), LONGEST_PATH)


@lru_cache(maxsize=4096)
def _short(text: str) -> str:
    return plain(text)


def identity(value: object) -> str:
    """`Patient/p-1` of a resource, as far as it says so."""
    if not isinstance(value, Mapping):
        return "no resource"
    kind, id_ = value.get("resourceType"), value.get("id")
    named = plain(kind, 64) if isinstance(kind, str) and kind else "resource without a type"
    return f"{named}/{plain(id_, 64)}" if isinstance(id_, str) else named


def told(finding: Finding) -> str:
    """`expected ..., got ...`, in one line; of an invariant its own words."""
    expected, actual = plain(finding.expected, 200), plain(finding.actual)
    if finding.rule is Rule.INVARIANT:
        return expected
    if finding.rule is Rule.NOT_CHECKED:
        return f"not checked: {expected}" + (f" ({actual})" if actual else "")
    return f"expected {expected}" + (f", got {actual}" if actual else "")


def plain(text: object, limit: int = _SHOWN) -> str:
    """`text` in one line without control characters, at most `limit` characters."""
    line = str(text)
    if len(line) <= limit and line.isprintable():
        return line
    line = " ".join(line[: limit * 4].split())
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
