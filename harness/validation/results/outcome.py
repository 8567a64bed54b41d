"""Findings as a FHIR OperationOutcome.

https://hl7.org/fhir/R4/operationoutcome.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from harness.validation.findings import Finding, Rule
from harness.validation.results.tally import Judged, plain, told

RULES: Final = "urn:fhir-harness:validation-rule"
"""The code system of `Rule`."""

CODES: Final[Mapping[Rule, str]] = {
    Rule.JSON: "structure",
    Rule.UNKNOWN_ELEMENT: "structure",
    Rule.TYPE: "structure",
    Rule.ARRAY: "structure",
    Rule.EMPTY: "structure",
    Rule.VALUE: "value",
    Rule.MINIMUM: "required",
    Rule.MAXIMUM: "structure",
    Rule.CHOICE: "structure",
    Rule.FIXED: "value",
    Rule.PATTERN: "value",
    Rule.SLICING: "structure",
    Rule.BINDING: "code-invalid",
    Rule.TARGET: "value",
    Rule.EXTENSION: "extension",
    Rule.PROFILE: "not-found",
    Rule.INVARIANT: "invariant",
    Rule.NOT_CHECKED: "incomplete",
}
"""What each rule is in https://hl7.org/fhir/R4/valueset-issue-type.html."""

_LONGEST = 1000


def outcome(judged: Judged, findings: Iterable[Finding]) -> dict[str, Any]:
    """An OperationOutcome (JSON object) about one resource.

    Args:
        judged: the resource.
        findings: those of its findings to tell; none of them: one issue says that all is well.
    """
    issues = [_issue(judged, each) for each in findings]
    return {"resourceType": "OperationOutcome", "issue": issues or [_well(judged)]}


def _issue(judged: Judged, finding: Finding) -> dict[str, Any]:
    code = finding.rule.value
    details: dict[str, Any] = {
        "coding": [{"system": RULES, "code": code}],
        "text": told(finding),
    }
    issue: dict[str, Any] = {
        "severity": finding.severity.value,
        "code": CODES[finding.rule],
        "details": details,
        "diagnostics": _diagnostics(judged, finding),
    }
    if finding.path:
        issue["expression"] = [plain(finding.path, _LONGEST)]
    return issue


def _diagnostics(judged: Judged, finding: Finding) -> str:
    """Where it is, and whose rule it is."""
    parts = [f"{judged.place} {judged.resource(finding)}"]
    if finding.key:
        parts.append(f"invariant {plain(finding.key)}")
    parts.append(f"profile {plain(finding.profile)}" if finding.profile else "FHIR R4")
    return "; ".join(parts)


def _well(judged: Judged) -> dict[str, Any]:
    return {
        "severity": "information",
        "code": "informational",
        "details": {"text": "nothing is wrong"},
        "diagnostics": judged.place,
    }
