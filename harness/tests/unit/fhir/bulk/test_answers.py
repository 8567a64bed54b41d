"""What is asked at the start of an export, and what the answers mean."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from harness.config.bulk import ExportLevel, TypeEncoding
from harness.fhir.bulk.kickoff import (
    AtOnce,
    Denied,
    Kickoff,
    Started,
    read_kickoff,
)
from harness.fhir.bulk.refusal import Refused
from harness.fhir.bulk.status import Done, Failed, Moved, Over, Unclear, Underway, read_status
from harness.http.exchange import Exchange, Headers, Request, Response

NOW = datetime(2026, 5, 1, 10, tzinfo=UTC)
BASE = "https://ehr.example/r4"
MANIFEST = {"transactionTime": "2026-05-01T10:00:00Z", "requiresAccessToken": True, "output": []}


def answered(
    status: int, body: Any = b"", url: str = f"{BASE}/$export", **headers: str
) -> Exchange:
    fields = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = Response(status, Headers(fields), content)
    return Exchange(1, "bulk", Request("GET", url), response, NOW, 0.1)


def outcome(code: str = "exception", severity: str = "error") -> dict[str, Any]:
    issue = {"severity": severity, "code": code, "diagnostics": "Jane Doe could not be exported"}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


# -- what is asked


def asked(kickoff: Kickoff) -> tuple[str, list[tuple[str, str]]]:
    parts = urlsplit(kickoff.url(BASE + "/"))
    return parts.path, parse_qsl(parts.query)


def test_each_level_has_a_place_of_its_own() -> None:
    paths = [asked(Kickoff(level, "g 1"))[0] for level in ExportLevel]
    assert paths == ["/r4/Group/g%201/$export", "/r4/Patient/$export", "/r4/$export"]


@pytest.mark.parametrize("group", [None, "", ".", ".."])
def test_an_export_of_a_group_needs_one(group: str | None) -> None:
    with pytest.raises(ValueError, match="Group"):
        Kickoff(ExportLevel.GROUP, group).url(BASE)


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        (TypeEncoding.COMMA, [("_type", "Patient,Observation")]),
        (TypeEncoding.REPEATED, [("_type", "Patient"), ("_type", "Observation")]),
        (TypeEncoding.OMITTED, []),
    ],
)
def test_types_are_written_as_the_vendor_takes_them(
    encoding: TypeEncoding, expected: list[tuple[str, str]]
) -> None:
    kickoff = Kickoff(ExportLevel.SYSTEM, types=("Patient", "Observation"), encoding=encoding)
    assert asked(kickoff)[1][1:] == expected


def test_a_comma_inside_a_filter_does_not_end_it() -> None:
    filters = ("Observation?code=1,2&category=lab", "Condition?onset=ge2026")
    _, query = asked(Kickoff(ExportLevel.SYSTEM, filters=filters))
    assert [value for name, value in query if name == "_typeFilter"] == [
        "Observation?code=1%2C2&category=lab",
        "Condition?onset=ge2026",
    ]


def test_since_is_an_instant_in_utc() -> None:
    assert ("_since", "2026-05-01T10:00:00Z") in asked(Kickoff(ExportLevel.SYSTEM, since=NOW))[1]


# -- the answer to it


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Content_Location": "https://ehr.example/jobs/1"}, "https://ehr.example/jobs/1"),
        ({"Content_Location": "/jobs/1"}, "https://ehr.example/jobs/1"),
        ({"Location": "jobs/1"}, "https://ehr.example/r4/jobs/1"),
        ({"Content_Location": "https://other.example/1"}, "https://other.example/1"),
        ({}, None),
    ],
)
def test_the_status_endpoint_is_found(headers: dict[str, str], expected: str | None) -> None:
    assert read_kickoff(answered(202, **headers), NOW) == Started(expected)


def test_the_first_look_may_be_put_off() -> None:
    answer = read_kickoff(answered(202, Content_Location="/jobs/1", Retry_After="120"), NOW)
    assert answer == Started("https://ehr.example/jobs/1", 120.0)


def test_a_refusal_may_name_the_export_that_is_under_way() -> None:
    answer = read_kickoff(answered(429, Retry_After="120", Content_Location="/jobs/1"), NOW)
    assert answer == Refused(120.0, "https://ehr.example/jobs/1")
    assert read_kickoff(answered(429), NOW) == Refused(None)


def test_a_denial_is_told_in_codes_alone() -> None:
    answer = read_kickoff(answered(400, outcome("not-supported")), NOW)
    assert answer == Denied("status 400: error not-supported", 400)


def test_a_manifest_may_come_at_once() -> None:
    assert isinstance(read_kickoff(answered(200, MANIFEST), NOW), AtOnce)
    assert isinstance(read_kickoff(answered(200, b"<html>"), NOW), Denied)


# -- the answers of the status endpoint


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Retry_After": "120", "X_Progress": "6% Completed"}, Underway(120.0, "6% Completed")),
        ({"X_Progress": "150 %\x1b[31m"}, Underway(None, "150 % [31m")),
        ({"Retry_After": "Fri, 01 May 2026 10:01:00 GMT"}, Underway(60.0)),
        ({"Retry_After": "soon"}, Underway(None)),
        ({}, Underway(None)),
    ],
)
def test_an_export_under_way_tells_when_to_ask_again(
    headers: dict[str, str], expected: Underway
) -> None:
    assert read_status(answered(202, **headers), NOW) == expected


@pytest.mark.parametrize(
    ("exchange", "expected"),
    [
        (answered(404), Over(404)),
        (answered(410, outcome()), Over(410)),
        (answered(500, outcome()), Failed("status 500: error exception")),
        (answered(500, b"<html>"), Failed("status 500")),
        (answered(400, outcome("invalid")), Failed("status 400: error invalid")),
        (answered(500, outcome("transient")), Unclear("status 500: error transient")),
        (answered(502, b"<html>"), Unclear("status 502")),
        (answered(401), Unclear("status 401")),
        (answered(429, Retry_After="5"), Refused(5.0)),
        (answered(503, Retry_After="5"), Refused(5.0)),
        (answered(303, Location="/done"), Moved("https://ehr.example/done")),
    ],
)
def test_other_answers_say_how_the_export_ended_or_nothing(
    exchange: Exchange, expected: object
) -> None:
    assert read_status(exchange, NOW) == expected


def test_a_manifest_ends_it_and_a_page_for_people_does_not() -> None:
    assert isinstance(read_status(answered(200, MANIFEST), NOW), Done)
    assert isinstance(read_status(answered(200, b"<html>maintenance</html>"), NOW), Unclear)
    assert isinstance(read_status(answered(200, outcome()), NOW), Unclear)
