"""OperationOutcome as one line for a person.

https://hl7.org/fhir/R4/operationoutcome.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import ProtocolError
from harness.http.exchange import Exchange

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Issue:
    """One issue.

    Attributes:
        severity: `fatal`, `error`, `warning` or `information`.
        code: from the issue-type value set, such as `required`.
        text: details, else diagnostics, on one line.
        expression: where in the resource: FHIRPath, or the older `location`.
        codes: vendor codes under `details`, such as Epic's `4101`.
    """

    severity: str
    code: str
    text: str = ""
    expression: str = ""
    codes: tuple[str, ...] = ()

    @property
    def is_error(self) -> bool:
        """Whether the interaction failed because of it."""
        return self.severity in ("fatal", "error")

    def __str__(self) -> str:
        place = f" at {self.expression}" if self.expression else ""
        codes = f" [{', '.join(self.codes)}]" if self.codes else ""
        return f"{self.severity} {self.code}{codes}{place}" + (f": {self.text}" * bool(self.text))


def issues(resource: object) -> tuple[Issue, ...]:
    """The issues of an OperationOutcome (JSON object); none for anything else."""
    if not isinstance(resource, Mapping) or resource.get("resourceType") != "OperationOutcome":
        return ()
    listed = resource.get("issue")
    listed = listed if isinstance(listed, list) else []
    return tuple(_issue(each) for each in listed if isinstance(each, Mapping))


def issues_of(exchange: Exchange) -> tuple[Issue, ...]:
    """The issues of the response, if it is an OperationOutcome."""
    try:
        return issues(exchange.json())
    except ProtocolError:
        return ()


def one_line(exchange: Exchange) -> str:
    """What the server says went wrong, worst first; empty where it says nothing."""
    rank = {"fatal": 0, "error": 1, "warning": 2}
    found = sorted(issues_of(exchange), key=lambda each: rank.get(each.severity, 3))
    return _clean("; ".join(str(each) for each in found))


def _issue(value: Mapping[str, Any]) -> Issue:
    details = value.get("details")
    details = details if isinstance(details, Mapping) else {}
    texts = (details.get("text"), *_displays(details), value.get("diagnostics"))
    places = (value.get("expression"), value.get("location"))
    return Issue(
        _clean(value.get("severity")) or "error",
        _clean(value.get("code")) or "unknown",
        next((text for text in map(_clean, texts) if text), ""),
        next((text for text in map(_joined, places) if text), ""),
        tuple(code for code in (_clean(each.get("code")) for each in _codings(details)) if code),
    )


def _codings(details: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    coding = details.get("coding")
    coding = coding if isinstance(coding, list) else []
    return [each for each in coding if isinstance(each, Mapping)]


def _displays(details: Mapping[str, Any]) -> Iterator[object]:
    return (each.get("display") for each in _codings(details))


def _joined(value: object) -> str:
    return _clean(", ".join(map(str, value))) if isinstance(value, list) else ""


def _clean(value: object) -> str:
    """Text of an EHR fit for a terminal: one line, no control characters, not too long."""
    if not isinstance(value, str):
        return ""
    text = _UNPRINTABLE.sub(" ", value).strip()
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
