"""OperationOutcome, and the one exception by which the FHIR interface refuses a request.

FHIR R4, OperationOutcome: http://hl7.org/fhir/R4/operationoutcome.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Issue:
    """One issue of an OperationOutcome.

    Args:
        code: from the value set issue-type, such as `required`.
        diagnostics: one sentence for the person who reads the log.
        expression: FHIRPath of the element at fault, such as `Observation.status`.
        severity: fatal, error, warning or information.
    """

    code: str
    diagnostics: str
    expression: str | None = None
    severity: str = "error"

    def as_json(self) -> Json:
        """Returns the BackboneElement."""
        element: Json = {
            "severity": self.severity,
            "code": self.code,
            "diagnostics": self.diagnostics,
        }
        if self.expression:
            element["expression"] = [self.expression]
        return element


def operation_outcome(issues: Sequence[Issue]) -> Json:
    """Returns the resource for one or more issues."""
    return {"resourceType": "OperationOutcome", "issue": [issue.as_json() for issue in issues]}


@dataclass(eq=False)
class Refused(Exception):
    """The request is answered with an error status and an OperationOutcome.

    Args:
        status: HTTP status, 4xx or 5xx.
        issues: at least one.
        headers: more response headers, such as Allow.
    """

    status: int
    issues: tuple[Issue, ...]
    headers: Mapping[str, str] = field(default_factory=dict)


def refused(
    status: int,
    code: str,
    diagnostics: str,
    *,
    expression: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Refused:
    """Returns the exception for a single issue."""
    return Refused(status, (Issue(code, diagnostics, expression),), headers or {})
