from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.config.ehr import Limits
from harness.errors import OAuthError, Throttled
from harness.http.exchange import Request, Response
from harness.http.transport import NoAnswerError
from harness.sync.asking.strategy import Plan, Way
from harness.sync.model import Counts, Query
from harness.sync.store.store import LeaseLost
from harness.tests.unit.sync.conftest import NOON, Bench
from harness.tests.unit.sync.fake_ehr import BASE, bundle, outcome

HOUR = timedelta(hours=1)
DAYS = timedelta(days=30)


def fill(bench: Bench, observations: int = 5, patients: tuple[str, ...] = ("p", "q")) -> None:
    for patient in patients:
        bench.ehr.put("Patient", patient, patient, NOON - DAYS)
        for number in range(observations):
            at = NOON - DAYS + HOUR * number
            bench.ehr.put("Observation", f"{patient}-{number}", patient, at)


def nth(number: int, answer: object) -> Callable[[Request], object]:
    """A script that answers the request number `number`, counted from 1, and no other."""
    seen = 0

    def script(_request: Request) -> object:
        nonlocal seen
        seen += 1
        return answer if seen == number else None

    return script


def on(part: str, answer: object) -> Callable[[Request], object]:
    """A script that answers every request whose URL contains `part`."""
    return lambda request: answer if part in request.url else None


def test_a_first_sync_brings_everything(bench: Bench) -> None:
    fill(bench)
    done = bench.sync()
    assert bench.stored() == bench.ehr.truth()
    assert (done.gaps, done.stopped) == ([], None)
    assert done.counts == Counts(new=12, pages=8)
    assert bench.store.cursors() == {}


def test_a_second_sync_asks_once_per_query_and_fetches_only_what_is_new(bench: Bench) -> None:
    fill(bench)
    bench.sync()
    bench.clock.advance_to(NOON + 2 * DAYS)
    bench.sync()
    bench.ehr.put("Observation", "p-new", "p", bench.clock.now())
    bench.ehr.put("Observation", "q-1", "q", bench.clock.now(), status="amended")
    bench.clock.advance(3600)
    done = bench.sync()
    assert done.counts == Counts(new=1, changed=1, pages=4)
    assert bench.meter.requests == 4
    assert bench.stored() == bench.ehr.truth()


def test_every_patient_gets_something_before_any_gets_everything(bench: Bench) -> None:
    fill(bench)
    bench.sync()
    firsts = [query for query in bench.ehr.asked if "_getpages" not in query]
    assert bench.ehr.asked[: len(firsts)] == firsts
    assert ["patient=p" in query or "_id=p" in query for query in firsts] == [
        True,
        False,
        True,
        False,
    ]


def test_further_pages_are_read_batch_by_batch(bench: Bench) -> None:
    fill(bench)
    bench.batch_size = 1
    bench.sync()
    further = [bench.ehr.owner_of(query) for query in bench.ehr.asked if "_getpages" in query]
    assert further == ["p", "p", "q", "q"]
    assert bench.stored() == bench.ehr.truth()


def test_a_budget_of_one_page_for_each_gives_each_a_page(bench: Bench) -> None:
    bench.types, bench.batch_size, bench.concurrency = ("Observation",), 20, 4
    bench.patients = tuple(f"p{number:04}" for number in range(1000))
    bench.limits = Limits(requests_per_second=100.0, concurrency=8, per_day=1000)
    bench.ehr.page_size = 1
    for patient in bench.patients:
        for number in range(2):
            bench.ehr.put("Observation", f"{patient}-{number}", patient, NOON - DAYS)
    done = bench.sync()
    assert "the day's budget" in (done.stopped or "")
    served = {id_.partition("-")[0] for _, id_ in bench.stored()}
    assert len(served) == done.counts.pages > 900, "nobody has two pages while others have none"
    assert {gap.query.patient for gap in done.gaps} == set(bench.patients)


