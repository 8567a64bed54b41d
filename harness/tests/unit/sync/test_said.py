from __future__ import annotations

from typing import Any

import pytest

from harness.sync.answers.said import missing_parameter


def outcome(code: str, text: str = "", detail: str | None = None, **members: Any) -> dict[str, Any]:
    details: dict[str, Any] = {"text": text}
    if detail is not None:
        details["coding"] = [{"code": detail}]
    return {"issue": [{"severity": "error", "code": code, "details": details, **members}]}


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (outcome("required", "category or code"), "category"),
        (outcome("invalid", "The parameter category is required."), "category"),
        (outcome("invalid", "A date must be given"), "date"),
        (outcome("required", "", None, expression=["Procedure.date"]), "date"),
        (outcome("invalid", "Must have either code or category.", "59108"), "category"),
        (outcome("invalid", "", "59108"), "category"),
        (outcome("invalid", "The date 2026-13-01 is wrong"), None),
        (outcome("required", "patient is required"), None),
        ({"issue": "nonsense"}, None),
    ],
)
def test_a_parameter_is_missing_where_it_is_demanded_and_named(
    body: dict[str, Any], named: str | None
) -> None:
    assert missing_parameter(body) == named
