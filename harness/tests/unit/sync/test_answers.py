from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from harness.http.exchange import Exchange, Headers, Request, Response
from harness.sync.answers.answer import (
    Failed,
    Moved,
    Page,
    Refused,
    SessionGone,
    read_answer,
)
from harness.sync.answers.said import in_codes
from harness.sync.answers.stamps import earliest, http_date
from harness.sync.model import Query
from harness.tests.unit.sync.fake_ehr import bundle, outcome

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
OBSERVATIONS = Query("p", "Observation")


def answer(
    value: Any,
    status: int = 200,
    query: Query = OBSERVATIONS,
    *,
    first: bool = True,
    **headers: str,
) -> object:
    fields = tuple((name.replace("_", "-"), text) for name, text in headers.items())
    response = Response(status, Headers(fields), json.dumps(value).encode())
    request = Request("GET", "https://ehr.example/fhir/Observation?patient=p")
    return read_answer(
        Exchange(1, "sync", request, response, NOON, 0.1), query, first=first, now=NOON
    )


def page_of(*resources: Any, query: Query = OBSERVATIONS) -> Page:
    made = answer(bundle([{"resource": each} for each in resources]), query=query)
    assert isinstance(made, Page)
    return made


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        ("2026-03-01T07:00:00-05:00", NOON),
        ("2026-03-01", datetime(2026, 2, 28, 10, tzinfo=UTC)),
        ("2026-03-01T12:00:00", datetime(2026, 2, 28, 22, tzinfo=UTC)),
        ("2026-03-01T12:00:60Z", datetime(2026, 3, 1, 12, 1, tzinfo=UTC)),
        ("2026-03", datetime(2026, 2, 28, 10, tzinfo=UTC)),
        ("0001-01-01", datetime(1, 1, 1, tzinfo=UTC)),
        ("0001-01-01T00:00:00+14:00", datetime(1, 1, 1, tzinfo=UTC)),
        ("yesterday", None),
        (None, None),
        (5, None),
    ],
)
def test_a_stamp_is_read_as_the_earliest_it_can_mean(
    stamp: object, expected: datetime | None
) -> None:
    resource = {"resourceType": "Observation", "id": "1", "meta": {"lastUpdated": stamp}}
    assert page_of(resource).received[0].last_updated == expected
    assert earliest(stamp) == expected


@pytest.mark.parametrize("meta", [None, [], "x", {"versionId": 3}, {"versionId": ""}])
def test_a_resource_without_a_usable_version_is_kept(meta: object) -> None:
    resource = {"resourceType": "Observation", "id": "x" * 100, "meta": meta}
    assert page_of(resource).received[0].version is None


@pytest.mark.parametrize(
    "resource",
    [
        *({}, [], "x", {"resourceType": "Observation"}, {"id": "1"}),
        {"resourceType": "Observation", "id": "a\0b"},
        {"resourceType": "Observation", "id": "a\ud800"},
        {"resourceType": "Observa\ntion", "id": "a"},
    ],
)
def test_what_has_no_type_and_id_is_counted_as_unusable(resource: object) -> None:
    found = page_of(resource)
    assert (found.received, found.unusable) == ((), 1)


@pytest.mark.parametrize(
    ("resource", "foreign"),
    [
        ({"subject": {"reference": "Patient/p"}}, 0),
        ({"subject": {"reference": "https://ehr.example/fhir/Patient/p"}}, 0),
        ({"subject": {"reference": "Patient/p/_history/3"}}, 0),
        ({"subject": {"reference": "Group/g"}}, 0),
        ({"subject": "Patient/q"}, 0),
        ({}, 0),
        ({"subject": {"reference": "Patient/q"}}, 1),
        ({"patient": {"reference": "https://ehr.example/fhir/Patient/q"}}, 1),
    ],
)
def test_whose_a_resource_is_shows_in_its_subject(resource: dict[str, Any], foreign: int) -> None:
    assert page_of({"resourceType": "Observation", "id": "1"} | resource).foreign == foreign


def test_another_patient_is_foreign_and_another_type_is_not() -> None:
    patients = Query("p", "Patient")
    assert page_of({"resourceType": "Patient", "id": "q"}, query=patients).foreign == 1
    posing = {"resourceType": "Patient", "id": "q", "subject": {"reference": "Patient/p"}}
    assert page_of(posing, query=patients).foreign == 1
    assert page_of({"resourceType": "Practitioner", "id": "q"}).foreign == 0


def test_an_answer_that_refuses_for_load_says_for_how_long() -> None:
    assert answer({}, 429, Retry_After="30") == Refused(30.0)
    assert answer({}, 429) == Refused(None)
    assert answer({}, 503, Retry_After="9") == Refused(9.0)


def test_a_session_can_only_be_gone_where_there_was_one() -> None:
    assert answer({}, 410, first=False) == SessionGone()
    assert isinstance(answer({}, 410), Failed)
    assert answer(outcome("fatal", "processing", "4113"), first=False) == SessionGone()
    assert isinstance(answer(outcome("fatal", "processing", "4113")), Failed)


@pytest.mark.parametrize("links", [None, "x", [1], [{"relation": "next"}], [{"url": "x"}]])
def test_links_that_are_none_end_the_search(links: object) -> None:
    made = answer({"resourceType": "Bundle", "link": links})
    assert isinstance(made, Page)
    assert made.next is None


def test_an_outcome_is_told_in_codes_and_no_more_than_three() -> None:
    issue = {"severity": "error", "code": "x y", "details": {"coding": [{"code": "4118"}, 3]}}
    assert in_codes({"issue": [issue]}) == "error (4118)"
    assert in_codes({"issue": [issue] * 5}) == "error (4118); error (4118); error (4118)"
    assert in_codes({"issue": [{"code": 1}]}) == "an issue without a code"
    assert in_codes({}) == "an OperationOutcome without issues"


@pytest.mark.parametrize(
    "value", [None, "", "x", "Sun, 99 Mar 2026 12:00:00 GMT", "1 Mar 2026 12:00"]
)
def test_a_date_header_that_cannot_be_read_is_none(value: str | None) -> None:
    assert http_date(value) is None


def test_a_date_header_is_read_in_utc() -> None:
    assert http_date("Sun, 01 Mar 2026 12:00:00 GMT") == NOON


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("https://ehr.example/fhir/Patient/q", Moved("q")),
        ("/fhir/Patient/q", Moved("q")),
        ("https://ehr.example/fhir/Patient/p", None),
        ("https://login.example/authorize", None),
        ("", None),
    ],
)
def test_a_redirection_is_a_merge_only_where_it_leads_to_another_patient(
    location: str, expected: Moved | None
) -> None:
    found = answer({}, 301, Location=location)
    assert found == expected if expected else isinstance(found, Failed)
    merged = answer(outcome("error", "not-found", "4107"), 301)
    assert merged == Moved(None)
