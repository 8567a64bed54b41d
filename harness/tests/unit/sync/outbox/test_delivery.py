"""What becomes of a write, by what the EHR answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.config.ehr import WritesSpec
from harness.errors import UsageError
from harness.http.exchange import Exchange, Headers, Request, Response
from harness.sync.outbox.drafting import to_correct, to_create, to_retract, to_update
from harness.sync.outbox.model import KeyTaken, State
from harness.sync.outbox.verdict import in_codes, said
from harness.sync.outbox.wire import _hidden
from harness.tests.unit.sync.outbox.desk import NOON, Desk, rate
from harness.tests.unit.sync.outbox.fake_writes import made, told


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made_ = Desk(tmp_path / "private" / "store.sqlite")
    yield made_
    made_.close()


def posts(desk: Desk) -> int:
    return sum(each.startswith("POST") for each in desk.ehr.asked)


def only(method: str, response: Response, times: int = 1_000_000) -> Any:
    """A script that answers this method, so many times."""
    left = [times]

    def script(request: Request) -> Response | None:
        if request.method != method or "metadata" in request.url or not left[0]:
            return None
        left[0] -= 1
        return response

    return script


def test_a_write_is_created_under_its_condition_and_read_back(desk: Desk) -> None:
    desk.submit()
    desk.deliver()
    entry = desk.entry()
    assert (entry.state, entry.server_id, entry.version) == (State.CONFIRMED, "o1", "1")
    assert desk.ehr.asked == ["GET /metadata", "POST /Observation", "GET /Observation/o1"]
    assert desk.ehr.sent[1].headers.get("If-None-Exist") == "identifier=urn%3Atest%7Cm1"
    assert entry.note is None


def test_the_same_submission_is_one_entry_and_another_content_is_refused(desk: Desk) -> None:
    assert desk.submit().id == desk.submit().id
    with pytest.raises(KeyTaken, match="correct the earlier one"):
        desk.submit(value=99)


def test_a_lost_answer_is_looked_for_and_not_sent_again(desk: Desk) -> None:
    desk.ehr.events = ["lost-after"]
    desk.submit()
    desk.deliver()
    assert desk.entry().state is State.CONFIRMED
    assert posts(desk) == 1
    assert desk.clock.slept[0] == pytest.approx(5.0, abs=0.1), "first it has to be visible"


@pytest.mark.parametrize("event", ["lost-before", "500-before"])
def test_what_was_looked_for_and_is_not_there_is_sent_again(desk: Desk, event: str) -> None:
    desk.ehr.events = [event]
    desk.submit()
    desk.deliver()
    assert desk.entry().state is State.CONFIRMED
    assert posts(desk) == 2
    assert len(desk.ehr.resources) == 1


@pytest.mark.parametrize("keeps", [True, False])
def test_without_condition_and_identifiers_it_is_found_by_its_content(
    tmp_path: Path, *, keeps: bool
) -> None:
    desk = Desk(tmp_path / "p" / "s.sqlite", conditional=False, identifiers=False, keeps=keeps)
    desk.submit(1)
    desk.submit(2)
    desk.ehr.events = ["lost-after", "lost-after"]
    desk.deliver()
    assert desk.states() == [State.CONFIRMED] * 2
    assert len(desk.ehr.resources) == 2
    assert (desk.entry().note is None) is keeps
    desk.close()


def test_what_another_entry_wrote_is_not_taken_for_an_equal_one(tmp_path: Path) -> None:
    """Two equal measurements under two keys are two, though the EHR keeps no identifiers."""
    desk = Desk(tmp_path / "p" / "s.sqlite", conditional=False, keeps=False)
    for key in ("a", "b"):
        desk.box.put(to_create("t", rate(), ("urn:test", key)), desk.clock.now())
    desk.ehr.events = ["well", "lost-before"]
    desk.deliver()
    assert desk.states() == [State.CONFIRMED] * 2
    assert len(desk.ehr.resources) == 2
    desk.close()


def test_where_nothing_can_tell_it_is_not_sent_again_and_a_person_is_told(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "p" / "s.sqlite", conditional=False, identifiers=False, contents=False)
    desk.ehr.events = ["lost-after"]
    desk.submit()
    desk.deliver()
    entry = desk.entry()
    assert entry.state is State.DEAD
    assert "whether it was stored is not known" in str(entry.error)
    assert posts(desk) == 1
    desk.close()


def test_a_search_that_ignores_the_identifier_proves_nothing(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "p" / "s.sqlite", conditional=False)
    desk.ehr.put(rate(9) | {"id": "foreign"})
    everything = [{"resource": each} for each in desk.ehr.resources.values()]

    def script(request: Request) -> Response | None:
        if "identifier=" not in request.url:
            return None
        return made(200, {"resourceType": "Bundle", "type": "searchset", "entry": everything})

    desk.ehr.script = script
    desk.ehr.events = ["lost-after"]
    desk.submit()
    desk.deliver()
    assert desk.entry().state is State.CONFIRMED
    assert len(desk.ehr.resources) == 2
    desk.close()


@pytest.mark.parametrize("status", [400, 403, 405, 413, 415, 422, 501])
def test_a_refusal_for_good_is_dead_with_the_words_of_the_ehr(desk: Desk, status: int) -> None:
    desk.ehr.script = only("POST", told(status, "processing", "no flowsheet row for this code"))
    desk.submit()
    desk.deliver()
    entry = desk.entry()
    assert (entry.state, entry.status) == (State.DEAD, status)
    words = f"status {status}: error processing: no flowsheet row for this code"
    assert entry.error == words
    assert posts(desk) == 1


def test_an_outcome_that_says_200_and_an_error_is_a_refusal(desk: Desk) -> None:
    issue = {
        "severity": "fatal",
        "code": "business-rule",
        "details": {"coding": [{"code": "59189"}]},
    }
    outcome = {"resourceType": "OperationOutcome", "issue": [issue]}
    desk.ehr.script = only("POST", made(200, outcome))
    desk.submit()
    desk.deliver()
    assert desk.entry().state is State.DEAD
    assert desk.entry().error == "status 200: fatal business-rule [59189]"


def test_a_page_of_somebody_else_is_no_success(desk: Desk) -> None:
    page = Response(200, Headers((("Content-Type", "text/html"),)), b"<html>maintenance")
    desk.ehr.script = only("POST", page, times=1)
    desk.submit()
    desk.deliver()
    assert desk.entry().state is State.CONFIRMED
    assert posts(desk) == 2


def test_failures_without_end_are_dead_after_some_hours(desk: Desk) -> None:
    desk.ehr.script = only("POST", told(500, "exception", "out of memory"))
    desk.submit()
    desk.deliver()
    entry = desk.entry()
    assert (entry.state, entry.failures) == (State.DEAD, 8)
    assert "out of memory" in str(entry.error)
    assert "whether it was stored is not known" in str(entry.error)
    assert 1800 < sum(desk.clock.slept) < 3 * 3600


def test_a_write_that_was_taken_and_does_not_show_is_not_sent_again(desk: Desk) -> None:
    location = "https://ehr.example/fhir/Observation/lost"
    desk.ehr.script = only("POST", Response(201, Headers((("Location", location),))))
    desk.submit()
    desk.deliver()
    entry = desk.entry()
    assert entry.state is State.DEAD
    assert entry.error == "the EHR answered 201, and a read of it answers 404"
    assert posts(desk) == 1


def test_an_answer_with_nothing_in_it_is_enough(desk: Desk) -> None:
    desk.ehr.events = ["bare"]
    desk.submit()
    desk.deliver()
    assert (desk.entry().state, desk.entry().server_id) == (State.CONFIRMED, "o1")
    assert posts(desk) == 1


def test_refusals_for_load_are_waited_for_and_count_for_nothing(desk: Desk) -> None:
    desk.ehr.script = only("POST", told(429, "throttled", Retry_After="600"), times=3)
    desk.submit()
    desk.deliver()
    entry = desk.entry()
    assert (entry.state, entry.failures) == (State.CONFIRMED, 0)
    assert sum(desk.clock.slept) >= 1800


def test_where_patience_ends_what_is_refused_for_load_stays_queued(desk: Desk) -> None:
    desk.patience = 10.0
    desk.ehr.script = only("POST", told(429, "throttled", Retry_After="600"))
    desk.submit(1)
    desk.submit(2, "q")
    desk.deliver()
    assert desk.states() == [State.QUEUED] * 2
    assert desk.delivery.held_until is not None
    assert "status 429" in str(desk.delivery.reason)


def test_an_ehr_that_cannot_be_reached_leaves_all_queued(desk: Desk) -> None:
    desk.patience = 10.0
    desk.ehr.events = ["unreached"] * 10
    desk.submit()
    desk.deliver()
    entry = desk.entry()
    assert (entry.state, entry.failures) == (State.QUEUED, 0)


def test_writes_of_a_patient_keep_their_order_and_patients_do_not_wait(desk: Desk) -> None:
    desk.ehr.script = only("POST", told(500, "exception"), times=1)
    desk.concurrency = 1
    for number in (1, 2, 3):
        desk.submit(number, "p")
    desk.submit(4, "q")
    desk.deliver()
    written = [each["identifier"][0]["value"] for each in desk.ehr.resources.values()]
    assert written == ["m4", "m1", "m2", "m3"]


def test_a_dead_write_does_not_hold_back_the_next(desk: Desk) -> None:
    desk.ehr.script = only("POST", told(422, "invalid"), times=1)
    desk.submit(1)
    desk.submit(2)
    desk.deliver()
    assert desk.states() == [State.DEAD, State.CONFIRMED]


def test_a_patient_of_somebody_else_is_not_written(desk: Desk) -> None:
    desk.strangers = {"p"}
    desk.submit()
    desk.deliver()
    assert desk.entry().error == "the patient is none of this tenant's"
    assert posts(desk) == 0


def test_what_the_ehr_alters_is_confirmed_and_told(desk: Desk) -> None:
    def script(request: Request) -> Response | None:
        if request.method != "GET" or not request.url.endswith("/o1"):
            return None
        stored = json.loads(json.dumps(desk.ehr.resources["o1"]))
        stored["valueQuantity"]["value"] = 7
        return made(200, stored)

    desk.ehr.script = script
    desk.submit()
    desk.deliver()
    entry = desk.entry()
    assert entry.state is State.CONFIRMED
    assert entry.note == "altered: valueQuantity.value: wrote 61, read 7"


def test_several_copies_are_told(desk: Desk) -> None:
    for number in (1, 2):
        desk.ehr.put(rate() | {"id": f"copy{number}"})
    desk.ehr.script = only("POST", told(412, "multiple-matches"))
    desk.submit()
    desk.deliver()
    entry = desk.entry()
    assert entry.state is State.CONFIRMED
    assert entry.note == "the EHR has it 2 times"
    assert posts(desk) == 1


def test_a_condition_that_is_refused_where_nothing_matches_is_not_sent_again(desk: Desk) -> None:
    def script(request: Request) -> Response | None:
        conditional = request.headers.get("If-None-Exist") is not None
        return told(412, "not-supported") if conditional else None

    desk.ehr.script = script
    desk.submit()
    desk.deliver()
    assert desk.entry().state is State.CONFIRMED
    assert posts(desk) == 2


def test_entries_of_a_batch_stand_each_for_itself(desk: Desk) -> None:
    desk.spec = WritesSpec(batch=4)
    for number, patient in enumerate("abcd", 1):
        desk.submit(number, patient)
    desk.ehr.events = ["well", "well", "429", "400", "409"]
    desk.deliver()
    assert desk.states() == [State.CONFIRMED, State.CONFIRMED, State.DEAD, State.CONFIRMED]
    assert len(desk.ehr.resources) == 3
    assert desk.ehr.asked[1] == "POST "


def test_a_batch_that_is_not_offered_is_sent_one_by_one(desk: Desk) -> None:
    desk.spec = WritesSpec(batch=4)
    for number, patient in enumerate("abcd", 1):
        desk.submit(number, patient)
    first = [told(405, "not-supported")]

    def script(request: Request) -> Response | None:
        return first.pop() if first and request.method == "POST" else None

    desk.ehr.script = script
    desk.deliver()
    assert desk.states() == [State.CONFIRMED] * 4


def test_a_batch_whose_answer_is_lost_is_looked_for_entry_by_entry(desk: Desk) -> None:
    desk.spec = WritesSpec(batch=4)
    for number, patient in enumerate("abcd", 1):
        desk.submit(number, patient)
    desk.ehr.events = ["lost-after"]
    desk.deliver()
    assert desk.states() == [State.CONFIRMED] * 4
    assert len(desk.ehr.resources) == 4


# -- changes


def confirmed(desk: Desk) -> None:
    desk.submit()
    desk.deliver()
    assert desk.entry().state is State.CONFIRMED


def correction(desk: Desk, value: int) -> int:
    latest = desk.box.latest_of(1)
    assert latest is not None
    draft = to_correct(desk.entry(1), latest, rate(value=value))
    return desk.box.put(draft, desk.clock.now())[0].id


def test_a_correction_is_put_under_its_version(desk: Desk) -> None:
    confirmed(desk)
    id_ = correction(desk, 99)
    desk.deliver()
    assert (desk.entry(id_).state, desk.entry(id_).version) == (State.CONFIRMED, "2")
    stored = desk.ehr.resources["o1"]
    assert (stored["valueQuantity"]["value"], stored["status"]) == (99, "corrected")
    put = next(each for each in desk.ehr.sent if each.method == "PUT")
    assert put.headers.get("If-Match") == 'W/"1"'


def test_a_correction_may_be_queued_before_what_it_corrects_was_sent(desk: Desk) -> None:
    desk.submit()
    id_ = correction(desk, 99)
    desk.deliver()
    assert desk.entry(id_).state is State.CONFIRMED
    assert desk.ehr.resources["o1"]["valueQuantity"]["value"] == 99


def test_a_correction_of_what_died_dies_too(desk: Desk) -> None:
    desk.ehr.script = only("POST", told(422, "invalid"))
    desk.submit()
    id_ = correction(desk, 99)
    desk.deliver()
    assert desk.entry(id_).error == "entry 1, which it changes, was not written"


def test_a_retraction_changes_nothing_but_the_status(desk: Desk) -> None:
    confirmed(desk)
    before = desk.ehr.resources["o1"]
    desk.box.put(to_retract(desk.entry()), desk.clock.now())
    desk.deliver()
    after = desk.ehr.resources["o1"]
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"status", "meta"}
    assert after["status"] == "entered-in-error"


def test_a_change_of_others_is_kept_where_it_touches_something_else(desk: Desk) -> None:
    confirmed(desk)
    desk.ehr.put(desk.ehr.resources["o1"] | {"note": [{"text": "seen"}]})
    id_ = correction(desk, 99)
    desk.deliver()
    assert desk.entry(id_).state is State.CONFIRMED
    stored = desk.ehr.resources["o1"]
    assert (stored["note"], stored["valueQuantity"]["value"]) == ([{"text": "seen"}], 99)


def test_a_change_of_others_that_touches_the_same_is_not_overwritten(desk: Desk) -> None:
    confirmed(desk)
    theirs = desk.ehr.resources["o1"]["valueQuantity"] | {"value": 50}
    desk.ehr.put(desk.ehr.resources["o1"] | {"valueQuantity": theirs})
    id_ = correction(desk, 99)
    desk.deliver()
    entry = desk.entry(id_)
    assert entry.state is State.DEAD
    assert entry.error == (
        "based on version entry 1, the EHR has version 2: both change valueQuantity"
    )
    assert desk.ehr.resources["o1"]["valueQuantity"]["value"] == 50


def test_a_change_between_read_and_put_is_merged_as_well(desk: Desk) -> None:
    confirmed(desk)
    struck: list[int] = []

    def script(request: Request) -> Response | None:
        if request.method == "PUT" and not struck:
            struck.append(1)
            desk.ehr.put(desk.ehr.resources["o1"] | {"note": [{"text": "seen"}]})
        return None

    desk.ehr.script = script
    id_ = correction(desk, 99)
    desk.deliver()
    assert desk.entry(id_).state is State.CONFIRMED
    assert desk.ehr.resources["o1"]["note"] == [{"text": "seen"}]
    assert desk.ehr.resources["o1"]["meta"]["versionId"] == "3"


@pytest.mark.parametrize("wanted", ['"1"', 'W/"1"'])
def test_an_etag_is_tried_in_both_spellings(desk: Desk, wanted: str) -> None:
    confirmed(desk)

    def script(request: Request) -> Response | None:
        if request.method != "PUT" or request.headers.get("If-Match") == wanted:
            return None
        return told(412, "conflict")

    desk.ehr.script = script
    id_ = correction(desk, 99)
    desk.deliver()
    assert desk.entry(id_).state is State.CONFIRMED


@pytest.mark.parametrize("event", ["lost-after", "lost-before", "500-after", "503", "crash-after"])
def test_a_correction_whose_answer_is_lost_is_done_once(desk: Desk, event: str) -> None:
    confirmed(desk)
    id_ = correction(desk, 99)
    desk.ehr.events = [event]
    desk.deliver()
    desk.deliver()
    assert desk.entry(id_).state is State.CONFIRMED
    assert desk.ehr.resources["o1"]["meta"]["versionId"] == "2"


def test_a_resource_that_is_gone_cannot_be_changed(desk: Desk) -> None:
    confirmed(desk)
    del desk.ehr.resources["o1"]
    id_ = correction(desk, 99)
    desk.deliver()
    assert (desk.entry(id_).state, desk.entry(id_).status) == (State.DEAD, 404)


def test_what_was_read_from_the_ehr_is_changed_from_its_version_on(desk: Desk) -> None:
    confirmed(desk)
    read = desk.ehr.resources["o1"]
    desk.ehr.put(read | {"note": [{"text": "seen"}]})
    wanted = read | {"valueQuantity": read["valueQuantity"] | {"value": 99}}
    id_ = desk.box.put(to_update(wanted), desk.clock.now())[0].id
    desk.deliver()
    assert desk.entry(id_).state is State.CONFIRMED
    stored = desk.ehr.resources["o1"]
    assert (stored["note"], stored["valueQuantity"]["value"]) == ([{"text": "seen"}], 99)


# -- the dead-letter list


def test_a_dead_write_is_taken_up_again_and_looked_for_first(desk: Desk) -> None:
    desk.ehr.script = only("POST", told(403, "forbidden"), times=1)
    desk.submit()
    desk.deliver()
    assert desk.box.retry(1, desk.clock.now()).state is State.UNCERTAIN
    desk.deliver()
    assert desk.entry().state is State.CONFIRMED


def test_only_what_never_went_out_or_is_dead_can_be_dropped(desk: Desk) -> None:
    desk.submit(1)
    desk.box.drop(1)
    assert desk.box.entry(1) is None
    desk.submit(2)
    desk.deliver()
    with pytest.raises(UsageError, match="it is confirmed"):
        desk.box.drop(desk.box.entries([State.CONFIRMED])[0].id)


def test_a_token_that_an_ehr_echoes_is_not_kept() -> None:
    fields = Headers((("Authorization", "Bearer s3cr3t-token"),))
    request = Request("POST", "https://ehr.example/fhir/Observation", fields)
    outcome = told(403, "forbidden", "the token s3cr3t-token may not write")
    exchange = Exchange(1, "act", request, outcome, NOON, 0.0)
    assert "s3cr3t" not in _hidden(said(exchange), exchange)


def test_what_is_told_of_real_data_is_codes_alone() -> None:
    words = "status 400: fatal business-rule [59188]: no row for John Doe (MRN 7)"
    assert in_codes(words) == "status 400 fatal business-rule [59188]"
    altered = (
        "altered: valueQuantity.value: wrote 72, read 71; note[John]: wrote 'John', read nothing"
    )
    assert in_codes(altered) == "altered: valueQuantity.value, note"
    assert in_codes("the EHR has it 2 times") == "the EHR has it 2 times"
