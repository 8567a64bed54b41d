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
