import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.http.exchange import Exchange, Headers, Request, Response
from harness.http.retry import (
    FLOOR,
    Policy,
    backoff,
    decide,
    decide_unanswered,
    is_refusal,
    retry_after,
)

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def hint(body: bytes = b"", **headers: Any) -> float | None:
    fields = Headers(tuple((n.replace("_", "-"), v) for n, v in headers.items()))
    return retry_after(fields, NOW, body)


def http_date(seconds: float) -> str:
    return format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("1.5", 1.5),
        (" 3 ", 3.0),
        ("0", 0.0),
        ("", None),
        ("soon", None),
        ("-4", None),
        ("1e9", None),
        ("nan", None),
        (str(int(NOW.timestamp()) + 300), 300.0),
        (str((int(NOW.timestamp()) + 300) * 1000), 300.0),
        ("0\x1f", 0.0),
        ("٣", None),
        (http_date(90), 90.0),
        (http_date(-90), 0.0),
        ("Fri, 01 May 2026 14:01:00 +0200", 60.0),
        ("Fri, 99 May 2026 14:01:00 GMT", None),
        ("Mon, 01 Jan 0001 00:00:00 +2359", 0.0),
    ],
)
def test_retry_after_is_read_in_every_form(value: str, seconds: float | None) -> None:
    assert hint(Retry_After=value) == seconds


def test_a_date_is_read_against_the_clock_of_the_response() -> None:
    assert hint(Date=http_date(3600), Retry_After=http_date(3610)) == 10.0


def test_the_first_usable_of_repeated_values_counts() -> None:
    assert retry_after(Headers((("Retry-After", "soon"), ("retry-after", "4"))), NOW) == 4.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x_ms_retry_after_ms": "250"}, 0.25),
        ({"RateLimit": '"requests";r=0;t=12'}, 12.0),
        ({"RateLimit": '"minute";r=10;t=12, "day";r=0;t=50'}, 50.0),
        ({"RateLimit_Reset": "30"}, 30.0),
        ({"X_RateLimit_Reset": str(int(NOW.timestamp()) + 45)}, 45.0),
        ({"X_RateLimit_Reset": str((int(NOW.timestamp()) + 45) * 1000)}, 45.0),
        ({"X_RateLimit_Reset": "tomorrow"}, None),
    ],
)
def test_vendors_hints_are_read(headers: Any, seconds: float | None) -> None:
    assert hint(**headers) == seconds


def test_hints_in_an_operation_outcome_are_read() -> None:
    diagnostics = json.dumps({"_msBeforeNext": 1500})
    outcome = {"resourceType": "OperationOutcome", "issue": [{"diagnostics": diagnostics}]}
    assert hint(json.dumps(outcome).encode()) == 1.5
    url = "https://ehr.example/rate-limit-reset"
    outcome = {"issue": [], "extension": [{"url": url, "valueInteger": 9}]}
    assert hint(json.dumps(outcome).encode()) == 9.0


@given(st.text(max_size=40), st.binary(max_size=60))
def test_any_hint_is_a_number_of_seconds_or_none(value: str, body: bytes) -> None:
    for name in ("Retry-After", "RateLimit", "X-RateLimit-Reset", "Date"):
        found = retry_after(Headers(((name, value),)), NOW, b"rate-limit-reset" + body)
        assert found is None or found >= 0.0


def exchange(
    status: int,
    *,
    method: str = "GET",
    attempt: int = 1,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
) -> Exchange:
    request = Request(method, "https://ehr.example/r4/Patient")
    response = Response(status, Headers(tuple(headers)), body)
    return Exchange(1, "act", request, response, NOW, 0.1, attempt)


def wait(answered: Exchange, *, repeatable: bool = True, chance: float = 1.0) -> float | None:
    retry = decide(answered, repeatable=repeatable, policy=Policy(), now=NOW, chance=lambda: chance)
    return retry.wait if retry else None


@pytest.mark.parametrize(
    ("status", "repeatable", "again"),
    [
        (200, True, False),
        (400, True, False),
        (401, True, False),
        (429, True, True),
        (429, False, True),
        (500, True, False),
        (502, True, True),
        (503, True, True),
        (504, True, True),
        (502, False, False),
        (503, False, False),
    ],
)
def test_only_what_is_harmless_is_repeated(status: int, *, repeatable: bool, again: bool) -> None:
    assert (wait(exchange(status), repeatable=repeatable) is not None) is again


def test_a_write_is_not_repeated_after_a_refusal_that_may_have_come_too_late() -> None:
    refused = exchange(503, method="POST", headers=[("Retry-After", "1")])
    assert is_refusal(refused)
    assert wait(refused, repeatable=False) is None


def test_a_wait_is_never_shorter_than_the_floor_nor_longer_than_allowed() -> None:
    assert wait(exchange(429, headers=[("Retry-After", "0")])) == FLOOR
    assert wait(exchange(429), chance=0.0) == FLOOR
    assert wait(exchange(429, headers=[("Retry-After", "60")])) == 60.0
    assert wait(exchange(429, headers=[("Retry-After", "61")])) is None


def test_attempts_are_counted() -> None:
    assert wait(exchange(429, attempt=4)) is not None
    assert wait(exchange(429, attempt=5)) is None


def test_a_forbidden_that_speaks_of_throttling_is_a_refusal() -> None:
    assert is_refusal(exchange(403, body=b'{"error":"Rate limit exceeded"}'))
    assert not is_refusal(exchange(403, body=b'{"error":"insufficient_scope"}'))


@pytest.mark.parametrize(
    ("kind", "tries"), [("dns", 1), ("tls", 1), ("hostile", 1), ("timeout", 2), ("refused", 3)]
)
def test_what_does_not_heal_is_not_tried_again(kind: str, tries: int) -> None:
    made = 1
    while decide_unanswered(kind, made, repeatable=True, policy=Policy(), chance=lambda: 0.5):
        made += 1
    assert made == tries


def test_a_write_without_an_answer_is_never_repeated() -> None:
    for kind in ("timeout", "refused", "protocol"):
        assert not decide_unanswered(kind, 1, repeatable=False, policy=Policy(), chance=lambda: 0.5)


@given(st.integers(1, 30), st.floats(0, 1))
def test_backoff_stays_within_floor_and_cap(attempt: int, chance: float) -> None:
    assert FLOOR <= backoff(attempt, Policy(), lambda: chance) <= Policy().cap
