"""A pull under an EHR that counts by the clock, and under a budget of the day."""

from __future__ import annotations

from datetime import datetime, timedelta

from harness.config.ehr import Limits
from harness.http.exchange import Request
from harness.tests.unit.sync.conftest import NOON, Bench

MONTH = timedelta(days=30)


def fill(bench: Bench) -> None:
    for patient in bench.patients:
        bench.ehr.put("Patient", patient, patient, NOON - MONTH)
        for number in range(9):
            bench.ehr.put("Observation", f"{patient}-{number}", patient, NOON - MONTH)


def test_an_ehr_that_blocks_until_the_minute_turns_never_has_to(bench: Bench) -> None:
    fill(bench)
    bench.limits = Limits(requests_per_second=50.0, burst=50, per_minute=4)
    asked: dict[datetime, int] = {}
    refused = []

    def by_the_clock(request: Request) -> object:
        minute = bench.clock.now().replace(second=0, microsecond=0)
        asked[minute] = asked.get(minute, 0) + 1
        if asked[minute] <= 4:
            return None
        refused.append(request)
        return bench.ehr.outcome(429, "throttled")

    bench.ehr.script = by_the_clock
    done = bench.sync()
    assert (done.gaps, done.stopped, refused) == ([], None, [])
    assert bench.stored() == bench.ehr.truth()
    assert len(asked) == 3, "twelve requests, four in each minute"


def test_a_days_budget_that_is_spent_ends_the_run_and_the_next_day_completes_it(
    bench: Bench,
) -> None:
    fill(bench)
    bench.limits = Limits(requests_per_second=50.0, burst=50, per_day=5)
    done = bench.sync()
    assert done.stopped is not None
    assert "day's budget of 5" in done.stopped
    assert done.come_back is not None
    assert abs(done.come_back - NOON - timedelta(hours=12)) < timedelta(seconds=1)
    assert {gap.query.type for gap in done.gaps} == {"Observation"}
    assert len(bench.ehr.asked) == 5
    for _ in range(6):
        bench.clock.advance(24 * 3600)
        done = bench.sync()
    assert done.gaps == []
    assert bench.stored() == bench.ehr.truth()


def test_a_days_budget_smaller_than_one_patient_is_enough_after_some_days(bench: Bench) -> None:
    """Each day goes on at the page where the one before ended, as long as its link lasts."""
    bench.patients = ("p1",)
    for number in range(60):
        bench.ehr.put("Observation", f"o-{number}", "p1", NOON - MONTH)
    bench.limits = Limits(requests_per_second=50.0, burst=50, per_day=3)
    days, done, stored = 1, bench.sync(), 0
    while done.gaps and days < 30:
        assert len(bench.stored()) > stored, "each day brings something"
        stored = len(bench.stored())
        bench.clock.advance(24 * 3600)
        days, done = days + 1, bench.sync()
    assert done.gaps == []
    assert bench.stored() == bench.ehr.truth()
    assert 3 < days < 30


def test_what_is_left_is_heeded_before_anything_is_refused(bench: Bench) -> None:
    fill(bench)
    asked = []

    def nearly_spent(request: Request) -> object:
        asked.append(bench.clock.monotonic())
        if len(asked) != 3:
            return None
        return bench.ehr.response(
            200,
            {"resourceType": "Bundle", "type": "searchset"},
            X_RateLimit_Remaining="0",
            X_RateLimit_Reset="30",
        )

    bench.ehr.script = nearly_spent
    bench.sync()
    assert asked[3] - asked[2] >= 30.0
