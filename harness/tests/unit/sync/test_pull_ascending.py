"""A query with more pages than a run may ask for, at an EHR that forgets searches in between."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from harness.config.ehr import Limits, Strategy
from harness.http.exchange import Request, Response
from harness.sync.asking.learnt import recall, remember_outcome
from harness.sync.asking.strategy import Plan, Way
from harness.sync.model import Query, Received
from harness.sync.order import NEVER, Outcome
from harness.sync.pull.ascending import reached
from harness.tests.unit.sync.conftest import NOON, Bench
from harness.tests.unit.sync.fake_ehr import Resource, by_last_updated, encoded

HOUR = timedelta(hours=1)
ROWS = 60
PAGES = 30
QUERY = Query("p", "Observation")


def fill(bench: Bench) -> None:
    bench.patients, bench.types = ("p",), ("Observation",)
    for number in range(ROWS):
        at = NOON - timedelta(days=90) + HOUR * (number * 7 % ROWS)  # no order by id
        bench.ehr.put("Observation", f"o-{number:02}", "p", at)


def day(bench: Bench, budget: int = 12) -> Outcome:
    """One day's run; the EHR forgets its searches before it, and what is learnt is kept."""
    bench.ehr.forget_sessions()
    bench.limits = Limits(requests_per_second=50.0, burst=50, per_day=budget)
    done = bench.sync()
    remember_outcome(bench.store, bench.lease(), done, bench.clock.now())
    orders = recall(bench.store, bench.clock.now()).orders
    bench.plan = replace(bench.plan, orders=orders)
    bench.clock.advance(24 * 3600)
    return done


def days(bench: Bench, budget: int = 12, most: int = 20) -> list[Outcome]:
    done = [day(bench, budget)]
    while done[-1].gaps and len(done) < most:
        done.append(day(bench, budget))
    return done


def test_a_query_larger_than_a_days_budget_is_completed_where_sessions_expire(
    bench: Bench,
) -> None:
    fill(bench)
    bench.ehr.order = by_last_updated
    done = days(bench)
    assert done[-1].gaps == []
    assert len(done) < 6
    assert bench.stored() == bench.ehr.truth()
    pages = sum(each.counts.pages for each in done)
    assert pages <= PAGES + 12 + 2 * len(done), "the first day's pages twice, then each once"


def test_what_came_in_pieces_is_not_taken_for_a_whole_listing(bench: Bench) -> None:
    fill(bench)
    bench.ehr.order = by_last_updated
    done = days(bench)
    assert not any(each.whole for each in done)
    known = bench.store.watermark(QUERY)
    assert known is not None
    assert known.full is None


def test_what_changes_between_the_pieces_is_stored_as_it_is_in_the_end(bench: Bench) -> None:
    fill(bench)
    bench.ehr.order = by_last_updated
    for number in range(20):
        bench.ehr.put("Observation", f"o-{number * 3:02}", "p", bench.clock.now(), day=number)
        bench.ehr.put("Observation", f"new-{number}", "p", bench.clock.now())
        if not day(bench).gaps and number > 8:
            break
    else:
        pytest.fail("it never ended")
    assert bench.stored() == bench.ehr.truth()


