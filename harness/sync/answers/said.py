"""What an OperationOutcome says, in codes alone.

Its free text may name patients, and what a sync could not get goes into reports: so only what has
the form of a code is taken over. http://hl7.org/fhir/R4/operationoutcome.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}", re.ASCII)
MOST_ISSUES = 3

_NEEDED = re.compile(r"\b(category|date)\b", re.IGNORECASE)
_DEMANDS = re.compile(
    r"\b(required?|requires|must|mandatory|missing|at least one)\b", re.IGNORECASE
)
_REQUIRED = frozenset({"required", "59108"})
"""FHIR's issue type, and Epic's code for a search without a category or a code."""

_BAD_VALUE = frozenset({"code-invalid", "value", "invalid", "not-supported"})
_ERRORS = frozenset({"error", "fatal"})
_NOT_ALL = frozenset({"incomplete", "timeout", "transient", "throttled", "too-costly", "exception"})
"""http://hl7.org/fhir/R4/valueset-issue-type.html"""


def in_codes(outcome: dict[str, Any]) -> str:
    """Severity and codes of the first issues, such as `error forbidden (4118)`."""
    found = [_issue(each) for each in _issues(outcome)]
    return "; ".join(found[:MOST_ISSUES]) or "an OperationOutcome without issues"


def codes(outcome: dict[str, Any]) -> frozenset[str]:
    """Every code in it: `issue.code` and the codings of `issue.details`."""
    return frozenset(
        code for issue in _issues(outcome) for code in (*_code(issue.get("code")), *_details(issue))
    )


def missing_parameter(outcome: dict[str, Any]) -> str | None:
    """`category` or `date`, where an issue says that a search needs it; None if none does.

    It has to be demanded, by a code or in words, and to be named: a date that was sent and is
    wrong is another matter.
    """
    for issue in _issues(outcome):
        text = " ".join(_texts(issue))
        demanded = _REQUIRED & {*_code(issue.get("code")), *_details(issue)}
        named: list[str] = sorted({each.lower() for each in _NEEDED.findall(text)})
        if named and (demanded or _DEMANDS.search(text)):
            return named[0]
        if "59108" in demanded:
            return "category"
    return None


def refused_parameter(outcome: dict[str, Any]) -> str | None:
    """`category` or `_count`, where an issue says that it minds the value of that parameter."""
    for issue in _issues(outcome):
        said = {*_code(issue.get("code")), *_details(issue)}
        text = " ".join(_texts(issue))
        if "_count" in text:
            return "_count"
        if "59111" in said or (said & _BAD_VALUE and re.search(r"\bcategory\b", text)):
            return "category"
    return None


def lacking(outcome: dict[str, Any]) -> str | None:
    """What an outcome among matches says, where it means that some are missing; else None.

    An error does (Epic cuts what is too much with a fatal 4127), and so do issue types that tell of
    sources that did not answer. `suppressed` does not: Epic sends 4119 with whatever it shows,
    and asking again brings nothing more.
    """
    lost = [
        issue
        for issue in _issues(outcome)
        if issue.get("severity") in _ERRORS
        or (issue.get("severity") == "warning" and issue.get("code") in _NOT_ALL)
    ]
    return in_codes({"issue": lost}) if lost else None


def finds_nothing(outcome: dict[str, Any]) -> bool:
    """Whether it is no more than the word that nothing matches."""
    issues = _issues(outcome)
    return bool(issues) and all(
        issue.get("severity") in ("information", "warning") and issue.get("code") == "not-found"
        for issue in issues
    )


def _texts(issue: dict[str, Any]) -> Iterator[str]:
    details = issue.get("details")
    said = [issue.get("diagnostics"), details.get("text") if isinstance(details, dict) else None]
    for name in ("expression", "location"):
        places = issue.get(name)
        said += places if isinstance(places, list) else []
    yield from (each for each in said if isinstance(each, str))


def _issues(outcome: dict[str, Any]) -> list[dict[str, Any]]:
    issues = outcome.get("issue")
    return [each for each in issues if isinstance(each, dict)] if isinstance(issues, list) else []


def _issue(issue: dict[str, Any]) -> str:
    words = [*_code(issue.get("severity")), *_code(issue.get("code"))]
    details = ", ".join(_details(issue))
    return " ".join([*words, f"({details})"] if details else words) or "an issue without a code"


def _details(issue: dict[str, Any]) -> Iterator[str]:
    details = issue.get("details")
    codings = details.get("coding") if isinstance(details, dict) else None
    for coding in codings if isinstance(codings, list) else []:
        if isinstance(coding, dict):
            yield from _code(coding.get("code"))


def _code(value: object) -> Iterator[str]:
    if isinstance(value, str) and _CODE.fullmatch(value):
        yield value
