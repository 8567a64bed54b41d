"""What HL7 has acknowledged to be wrong in its own definitions.

The facts, with sources and tracker numbers, are in `exemptions.toml`.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from harness.validation.findings import Finding, Rule, Severity


@dataclass(frozen=True, slots=True)
class Exemption:
    """Findings that no EHR is to blame for.

    Attributes:
        profile: canonical URL of the profile whose rule it is.
        rule: the kind of rule.
        path: what is somewhere in the finding's path.
        actual: what is somewhere in what it says was there.
        reason: why, for a person.
        source: where HL7 says so.
    """

    profile: str
    rule: Rule
    path: re.Pattern[str]
    actual: re.Pattern[str]
    reason: str
    source: str


@dataclass(frozen=True, slots=True)
class Defect:
    """An expression that says something else than its sentence, which is what is judged.

    Attributes:
        key: of the invariant.
        versions: packages in which it stands so, `hl7.fhir.us.core#6.1.0`.
        expression: as it stands there.
        literally: what it comes to as it stands.
        judged: what is judged instead.
        corrected: the package in which the expression says that, or None.
        tracker: number at HL7, or None.
        source: where it is acknowledged or defined, or None.
    """

    key: str
    versions: tuple[str, ...]
    expression: str
    literally: str
    judged: str
    corrected: str | None = None
    tracker: str | None = None
    source: str | None = None


def exempted(finding: Finding) -> Finding:
    """The finding, as information with the reason where HL7 has acknowledged the fault."""
    if finding.severity is not Severity.ERROR or finding.profile is None:
        return finding
    for each in _exemptions().get(finding.profile, ()):
        if (
            each.rule is finding.rule
            and each.path.search(finding.path)
            and each.actual.search(finding.actual)
        ):
            expected = f"{finding.expected}; exempt: {each.reason} ({each.source})"
            return replace(finding, severity=Severity.INFORMATION, expected=expected)
    return finding


@cache
def _exemptions() -> dict[str, list[Exemption]]:
    by_profile: dict[str, list[Exemption]] = {}
    for row in _facts()["exemption"]:
        exemption = Exemption(
            row["profile"],
            Rule(row["rule"]),
            re.compile(row["path"]),
            re.compile(row["actual"]),
            row["reason"],
            row["source"],
        )
        by_profile.setdefault(exemption.profile, []).append(exemption)
    return by_profile


def defects() -> tuple[Defect, ...]:
    """Every expression of which the sentence is judged instead."""
    return tuple(
        Defect(**{**row, "versions": tuple(row["versions"])}) for row in _facts()["defect"]
    )


@cache
def _facts() -> dict[str, list[dict[str, Any]]]:
    with Path(__file__).with_suffix(".toml").open("rb") as file:
        return tomllib.load(file)