def test_those_not_reached_last_time_are_served_first(bench: Bench) -> None:
    fill(bench)
    bench.types = ("Observation",)
    bench.ehr.script = nth(2, bench.ehr.outcome(429, "throttled", Retry_After="600"))
    assert bench.sync().stopped == "the EHR asks to wait 600 s"
    bench.ehr.script = on("patient=p", bench.ehr.outcome(403, "forbidden"))
    bench.sync()
    bench.ehr.asked.clear()
    bench.ehr.script = lambda _request: None
    bench.sync()
    assert "patient=p" in bench.ehr.asked[0], "q is complete, p never was"
    assert {k: v for k, v in bench.ehr.truth().items() if k[0] == "Observation"} == bench.stored()


def test_what_changes_while_paging_is_asked_for_again(bench: Bench) -> None:
    fill(bench, patients=("p",))
    bench.patients = ("p",)

    def change(request: Request) -> None:
        bench.clock.advance(1)
        if "_getpages" in request.url:
            bench.ehr.put("Observation", "p-0", "p", bench.clock.now(), status="amended")

    bench.ehr.script = change
    bench.sync()
    assert bench.stored() != bench.ehr.truth()
    bench.ehr.script = lambda _request: None
    bench.clock.advance(3600)
    assert bench.sync().counts.changed == 1
    assert bench.stored() == bench.ehr.truth()


def test_rows_that_become_visible_late_are_caught_by_the_overlap(bench: Bench) -> None:
    fill(bench)
    bench.ehr.put("Observation", "p-newest", "p", NOON)
    bench.sync()
    bench.ehr.put("Observation", "p-late", "p", NOON - timedelta(minutes=2))
    bench.clock.advance(3600)
    assert bench.sync().counts.new == 1
    assert bench.stored() == bench.ehr.truth()


def test_rows_that_a_stale_replica_held_back_for_hours_are_caught(bench: Bench) -> None:
    bench.patients, bench.types = ("p",), ("Observation",)
    bench.ehr.put("Observation", "p-old", "p", NOON - timedelta(hours=20))
    bench.sync()
    bench.ehr.put("Observation", "p-late", "p", NOON - timedelta(hours=19))
    bench.clock.advance(3600)
    assert bench.sync().counts.new == 1
    assert bench.stored() == bench.ehr.truth()


@pytest.mark.parametrize("cut", [10, 19])
def test_stamps_that_are_cut_to_seconds_or_days_lose_nothing(bench: Bench, cut: int) -> None:
    bench.patients, bench.types = ("p",), ("Observation",)
    for number in range(30):
        at = bench.clock.now()
        made = bench.ehr.put("Observation", f"p-{number}", "p", at)
        stamp = made["meta"]["lastUpdated"][:cut]
        made["meta"]["lastUpdated"] = f"{stamp}Z" if cut > 10 else f"{stamp}T00:00:00Z"
        bench.sync()
        bench.clock.advance(7200)
        assert bench.stored() == bench.ehr.truth()


def test_rows_of_one_instant_that_come_one_after_the_other_are_all_found(bench: Bench) -> None:
    bench.patients, bench.types = ("p",), ("Observation",)
    bench.ehr.put("Observation", "p-1", "p", NOON)
    bench.sync()
    bench.ehr.put("Observation", "p-2", "p", NOON)
    bench.sync()
    assert bench.stored() == bench.ehr.truth()


def test_a_stamp_from_the_future_does_not_hide_what_follows(bench: Bench) -> None:
    fill(bench)
    bench.ehr.put("Observation", "p-odd", "p", NOON + 2 * DAYS)
    bench.sync()
    bench.clock.advance(3600)
    bench.ehr.put("Observation", "p-next", "p", bench.clock.now())
    bench.clock.advance(3600)
    bench.sync()
    assert bench.stored() == bench.ehr.truth()


