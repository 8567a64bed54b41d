from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.config.tenant import Schedule
from harness.scheduler.due import RETRY, is_due, is_open, next_due, spread
from harness.sync.model import RunRow, RunStatus, Traffic

NEW_YORK = ZoneInfo("America/New_York")
DAILY = Schedule(daily=time(2), zone="America/New_York")
NIGHT = Schedule(daily=time(22), until=time(4), zone="America/New_York")
HOURLY = Schedule(every_seconds=3600)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def ran(
    started: datetime,
    status: RunStatus = RunStatus.COMPLETE,
    come_back: datetime | None = None,
) -> RunRow:
    ended = None if status is RunStatus.RUNNING else started
    return RunRow(1, "r", started, ended, status, Traffic(), None, come_back)


def test_a_tenant_that_never_ran_is_due_at_once() -> None:
    assert is_due(HOURLY, "t", None, NOON)
    assert is_due(DAILY, "t", None, NOON)


def test_an_interval_counts_from_start_to_start() -> None:
    assert not is_due(HOURLY, "t", ran(NOON), NOON + timedelta(minutes=59))
    assert is_due(HOURLY, "t", ran(NOON), NOON + timedelta(minutes=60))


def test_a_daily_job_follows_the_wall_clock_of_its_zone() -> None:
    winter = datetime(2026, 3, 7, 12, tzinfo=UTC)
    assert next_due(DAILY, "t", winter).astimezone(NEW_YORK).hour in (2, 3)
    summer = datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert next_due(DAILY, "t", summer) == datetime(2026, 7, 2, 6, tzinfo=UTC)
    assert next_due(DAILY, "t", datetime(2026, 1, 1, 12, tzinfo=UTC)).hour == 7


def test_missed_days_are_caught_up_once() -> None:
    last = datetime(2026, 7, 1, 6, tzinfo=UTC)
    now = last + timedelta(days=5, hours=3)
    assert is_due(DAILY, "t", ran(last), now)
    assert not is_due(DAILY, "t", ran(now), now + timedelta(hours=1))


def test_nothing_starts_outside_a_window_that_ends() -> None:
    day = datetime(2026, 7, 1, tzinfo=NEW_YORK)
    opened = {hour: is_open(NIGHT, day.replace(hour=hour)) for hour in range(24)}
    assert [hour for hour, is_it in opened.items() if is_it] == [0, 1, 2, 3, 22, 23]
    assert not is_due(NIGHT, "t", None, day.replace(hour=12))
    assert is_due(NIGHT, "t", None, day.replace(hour=23))


def test_a_missed_run_waits_for_the_window_and_starts_when_it_opens() -> None:
    last = ran(datetime(2026, 7, 1, 23, tzinfo=NEW_YORK))
    late = datetime(2026, 7, 4, 12, tzinfo=NEW_YORK)
    assert not is_due(NIGHT, "t", last, late)
    assert is_due(NIGHT, "t", last, late.replace(hour=22))


def test_a_run_in_the_window_is_that_days_though_its_moment_is_yet_to_come() -> None:
    moment = next_due(NIGHT, "clinic", NOON)
    opened = datetime(2026, 3, 1, 22, tzinfo=NEW_YORK)
    assert opened < moment - timedelta(minutes=30)
    assert next_due(NIGHT, "clinic", opened) - moment == timedelta(days=1)
    before = opened - timedelta(minutes=1)
    assert next_due(NIGHT, "clinic", before) == moment


def test_an_ehr_that_said_when_to_come_back_is_asked_then() -> None:
    last = ran(NOON, RunStatus.INCOMPLETE, NOON + timedelta(minutes=20))
    assert not is_due(HOURLY, "t", last, NOON + timedelta(minutes=19))
    assert is_due(HOURLY, "t", last, NOON + timedelta(minutes=20))


@pytest.mark.parametrize("status", [RunStatus.RUNNING, RunStatus.CUT_OFF, RunStatus.FAILED])
def test_a_run_that_was_cut_off_or_failed_is_tried_again_after_a_while(status: RunStatus) -> None:
    last = ran(NOON, status)
    assert not is_due(DAILY, "t", last, NOON + RETRY - timedelta(seconds=1))
    assert is_due(DAILY, "t", last, NOON + RETRY)


def test_tenants_are_spread_over_their_window() -> None:
    moments = [next_due(NIGHT, f"clinic-{n}", NOON) for n in range(200)]
    minutes = {int((each - min(moments)).total_seconds() // 600) for each in moments}
    assert len(minutes) > 30
    assert all(is_open(NIGHT, each) for each in moments)
    assert 0 <= spread("clinic") < 1


@given(
    st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.sampled_from([DAILY, NIGHT, Schedule(daily=time(2, 30), until=time(3), zone="Europe/Rome")]),
)
def test_the_next_moment_is_later_and_at_most_two_days_away(
    last: datetime, schedule: Schedule
) -> None:
    moment = next_due(schedule, "t", last)
    assert last < moment <= last + timedelta(days=2)


WINDOWS = [
    DAILY,
    NIGHT,
    Schedule(daily=time(2), until=time(3), zone="America/New_York"),
    Schedule(daily=time(2, 15), until=time(2, 45), zone="America/New_York"),
    Schedule(daily=time(2, 30), until=time(3), zone="America/New_York"),
    Schedule(daily=time(1), until=time(2), zone="America/New_York"),
    Schedule(daily=time(1, 30), until=time(1, 45), zone="America/New_York"),
    Schedule(daily=time(1, 30), until=time(4), zone="America/New_York"),
    Schedule(daily=time(0), until=time(0, 30), zone="America/Santiago"),
    Schedule(daily=time(2, 10), until=time(2, 20), zone="Australia/Lord_Howe"),
]
"""Some of them lie in an hour that is left out, or comes twice, when the clocks change."""


@pytest.mark.parametrize("schedule", WINDOWS, ids=str)
@pytest.mark.parametrize("change", [date(2026, 3, 8), date(2026, 4, 5), date(2026, 11, 1)])
def test_each_day_has_one_run_whatever_the_clocks_do(schedule: Schedule, change: date) -> None:
    """A scheduler that looks every five minutes starts once a day, in the window."""
    begin = datetime.combine(change - timedelta(days=6), time(), ZoneInfo(schedule.zone))
    now, name = begin.astimezone(UTC), "clinic-7"
    last = ran(now - timedelta(minutes=1))
    days = []
    for _ in range(12 * 24 * 12):
        now += timedelta(minutes=5)
        if is_due(schedule, name, last, now):
            last = ran(now)
            days.append((now - timedelta(hours=5)).astimezone(ZoneInfo(schedule.zone)).date())
    assert len(days) == len(set(days)), "never twice"
    assert (days[-1] - days[0]).days + 1 == len(days), "never lost"
    assert len(days) >= 11
