"""What SMART configurations, token responses and manifests look like."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from harness.spec.shapes import MOST, Shape, misshapen, schema

CONFIGURATION: dict[str, Any] = {
    "issuer": "https://ehr.example/fhir",
    "token_endpoint": "https://ehr.example/token",
    "capabilities": ["launch-ehr"],
    "code_challenge_methods_supported": ["S256"],
    "associated_endpoints": [{"url": "https://ehr.example/other", "capabilities": []}],
    "of_its_own": {"anything": 1},
}
TOKEN: dict[str, Any] = {
    "access_token": "secret-abc.def",
    "token_type": "bearer",
    "expires_in": 3600,
    "scope": "launch/patient patient/*.rs",
    "patient": "p-1",
    "need_patient_banner": False,
    "fhirContext": [{"reference": "ImagingStudy/1", "type": "ImagingStudy"}],
}
FILE = {"type": "Patient", "url": "https://ehr.example/1.ndjson", "count": 2}
MANIFEST: dict[str, Any] = {
    "transactionTime": "2026-01-01T00:00:00.000Z",
    "request": "https://ehr.example/fhir/$export",
    "requiresAccessToken": True,
    "output": [FILE],
    "error": [],
    "link": [{"relation": "next", "url": "https://ehr.example/2"}],
}
GOOD: dict[Shape, dict[str, Any]] = {
    "smart-configuration": CONFIGURATION,
    "token-response": TOKEN,
    "bulk-manifest": MANIFEST,
}


@pytest.mark.parametrize("shape", get_args(Shape))
def test_the_schemas_are_schemas_and_take_what_is_right(shape: Shape) -> None:
    Draft202012Validator.check_schema(schema(shape))
    assert misshapen(shape, GOOD[shape]) == ()


@pytest.mark.parametrize(
    ("shape", "changed", "line"),
    [
        (
            "smart-configuration",
            {"capabilities": "launch-ehr"},
            "capabilities: expected an array of strings, got another string",
        ),
        (
            "smart-configuration",
            {"capabilities": [1]},
            "capabilities[0]: expected a string, got another number",
        ),
        (
            "smart-configuration",
            {"issuer": "/fhir"},
            "issuer: expected an absolute URL, got another string",
        ),
        (
            "smart-configuration",
            {"associated_endpoints": [{"url": "https://e.org"}]},
            (
                "associated_endpoints[0]: expected an object with url and capabilities, without "
                "capabilities"
            ),
        ),
        (
            "token-response",
            {"expires_in": "3600"},
            "expires_in: expected a whole number of seconds, got another string",
        ),
        (
            "token-response",
            {"token_type": "mac"},
            "token_type: expected Bearer, got another string",
        ),
        (
            "token-response",
            {"scope": ["openid"]},
            "scope: expected scopes with single spaces between them, got an array",
        ),
        (
            "token-response",
            {"need_patient_banner": "true"},
            "need_patient_banner: expected true or false, got another string",
        ),
        (
            "token-response",
            {"fhirContext": [{}]},
            (
                "fhirContext[0]: expected an object with reference, canonical or identifier,"
                " got an object"
            ),
        ),
        (
            "bulk-manifest",
            {"transactionTime": "2026-01-01"},
            "transactionTime: expected an instant with its time zone, got another string",
        ),
        ("bulk-manifest", {"output": None}, "output: expected an array of files, got null"),
        (
            "bulk-manifest",
            {"output": [{"url": "https://e.org"}]},
            "output[0]: expected an object with type and url, without type",
        ),
        (
            "bulk-manifest",
            {"error": [{**FILE, "count": -1}]},
            "error[0].count: expected a whole number of lines, got another number",
        ),
    ],
)
def test_what_is_wrong_is_told_where_it_is(
    shape: Shape, changed: dict[str, Any], line: str
) -> None:
    assert misshapen(shape, {**GOOD[shape], **changed}) == (line,)


def test_a_token_is_never_quoted() -> None:
    said = misshapen(
        "token-response", {**TOKEN, "access_token": "secret with spaces", "id_token": "secret"}
    )
    assert len(said) == 2
    assert "secret" not in " ".join(said)


def test_much_that_is_wrong_is_told_in_part() -> None:
    said = misshapen("bulk-manifest", {**MANIFEST, "output": [{}] * 500})
    assert len(said) == MOST + 1
    assert said[-1] == "and 480 more"


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["output", "url", "scope", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.sampled_from(get_args(Shape)), _json)
def test_whatever_came_is_told_in_lines(shape: Shape, document: object) -> None:
    assert all(line and "\n" not in line for line in misshapen(shape, document))