def test_an_expired_paging_session_starts_its_query_again(bench: Bench) -> None:
    fill(bench)

    def forget(request: Request) -> None:
        if "_getpages" in request.url:
            bench.ehr.forget_sessions()
            bench.ehr.script = lambda _request: None

    bench.ehr.script = forget
    done = bench.sync()
    assert done.gaps == []
    assert bench.stored() == bench.ehr.truth()


@pytest.mark.parametrize("status", [400, 404, 410])
def test_a_session_that_keeps_expiring_leaves_a_gap_and_no_watermark(
    bench: Bench, status: int
) -> None:
    fill(bench)
    bench.ehr.script = on("_getpages", bench.ehr.outcome(status, "not-found"))
    done = bench.sync()
    assert [gap.query for gap in done.gaps] == [
        Query("p", "Observation"),
        Query("q", "Observation"),
    ]
    assert "expired" in done.gaps[0].reason
    assert bench.store.watermark(Query("p", "Observation")) is None
    assert bench.store.cursors() == {}


def test_an_epic_session_code_inside_a_200_starts_again_too(bench: Bench) -> None:
    fill(bench)
    gone = bench.ehr.response(200, outcome("fatal", "processing", "4113"))
    bench.ehr.script = nth(5, gone)
    assert bench.sync().gaps == []
    assert bench.stored() == bench.ehr.truth()


@pytest.mark.parametrize("status", [400, 403, 404, 500, 501])
def test_a_type_that_is_refused_for_one_patient_does_not_stop_the_rest(
    bench: Bench, status: int
) -> None:
    fill(bench)
    refusal = bench.ehr.outcome(status, "forbidden")
    bench.ehr.script = on("Observation?patient=p", refusal)
    done = bench.sync()
    assert [(gap.query, gap.reason) for gap in done.gaps] == [
        (Query("p", "Observation"), f"status {status}: error forbidden")
    ]
    assert len(bench.stored()) == 7


def test_a_reason_holds_codes_and_no_free_text(bench: Bench) -> None:
    fill(bench)
    issue = {"severity": "error", "code": "forbidden", "diagnostics": "no access to Jane Doe"}
    body = {"resourceType": "OperationOutcome", "issue": [issue]}
    bench.ehr.script = on("patient=p", bench.ehr.response(403, body))
    assert bench.sync().gaps[0].reason == "status 403: error forbidden"


def test_outcomes_among_the_matches_are_notes(bench: Bench) -> None:
    bench.patients, bench.types = ("p",), ("Observation",)
    note = {"resource": outcome("warning", "not-found", "4101"), "search": {"mode": "outcome"}}
    bench.ehr.script = nth(1, bench.ehr.response(200, bundle([note])))
    done = bench.sync()
    assert done.notes == {("Observation", "warning not-found (4101)"): 1}
    assert (done.gaps, done.counts) == ([], Counts(pages=1))


def test_a_200_that_is_no_bundle_is_a_gap(bench: Bench) -> None:
    fill(bench)
    html = Response(200, bench.ehr.response(200, {}).headers, b"<html>maintenance</html>")
    bench.ehr.script = on("Observation?patient=p", html)
    done = bench.sync()
    assert "expected JSON" in done.gaps[0].reason
    assert bench.store.watermark(Query("p", "Observation")) is None


def test_resources_of_another_patient_are_not_stored(bench: Bench) -> None:
    fill(bench)
    everything = [
        {"resource": each} for (t, _), each in bench.ehr.current.items() if t != "Patient"
    ]
    answer = bench.ehr.response(200, bundle(everything))
    bench.ehr.script = on("Observation?patient=p", answer)
    done = bench.sync()
    assert done.gaps[0].reason == "5 entries belong to another patient; they were not stored"
    assert bench.store.watermark(Query("p", "Observation")) is None