def test_a_change_that_is_shown_in_its_old_place_does_not_hide_what_stands_behind_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list of ids is kept, as HAPI does; the versions are those of the moment."""
    fill(bench)
    bench.ehr.order = by_last_updated
    show, begun = bench.ehr._page, 0

    def current(session: str, at: int) -> Response:
        ids = [json.loads(each)["id"] for each in bench.ehr._sessions[session]]
        if len(bench.ehr.asked) - begun == 12:
            last = ids[min(at + 1, len(ids) - 1)]
            bench.ehr.put("Observation", last, "p", bench.clock.now(), day=begun)
        bench.ehr._sessions[session] = [
            encoded(bench.ehr.current["Observation", each]) for each in ids
        ]
        return show(session, at)

    monkeypatch.setattr(bench.ehr, "_page", current)
    while day(bench).gaps:
        begun = len(bench.ehr.asked)
        assert begun < 100
    assert bench.plan.orders["Observation"] is True
    assert bench.stored() == bench.ehr.truth()


def test_an_ehr_that_ignores_the_order_is_asked_from_the_start_each_time(bench: Bench) -> None:
    fill(bench)
    assert days(bench, most=4)[-1].gaps
    assert "Observation" not in bench.plan.orders
    assert days(bench, budget=40, most=2)[-1].gaps == []
    assert bench.stored() == bench.ehr.truth()


def test_an_ehr_that_refuses_an_order_is_asked_for_none_any_more(bench: Bench) -> None:
    fill(bench)
    bench.ehr.order = lambda _rows, _by: None
    days(bench, most=4)
    assert bench.plan.orders["Observation"] is False
    assert sum("_sort" in each for each in bench.ehr.asked) == 1
    assert days(bench, budget=40, most=2)[-1].gaps == []
    assert bench.stored() == bench.ehr.truth()


def test_an_order_that_comes_to_be_refused_is_left_out(bench: Bench) -> None:
    fill(bench)
    bench.ehr.order = by_last_updated
    day(bench), day(bench)
    assert bench.plan.orders["Observation"] is True
    bench.ehr.order = lambda _rows, _by: None
    assert days(bench, budget=50, most=2)[-1].gaps == []
    assert bench.plan.orders["Observation"] is False
    assert bench.stored() == bench.ehr.truth()


@pytest.mark.parametrize("at", [3, 15, 40, ROWS - 1])
def test_an_order_that_is_broken_once_is_trusted_no_more_and_loses_nothing(
    bench: Bench, at: int
) -> None:
    fill(bench)

    def broken(rows: list[Resource], by: str) -> list[Resource]:
        ordered = by_last_updated(rows, by)
        return ordered[:at] + ordered[at:][::-1] if len(ordered) > at + 1 else ordered[::-1]

    bench.ehr.order = by_last_updated
    day(bench), day(bench)
    bench.ehr.order = broken
    days(bench, budget=15, most=3)
    assert bench.plan.orders["Observation"] is False
    assert days(bench, budget=80, most=2)[-1].gaps == []
    assert bench.stored() == bench.ehr.truth()


def test_a_search_by_clinical_date_is_not_sorted(bench: Bench) -> None:
    fill(bench)
    bench.ehr.order = by_last_updated
    bench.plan = Plan(timedelta(minutes=5), {"Observation": Way(Strategy.DATE_WINDOW, date="date")})
    days(bench, most=3)
    assert not any("_sort" in each for each in bench.ehr.asked)


def test_an_ehr_whose_next_links_last_is_asked_for_no_order(bench: Bench) -> None:
    """Its links may count matches anew for each page: what changes would move others out of it."""
    fill(bench)
    bench.ehr.order = by_last_updated
    bench.limits = Limits(requests_per_second=50.0, burst=50, per_day=12)
    while bench.sync().gaps:
        bench.clock.advance(24 * 3600)
    assert bench.stored() == bench.ehr.truth()
    assert not any("_sort" in each for each in bench.ehr.asked)


def test_an_order_within_each_page_alone_is_none(bench: Bench) -> None:
    fill(bench)

    def within(rows: list[Resource], by: str) -> list[Resource]:
        size = bench.ehr.page_size
        parts = [rows[at : at + size] for at in range(0, len(rows), size)]
        return [row for part in parts for row in by_last_updated(part, by)]

    bench.ehr.order = within
    days(bench, most=3)
    assert "Observation" not in bench.plan.orders


def test_an_ehr_that_begins_to_ignore_the_order_loses_nothing_by_it(bench: Bench) -> None:
    fill(bench)
    bench.ehr.order = by_last_updated
    day(bench), day(bench)
    assert bench.plan.orders["Observation"] is True
    bench.ehr.order = lambda rows, _by: rows
    days(bench, budget=15, most=2)
    assert bench.plan.orders["Observation"] is False
    assert days(bench, budget=80, most=2)[-1].gaps == []
    assert bench.stored() == bench.ehr.truth()


def test_an_order_that_was_forgotten_is_found_out_again_and_not_taken_for_broken(
    bench: Bench,
) -> None:
    fill(bench)
    bench.ehr.order = by_last_updated
    day(bench), day(bench)
    bench.plan = Plan(timedelta(minutes=5))
    assert days(bench)[-1].gaps == []
    assert bench.plan.orders["Observation"] is True
    assert bench.stored() == bench.ehr.truth()


def test_a_400_to_a_next_link_is_no_reason_to_sort(bench: Bench) -> None:
    """It may be a limit of an EHR that counts matches anew for each page: rows would slip."""
    fill(bench)
    bench.ehr.order = by_last_updated

    def too_far(request: Request) -> object:
        far = "at=20" in request.url
        return bench.ehr.outcome(400, "invalid") if far else None

    bench.ehr.script = too_far
    assert bench.sync().gaps
    assert not any("_sort" in each for each in bench.ehr.asked)


def test_a_session_that_expires_within_a_run_goes_on_as_often_as_it_gains_ground(
    bench: Bench,
) -> None:
    fill(bench)
    bench.ehr.order = by_last_updated
    asked = 0

    def forget(_request: Request) -> None:
        nonlocal asked
        asked += 1
        if asked % 6 == 0:
            bench.ehr.forget_sessions()

    bench.ehr.script = forget
    done = bench.sync()
    assert done.gaps == []
    assert bench.stored() == bench.ehr.truth()
    assert asked > 4 * 6, "more often than a search may begin anew"


def test_stamps_of_the_year_one_are_no_place_to_go_on_from(bench: Bench) -> None:
    fill(bench)
    bench.ehr.order = by_last_updated
    for number in range(3):
        bench.ehr.put("Observation", f"old-{number}", "p", NEVER + timedelta(seconds=number))
    days(bench, budget=4, most=4)
    assert days(bench, budget=80, most=3)[-1].gaps == []
    assert bench.stored() == bench.ehr.truth()


def row(hours: float | None) -> Received:
    return Received("Observation", "o", None, None if hours is None else NOON + HOUR * hours, b"")


def test_a_page_reaches_to_its_last_stamp_that_can_change_no_more() -> None:
    def there(*hours: float | None) -> object:
        return reached(NOON, [row(each) for each in hours], "Observation", NOON + HOUR * 9)

    assert there(1, 2, 2) == NOON + HOUR * 2
    assert there(1, 99, 3) == NOON + HOUR * 3, "changed while it was paged, in its old place"
    assert there(1, 99) == NOON + HOUR
    assert there(2, 1) is None
    assert there(1.0001, 1) == NOON + HOUR, "the same second"
    assert there(-1) is None, "older than the page before"
    assert there(1, None) is None
    assert there() == NOON
    assert reached(NEVER, [], "Observation", NOON) == NEVER
