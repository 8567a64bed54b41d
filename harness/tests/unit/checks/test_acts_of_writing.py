"""What acts of writing make of answers, and what they say of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from harness.checks.acts.batches import Batch
from harness.checks.acts.conditional import Conditional
from harness.checks.acts.invalid import BODIES, CASES, SHAPES, Refused, body_of
from harness.checks.acts.observing import (
    BUILDERS,
    Written,
    current_version,
    having,
    of_kind,
)
from harness.checks.acts.outside import by
from harness.checks.acts.search_forms import tokens
from harness.checks.acts.updates import Raced, Updated, correction, edited
from harness.checks.acts.versions import History
from harness.config.ehr import EhrFile
from harness.config.schema import schema
from harness.errors import NotConfigured, NotSupported, PrerequisiteFailed
from harness.fhir.capability import Capability
from harness.http.exchange import Exchange, Headers, Request, Response

SENT: dict[str, Any] = {
    "resourceType": "Observation",
    "identifier": [{"system": "https://fhir-harness.example.org/measurements", "value": "m-1"}],
    "status": "final",
    "code": {"text": "Heart rate"},
    "valueQuantity": {"value": 67, "code": "/min"},
}


def answer(status: int, body: Any = None, **headers: str) -> Exchange:
    fields = Headers(tuple((name.replace("_", "-"), value) for name, value in headers.items()))
    content = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
    response = Response(status, fields, content)
    return Exchange(1, "a", Request("POST", "https://x/y"), response, datetime.now(UTC), 0.1)


def stored(**changes: Any) -> dict[str, Any]:
    meta = {"versionId": "2", "lastUpdated": "2026-05-01T10:00:00Z"}
    return {**SENT, "id": "7", "meta": meta, **changes}


def written(read: Exchange | None, create: int = 201) -> Written:
    return Written(SENT, answer(create), "7", read)


def test_the_kinds_of_the_schema_are_those_that_are_written() -> None:
    assert schema("ehr")["properties"]["writes"]["items"]["enum"] == list(BUILDERS)
    assert EhrFile.__dataclass_fields__["writes"].default == ()


@pytest.mark.parametrize("status", [400, 403, 404, 405, 422])
def test_a_kind_that_is_refused_is_not_supported(status: int) -> None:
    with pytest.raises(NotSupported, match=f"status {status}"):
        written(None, status).require_read()


def test_a_kind_that_the_file_leaves_out_is_not_supported() -> None:
    with pytest.raises(NotSupported, match="does not name sleep"):
        of_kind({}, "sleep")


def test_a_create_that_fails_is_no_refusal() -> None:
    assert written(None, 500).require_taken().status == 500
    with pytest.raises(PrerequisiteFailed, match="nobody knows where"):
        written(None, 500).require_read()


def test_what_a_server_files_of_its_own_is_no_addition() -> None:
    read = answer(200, stored(issued="2026-05-01T10:00:00Z", interpretation=[{"text": "N"}]))
    assert written(read).additions() == ["interpretation"]


@pytest.mark.parametrize(
    ("date", "minutes"),
    [
        ("Fri, 01 May 2026 10:01:00 GMT", -1),
        ("Fri, 01 May 2026 15:00:00 GMT", -300),
        ("yesterday", None),
        ("", None),
    ],
)
def test_last_updated_is_held_against_the_date_of_the_answer(
    date: str, minutes: int | None
) -> None:
    assert written(answer(200, stored(), Date=date)).minutes_off == minutes


@pytest.mark.parametrize(("text", "digits"), [("178.0", "178.0"), ("178", "178"), ('"x"', None)])
def test_digits_are_those_of_the_body(text: str, digits: str | None) -> None:
    body = b'{"valueQuantity": {"value": ' + text.encode() + b"}}"
    assert written(answer(200, body)).digits_read == digits


def test_a_version_is_sent_back_as_the_server_spelled_it() -> None:
    assert current_version(answer(200, stored(), ETag='"9"')) == '"9"'
    assert current_version(answer(200, stored(), ETag="9")) == "2"
    assert current_version(answer(200, stored())) == "2"


def test_only_identifiers_of_this_run_are_looked_for() -> None:
    other = {"identifier": [{"system": "urn:other", "value": "m-1"}]}
    assert having([SENT, other, {"identifier": "m-1"}], "m-1") == [SENT]
    assert having([{}], None) == []


def updated(value: float, status: int = 200) -> Updated:
    sent = edited(answer(200, stored()), 71)
    read = answer(200, stored(valueQuantity={"value": value, "code": "/min"}))
    return Updated(answer(200, stored()), sent, answer(status), read)


def test_an_update_is_done_or_leaves_everything_as_it_was() -> None:
    assert updated(71).done
    assert not updated(71).untouched
    assert updated(67).untouched
    assert not updated(67).done


@pytest.mark.parametrize(
    ("statuses", "value", "winners", "lost"),
    [
        ((200, 412), 75, 1, False),
        ((200, 200), 76, 2, True),
        ((409, 409), 67, 0, False),
        ((200, 412), 67, 1, True),
    ],
)
def test_an_accepted_update_that_is_not_read_is_lost(
    statuses: tuple[int, int], value: int, winners: int, *, lost: bool
) -> None:
    before = answer(200, stored())
    both = edited(before, 75), edited(before, 76)
    read = answer(200, stored(valueQuantity={"value": value}))
    raced = Raced(both, (answer(statuses[0]), answer(statuses[1])), read)
    assert (len(raced.winners), raced.lost) == (winners, lost)
    assert ("lost" in raced.outcome) == lost


def test_a_correction_that_was_not_tried_is_no_verdict() -> None:
    with pytest.raises(PrerequisiteFailed):
        correction({}, "corrected")


def test_an_author_that_the_file_does_not_name_is_not_configured() -> None:
    with pytest.raises(NotConfigured, match="another-person"):
        by({}, "another-person")


def test_each_wrong_body_is_wrong_in_one_way() -> None:
    bodies = {case: body_of(case, SENT) for case in BODIES}
    with pytest.raises(json.JSONDecodeError):
        json.loads(bodies["broken-json"][0])
    assert bodies["duplicate-member"][0].count(b'"status"') == 2
    assert json.loads(bodies["duplicate-member"][0]) == SENT
    assert json.loads(bodies["another-media-type"][0]) == SENT
    assert bodies["another-media-type"][1] == "text/plain"
    assert len(bodies["too-large"][0]) > 3_000_000
    assert set(CASES) == set(SHAPES) | set(BODIES)
    assert all(SHAPES[case].change(SENT) != SENT for case in SHAPES)


@pytest.mark.parametrize(
    ("issue", "named"),
    [
        ({"code": "required", "expression": ["Observation.status"]}, True),
        ({"code": "invalid", "details": {"text": "Status is missing"}}, True),
        ({"code": "invalid", "diagnostics": "not valid"}, False),
    ],
)
def test_a_refusal_names_an_element_in_expression_or_in_words(
    issue: dict[str, Any], *, named: bool
) -> None:
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", **issue}]}
    refused = Refused(answer(422, outcome), found_stored=False, element="status")
    assert refused.names_the_element == named


def test_a_history_tells_versions_and_what_was_done() -> None:
    entries = [
        {"request": {"method": "DELETE"}},
        {"resource": stored(), "request": {"method": "PUT"}},
        {"resource": {}, "request": "none"},
    ]
    history = History(answer(200, {"entry": entries}), ("2",))
    assert history.versions == ["2"]
    assert history.methods == ["DELETE", "PUT", "None"]
    assert History(answer(200, b"<html>"), ()).entries == []


def test_a_batch_is_read_entry_by_entry() -> None:
    entries = [{"response": {"status": "201"}}, {"response": {"status": "400"}}]
    batch = Batch((SENT, SENT), answer(200, {"entry": entries}), (True, False), wrong=1)
    assert [each.status for each in batch.answered] == [201, 400]
    assert batch.good == [0]
    assert batch.statuses == "status 200 with entries 201, 400"
    assert Batch((SENT,), answer(502, b"<html>"), (False,)).statuses.endswith("none")


def test_a_conditional_write_remembers_how_many_there_are() -> None:
    assert Conditional(answer(201), 1, "7", "7").there == 1


def test_codings_are_told_apart_by_their_systems() -> None:
    coding = [
        {"code": "10", "display": "flowsheet row"},
        {"system": "http://loinc.org", "code": "8867-4"},
        {"system": "urn:oid:1.2.3", "code": "8867-4"},
    ]
    assert tokens({"code": {"coding": coding}}) == [
        "http://loinc.org|8867-4",
        "urn:oid:1.2.3|8867-4",
    ]
    assert tokens({"code": {"text": "Heart rate"}}) == []


@pytest.mark.parametrize(
    ("said", "formats"),
    [
        (None, ()),
        ("json", ()),
        (["application/json-patch+json", 7], ("application/json-patch+json",)),
    ],
)
def test_formats_of_patches_are_read_as_far_as_they_are_texts(
    said: object, formats: tuple[str, ...]
) -> None:
    assert Capability({"patchFormat": said}).patch_formats == formats