def test_next_links_that_go_round_are_noticed(bench: Bench) -> None:
    bench.patients, bench.types = ("p",), ("Observation",)

    def circle(request: Request) -> Response:
        other = "b" if request.url.endswith("a") else "a"
        links = [{"relation": "next", "url": f"{BASE}?_getpages={other}"}]
        row = {"resource": {"resourceType": "Observation", "id": "1"}}
        return bench.ehr.response(200, bundle([row], links))

    bench.ehr.script = circle
    done = bench.sync()
    assert done.gaps[0].reason == "the next links go round in a circle"
    assert bench.meter.requests == 4, "a page more than the circle has"
    assert bench.store.cursors() == {}


def test_empty_pages_without_end_are_noticed_and_a_few_are_not(bench: Bench) -> None:
    bench.patients, bench.types = ("p",), ("Observation",)
    pages = 0
    last = 5

    def empty(_request: Request) -> Response:
        nonlocal pages
        pages += 1
        links = [{"relation": "next", "url": f"{BASE}?_getpages={pages}"}] if pages < last else []
        return bench.ehr.response(200, bundle([], links))

    bench.ehr.script = empty
    assert bench.sync().gaps == []
    last, pages = 10_000, 10
    assert "10 empty pages in a row" in bench.sync().gaps[0].reason


def test_a_relative_next_link_is_followed(bench: Bench) -> None:
    bench.patients, bench.types = ("p",), ("Observation",)
    links = [{"relation": "next", "url": "/fhir/Observation?patient=p"}]
    bench.ehr.script = nth(1, bench.ehr.response(200, bundle([], links)))
    fill(bench, 1)
    assert bench.sync().gaps == []
    assert bench.ehr.asked[-1] == "/fhir/Observation?patient=p"


def test_a_short_retry_after_is_honoured(bench: Bench) -> None:
    fill(bench)
    bench.ehr.script = nth(2, bench.ehr.outcome(429, "throttled", Retry_After="7"))
    done = bench.sync()
    assert (done.gaps, done.stopped) == ([], None)
    assert any(7.0 <= each < 8.0 for each in bench.clock.slept)
    assert bench.meter.refusals == 1
    assert bench.stored() == bench.ehr.truth()


def test_a_retry_after_longer_than_the_run_may_wait_leaves_the_rest_with_a_time(
    bench: Bench,
) -> None:
    fill(bench)
    bench.ehr.script = nth(3, bench.ehr.outcome(429, "throttled", Retry_After="18000"))
    done = bench.sync()
    assert done.stopped == "the EHR asks to wait 18000 s"
    assert done.come_back == bench.clock.now() + timedelta(seconds=18000)
    assert len(done.gaps) == 2
    assert bench.meter.requests == 3


def test_patients_of_later_batches_are_named_as_missing(bench: Bench) -> None:
    fill(bench)
    bench.batch_size = 1
    bench.ehr.script = nth(1, bench.ehr.outcome(503, "transient", Retry_After="3600"))
    done = bench.sync()
    assert {gap.query for gap in done.gaps} == {
        Query(patient, type_) for patient in "pq" for type_ in ("Patient", "Observation")
    }
    assert bench.meter.requests == 1


def test_refusals_without_a_hint_pause_the_host_and_in_the_end_stop_the_run(bench: Bench) -> None:
    fill(bench)
    bench.ehr.script = lambda _request: bench.ehr.outcome(429, "throttled")
    done = bench.sync()
    assert done.stopped == "the EHR keeps refusing for load"
    assert done.come_back == bench.clock.now() + HOUR
    assert bench.clock.monotonic() >= 120.0
    assert bench.meter.requests <= 12, "it waits for the turn of the minute instead of knocking"


def test_a_block_until_the_minute_turns_is_sat_out(bench: Bench) -> None:
    fill(bench)
    blocked_until = bench.clock.now() + timedelta(seconds=45)
    refusal = bench.ehr.outcome(429, "throttled")
    bench.ehr.script = lambda _request: refusal if bench.clock.now() < blocked_until else None
    assert bench.sync().gaps == []
    assert bench.stored() == bench.ehr.truth()


