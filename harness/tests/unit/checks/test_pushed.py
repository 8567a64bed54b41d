"""Which notification tells what."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from harness.checks.pushed import Pushed, Subscribed, subject
from harness.http.exchange import Exchange, Headers, Request, Response

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
BELOW = "http://127.0.0.1:9/payload/secret"


def exchange(url: str, seconds: float, body: bytes = b"", answer: bytes = b"{}") -> Exchange:
    moment = NOW + timedelta(seconds=seconds)
    request = Request("PUT", url, Headers(), body)
    return Exchange(1, "push", request, Response(201, body=answer), moment, 0.01)


def told(seconds: float, name: str | None = None, *, in_body: bool = False) -> Exchange:
    body = json.dumps({"resourceType": "Observation", "id": name}).encode() if in_body else b""
    path = f"/Observation/{name}" if name and not in_body else ""
    return exchange(f"{BELOW}{path}", seconds, body)


def pushed(*arrived: Exchange) -> Pushed:
    writes = {name: exchange("http://e/r4", at) for name, at in WRITES.items()}
    one = Subscribed("payload", exchange("http://e/r4", 0), "s", arrived=arrived)
    empty = Subscribed("empty", exchange("http://e/r4", 0))
    ids = {name: name for name in WRITES}
    known = {"payload": one, "empty": empty}
    return Pushed(known, "secret", writes, ids, activated=True, strays=2, wait=1.0)


WRITES = {"other": 1.0, "first": 2.0, "second": 3.0}


@pytest.mark.parametrize("in_body", [True, False])
def test_a_notification_names_its_observation_in_path_or_payload(in_body: bool) -> None:  # noqa: FBT001
    assert subject(told(2.5, "first", in_body=in_body)) == "first"


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"\xff", b'{"id": 7}', b"{" * 5000])
def test_what_names_none_names_none(body: bytes) -> None:
    assert subject(exchange(BELOW, 2.5, body)) is None


def test_who_is_told_late_of_what_was_before_is_not_told_of_what_came_after() -> None:
    found = pushed(told(2.1, "first"), told(3.2, "first"), told(3.3, "second"), told(3.4))
    assert [each.started_at.timestamp() - NOW.timestamp() for each in found.late("payload")] == [
        pytest.approx(3.3),
        pytest.approx(3.4),
    ]
    assert len(found.told("payload")) == 4
    assert len(found.named("payload", "first")) == 2
    assert found.named("payload", "other") == ()
    assert found.late("empty") == found.told("empty") == ()


def test_what_stands_for_all_is_the_one_that_tells_most() -> None:
    found = pushed()
    assert found.main is found.known["payload"]
    assert found.came == "nothing within 1 s, and 2 requests elsewhere"


@pytest.mark.parametrize(
    ("status", "body", "in_words"),
    [
        (422, b'{"resourceType":"OperationOutcome"}', True),
        (500, b'{"resourceType":"OperationOutcome"}', False),
        (400, b"<html>", False),
    ],
)
def test_a_refusal_in_words_is_an_outcome_of_the_class_of_400(
    status: int,
    body: bytes,
    in_words: bool,  # noqa: FBT001 - a parameter
) -> None:
    answer = Exchange(
        1, "push", Request("POST", "http://e/r4"), Response(status, body=body), NOW, 0
    )
    assert Subscribed("payload", answer).refused_in_words is in_words


@pytest.mark.parametrize(
    ("answer", "tells"),
    [
        (b'{"status":"active"}', False),
        (b'{"status":"active","error":"refused"}', True),
        (b'{"status":"error"}', True),
        (b'{"status":"off"}', True),
    ],
)
def test_status_and_error_tell_of_failure(answer: bytes, tells: bool) -> None:  # noqa: FBT001
    create = exchange("http://e/r4", 0)
    assert (
        Subscribed("failing", create, read=exchange("u", 1, b"", answer)).tells_of_failure is tells
    )
