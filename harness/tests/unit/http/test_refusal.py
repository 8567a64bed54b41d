from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.http.exchange import Exchange, Headers, Request, Response
from harness.http.refusal import Kind, Refusal, refusal_of, refused_entries
from harness.http.retry import Policy, decide, is_day_spent

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def answered(status: int, body: object = b"", path: str = "Patient", **headers: str) -> Exchange:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = Headers(tuple((name.replace("_", "-"), value) for name, value in headers.items()))
    request = Request("GET", f"https://ehr.example/r4/{path}")
    return Exchange(1, "act", request, Response(status, fields, raw), NOW, 0.1, 1)


def outcome(code: str) -> dict[str, Any]:
    details = {"coding": [{"code": code, "system": "urn:oid:1.2.840.114350"}]}
    return {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "fatal", "details": details}],
    }


@pytest.mark.parametrize(
    ("exchange", "refusal"),
    [
        (answered(200, b"{}"), None),
        (answered(400, outcome("4100")), None),
        (answered(429), Refusal()),
        (answered(429, Retry_After="3"), Refusal(Kind.LOAD, 3.0)),
        (answered(503, Retry_After="3"), Refusal(Kind.LOAD, 3.0)),
        (answered(503, b"the request was throttled"), Refusal()),
        (answered(503, b"maintenance"), None),
        (answered(403, b'"Developer Over Qps"'), Refusal()),
        (answered(403, b"insufficient_scope"), None),
        (answered(429, b"30 concurrent calls are allowed"), Refusal(Kind.CONCURRENCY)),
        (answered(429, b"an export is in progress", path="Group/1/$export"), Refusal(Kind.JOB)),
        (answered(429, b"an export is in progress"), Refusal()),
        (answered(429, b"{}", path="Group/1/$export", Retry_After="9"), Refusal(Kind.LOAD, 9.0)),
        (answered(400, outcome("4135")), Refusal(Kind.DAY)),
        (answered(200, outcome("4135")), Refusal(Kind.DAY)),
        (
            answered(200, {"resourceType": "Bundle", "entry": [{"resource": outcome("4135")}]}),
            Refusal(Kind.DAY),
        ),
    ],
)
def test_refusals_are_told_apart(exchange: Exchange, refusal: Refusal | None) -> None:
    assert refusal_of(exchange, NOW) == refusal


def test_a_resource_that_bears_the_same_number_is_none() -> None:
    held = {"resourceType": "Observation", "code": {"coding": [{"code": "4135"}]}}
    bundle = {"resourceType": "Bundle", "entry": [{"resource": held}]}
    assert not is_day_spent(json.dumps(bundle).encode())


def test_what_waits_for_tomorrow_is_not_sent_again_today() -> None:
    exchange = answered(429, outcome("4135"))
    assert decide(exchange, repeatable=True, policy=Policy(), now=NOW, chance=lambda: 1.0) is None


@given(st.binary(max_size=80))
def test_whatever_a_body_holds_is_read_or_passed_over(body: bytes) -> None:
    assert is_day_spent(b'{"resourceType":"OperationOutcome","issue":"4135"}' + body) is False
    assert refusal_of(answered(429, body), NOW) is not None


def test_entries_that_were_refused_within_a_batch_are_told_from_those_that_were_processed() -> None:
    throttled = {"resourceType": "OperationOutcome", "issue": [{"code": "throttled"}]}
    hint = {
        "resourceType": "OperationOutcome",
        "issue": [{"diagnostics": '{"_msBeforeNext":1500}'}],
    }
    statuses = ["201 Created", "429 Too Many Requests", "429", "400", "503", "200"]
    outcomes = [None, hint, None, throttled, None, throttled]
    entries: list[Any] = [
        {"response": {"status": status, "outcome": said}}
        for status, said in zip(statuses, outcomes, strict=True)
    ]
    bundle = {"type": "batch-response", "entry": [*entries, {}, "odd", {"response": []}]}
    assert refused_entries(bundle) == {1: 1.5, 2: None, 3: None, 4: None}
    assert refused_entries({}) == {}
