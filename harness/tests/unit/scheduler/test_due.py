from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
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
