import json
from datetime import UTC, datetime
from typing import Any

import pytest

from harness.fhir.outcome import issues, one_line
from harness.http.exchange import Exchange, Headers, Request, Response


def line(*found: dict[str, Any]) -> str:
    value = {"resourceType": "OperationOutcome", "issue": list(found)}
    return one_line(answered(json.dumps(value).encode()))


def answered(body: bytes) -> Exchange:
    request, response = Request("GET", "https://ehr.example/r4"), Response(400, Headers(), body)
    return Exchange(1, "act", request, response, datetime(2026, 5, 1, tzinfo=UTC), 0.1)


def test_code_place_and_text_are_one_line_worst_first() -> None:
    warning = {"severity": "warning", "code": "informational", "diagnostics": "slow"}
    error = {
        "severity": "error",
        "code": "required",
        "details": {"text": "missing\nstatus", "coding": [{"code": "59108"}]},
        "expression": ["Observation.status"],
    }
    assert line(warning, error) == (
        "error required [59108] at Observation.status: missing status; warning informational: slow"
    )


def test_older_location_and_display_will_do() -> None:
    old = {
        "severity": "error",
        "code": "invalid",
        "details": {"coding": [{"display": "Bad code"}]},
        "location": ["/f:Observation/f:code"],
    }
    assert line(old) == "error invalid at /f:Observation/f:code: Bad code"


def test_control_characters_and_length_are_bounded() -> None:
    shown = line({"severity": "error", "code": "x", "diagnostics": "\x1b[31m\u202e" + "y" * 5000})
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert len(shown) <= 300


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"resourceType":"Patient"}'])
def test_anything_else_says_nothing(body: bytes) -> None:
    assert one_line(answered(body)) == ""


def test_only_fatal_and_error_are_errors() -> None:
    found = issues(
        {
            "resourceType": "OperationOutcome",
            "issue": [{"severity": s} for s in ("fatal", "error", "warning", "information")],
        }
    )
    assert [each.is_error for each in found] == [True, True, False, False]
