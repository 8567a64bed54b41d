"""What EHRs say of a write is read as they say it: empty bodies, no Location, no ETag."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.fhir.writes import (
    Answered,
    Place,
    answers,
    place_in,
    tag_version,
    to_delete,
    version_of,
    written_place,
)
from harness.http.exchange import Exchange, Headers, Request, Response

BODY = {"resourceType": "Observation", "id": "7", "meta": {"versionId": "2"}}


def came(status: int, body: Any = None, **headers: str) -> Exchange:
    fields = Headers(tuple((name.replace("_", "-"), value) for name, value in headers.items()))
    content = b"" if body is None else json.dumps(body).encode()
    response = Response(status, fields, content)
    return Exchange(1, "a", Request("POST", "https://x/y"), response, datetime.now(UTC), 0.1)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://x/r4/Observation/7/_history/2", Place("Observation", "7", "2")),
        ("Observation/7", Place("Observation", "7")),
        ("/r4/Observation/7/_history", Place("Observation", "7")),
        ("https://x/Observation/r4/Observation/e.x-1", Place("Observation", "e.x-1")),
        ("https://x/r4/Patient/7", None),
        ("https://x/r4/Observation/", None),
        (None, None),
    ],
)
def test_a_place_is_read_from_a_url(url: str | None, place: Place | None) -> None:
    assert place_in(url, "Observation") == place


@pytest.mark.parametrize(
    ("exchange", "place"),
    [
        (came(201, Location="Observation/7", Content_Type="text/html"), Place("Observation", "7")),
        (came(200, Content_Location="/Observation/7"), Place("Observation", "7")),
        (came(201, BODY), Place("Observation", "7", "2")),
        (came(201, {"resourceType": "OperationOutcome", "id": "1"}), None),
        (came(201), None),
    ],
)
def test_a_new_resource_is_where_the_answer_says(exchange: Exchange, place: Place | None) -> None:
    assert written_place(exchange, "Observation") == place


@pytest.mark.parametrize(
    ("exchange", "version"),
    [
        (came(200, BODY, ETag='W/"3"'), "3"),
        (came(200, BODY, ETag='"3"'), "3"),
        (came(200, BODY, ETag="3"), "2"),
        (came(200, BODY), "2"),
        (came(200, {"meta": []}), None),
        (came(200, ["x"]), None),
        (came(201), None),
    ],
)
def test_a_version_is_read_from_the_etag_or_the_resource(
    exchange: Exchange, version: str | None
) -> None:
    assert version_of(exchange) == version


def test_each_entry_of_a_response_is_read_by_itself() -> None:
    outcome = {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": "required", "expression": ["Observation.status"]}],
    }
    listed = [
        {"response": {"status": "201 Created", "location": "Observation/7/_history/1"}},
        {"response": {"status": "201", "location": "https://x/r4/Observation/8"}},
        {"response": {"status": "201"}, "resource": BODY},
        {"response": {"status": "400 Bad Request", "outcome": outcome}},
        {"response": {"status": "fine", "location": "nowhere"}},
        "no entry",
    ]
    found = answers(came(200, {"resourceType": "Bundle", "entry": listed}))
    assert [each.status for each in found] == [201, 201, 201, 400, None, None]
    assert [each.place and each.place.id for each in found] == ["7", "8", "7", None, None, None]
    assert found[3].issues[0].expression == "Observation.status"
    assert found[5] == Answered(None)


def test_an_entry_that_deletes_names_the_resource() -> None:
    assert to_delete("Observation", "7") == {
        "request": {"method": "DELETE", "url": "Observation/7"}
    }


@given(st.text())
def test_any_text_is_an_etag_or_none(text: str) -> None:
    version = tag_version(text)
    assert version is None or f'"{version}"' in text


@given(
    st.recursive(
        st.none() | st.text() | st.integers(),
        lambda each: (
            st.lists(each)
            | st.dictionaries(
                st.sampled_from(["response", "resource", "status", "location", "outcome", "id"]),
                each,
            )
        ),
    )
)
def test_any_entry_is_read_without_a_crash(entry: Any) -> None:
    answers(came(200, {"entry": [entry]}))