def test_an_ehr_that_is_down_is_not_asked_for_every_patient(bench: Bench) -> None:
    bench.patients = tuple(f"p{number}" for number in range(20))
    bench.ehr.script = lambda _request: NoAnswerError("refused", "connection refused")
    done = bench.sync()
    assert done.stopped is not None
    assert "does not answer" in done.stopped
    assert len(done.gaps) == 40
    assert bench.meter.requests == 9


def test_a_blip_is_a_gap_and_the_next_run_closes_it(bench: Bench) -> None:
    fill(bench)
    bench.ehr.script = on("Observation?patient=p", NoAnswerError("timeout", "no answer in 60 s"))
    done = bench.sync()
    assert [gap.query for gap in done.gaps] == [Query("p", "Observation")]
    bench.ehr.script = lambda _request: None
    assert bench.sync().gaps == []
    assert bench.stored() == bench.ehr.truth()


@pytest.mark.parametrize(
    ("error", "stopped"),
    [(OAuthError("invalid_grant"), None), (Throttled("no", retry_after=300.0), "no")],
)
def test_a_grant_that_is_gone_is_not_tried_again(
    bench: Bench, error: Exception, stopped: str | None
) -> None:
    bench.ehr.script = nth(1, error)
    bench.concurrency = 1
    done = bench.sync()
    assert done.stopped == stopped
    assert len(done.gaps) == 4
    assert len(bench.ehr.asked) == 1


def test_after_a_kill_the_next_run_goes_on_at_the_committed_page(bench: Bench) -> None:
    fill(bench, 7, ("p",))
    bench.patients, bench.types = ("p",), ("Observation",)
    bench.ehr.script = nth(3, KeyboardInterrupt())
    with pytest.raises(BaseException):  # noqa: B017, PT011 - as a kill: nothing may depend on it
        bench.sync()
    assert len(bench.stored()) == 4
    bench.ehr.asked.clear()
    bench.ehr.script = lambda _request: None
    done = bench.sync()
    *resumed, again = bench.ehr.asked
    assert all("_getpages" in query for query in resumed)
    assert "_lastUpdated=ge" in again
    assert (done.counts.new, done.counts.pages) == (3, 3)
    assert {k: v for k, v in bench.ehr.truth().items() if k[0] == "Observation"} == bench.stored()


def test_a_page_that_an_earlier_run_stopped_at_starts_again(bench: Bench) -> None:
    fill(bench)
    bench.ehr.script = on("_getpages", bench.ehr.outcome(500, "exception"))
    assert len(bench.sync().gaps) == 2
    assert len(bench.store.cursors()) == 2
    bench.ehr.forget_sessions()
    seen: list[str] = []

    def once(request: Request) -> Response | None:
        if "_getpages" not in request.url or len(seen) == 2:
            return None
        seen.append(request.url)
        return bench.ehr.outcome(500, "exception")

    bench.ehr.script = once
    assert bench.sync().gaps == []
    assert bench.stored() == bench.ehr.truth()


def test_a_run_whose_lease_was_taken_over_ends_and_writes_nothing_more(bench: Bench) -> None:
    fill(bench)

    def steal(_request: Request) -> None:
        if len(bench.ehr.asked) == 3:
            bench.lease()

    bench.ehr.script = steal
    with pytest.raises(LeaseLost):
        bench.sync()
    assert len(bench.stored()) == 2
    assert len(bench.ehr.asked) == 3


def test_a_run_told_to_stop_finishes_its_page(bench: Bench) -> None:
    fill(bench)

    def stop(_request: Request) -> None:
        if len(bench.ehr.asked) == 5:
            bench.pull.stop("told to stop")

    bench.ehr.script = stop
    done = bench.sync()
    assert len(bench.ehr.asked) == 5
    assert done.counts.pages == 5
    assert {gap.reason for gap in done.gaps} == {"not asked to its end: told to stop"}
    bench.ehr.script = lambda _request: None
    assert bench.sync().gaps == []
    assert bench.stored() == bench.ehr.truth()


def test_observations_are_asked_for_by_category_where_the_ehr_demands_one(bench: Bench) -> None:
    bench.plan = Plan(timedelta(minutes=5), {"Observation": Way(parts=("lab", "vital-signs"))})
    bench.types = ("Observation",)
    bench.ehr.put("Observation", "1", "p", NOON - DAYS, category="lab")
    bench.ehr.put("Observation", "2", "p", NOON - DAYS, category="vital-signs")
    bench.sync()
    assert bench.stored() == bench.ehr.truth()
    assert {mark.query.part for mark in bench.store.watermarks()} == {"lab", "vital-signs"}


@pytest.mark.parametrize("concurrency", [2, 5, 16])
def test_concurrent_workers_bring_the_same(bench: Bench, concurrency: int) -> None:
    bench.concurrency = concurrency
    bench.patients = tuple(f"p{number}" for number in range(6))
    fill(bench, 7, bench.patients)
    assert bench.sync().gaps == []
    assert bench.stored() == bench.ehr.truth()


class Killed(BaseException):
    """What no code of the harness may catch, as it cannot catch being killed."""


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_goes_wrong_the_last_run_has_everything(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Random kills, refusals, expiries and changes; then one quiet run: nothing lost or twice."""
    bench = Bench(tmp_path_factory.mktemp("private") / "store.sqlite")
    bench.plan = Plan(timedelta(minutes=5))
    fill(bench)
    answers = {
        "fine": None,
        "kill": Killed(),
        "busy": bench.ehr.outcome(429, "throttled", Retry_After="1"),
        "later": bench.ehr.outcome(429, "throttled", Retry_After="9999"),
        "error": bench.ehr.outcome(500, "exception"),
        "forbidden": bench.ehr.outcome(403, "forbidden"),
    }

    def chance(_request: Request) -> object:
        bench.clock.advance(data.draw(st.integers(0, 400)))
        what = data.draw(st.sampled_from([*answers, "fine", "forget", "change", "add"]))
        number = data.draw(st.integers(0, 4))
        if what == "forget":
            bench.ehr.forget_sessions()
        if what == "change":
            bench.ehr.put("Observation", f"p-{number}", "p", bench.clock.now(), n=number)
        if what == "add":
            bench.ehr.put("Observation", f"q-x{number}", "q", bench.clock.now())
        return answers.get(what)

    for _ in range(4):
        bench.ehr.script = chance
        try:
            bench.sync()
        except BaseException as error:  # as a kill: nothing may depend on it
            if not isinstance(error, (Killed, BaseExceptionGroup)):
                raise
    bench.ehr.script = lambda _request: None
    assert bench.sync().gaps == []
    assert bench.stored() == bench.ehr.truth()
    versions = bench.store.connection.execute("SELECT type, id, hash FROM versions").fetchall()
    assert len({tuple(row) for row in versions}) == len(versions)
    bench.store.close()


def test_a_page_size_is_asked_for_and_not_relied_on(bench: Bench) -> None:
    fill(bench)
    bench.plan = replace(bench.plan, page_size=1)
    bench.sync()
    assert "_count=1" in bench.ehr.asked[0]
    assert bench.stored() == bench.ehr.truth()


def test_bodies_are_stored_as_they_came(bench: Bench) -> None:
    bench.patients, bench.types = ("p",), ("Observation",)
    raw = b'{ "resourceType" : "Observation", "id":"1", "v": 1.50 }'
    body = b'{"resourceType":"Bundle", "entry": [ {"resource":' + raw + b"} ]}"
    headers = bench.ehr.response(200, {}).headers
    bench.ehr.script = nth(1, Response(200, headers, body))
    bench.sync()
    assert bench.store.body("Observation", "1") == raw
    assert json.loads(raw)["id"] == "1"
