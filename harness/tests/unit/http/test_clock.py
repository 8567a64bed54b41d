"""Wall time that goes by: waited for, or moved on both sides."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import anyio
import pytest

from harness.http.clock import ManualClock, SystemClock


def test_time_goes_by_on_both_sides_where_the_other_clock_can_be_moved() -> None:
    moved: list[float] = []
    clock = SystemClock(advance=moved.append)
    anyio.run(clock.elapse, 3600.0)
    assert moved == [3600.0]
    assert abs(clock.now() - datetime.now(UTC) - timedelta(hours=1)) < timedelta(minutes=1)


def test_pacing_does_not_notice_time_that_was_moved() -> None:
    clock = SystemClock(advance=lambda _: None)
    before = clock.monotonic()
    anyio.run(clock.elapse, 3600.0)
    assert clock.monotonic() - before < 60


def test_time_is_never_moved_back() -> None:
    moved: list[float] = []
    clock = SystemClock(advance=moved.append)
    anyio.run(clock.elapse, -1.0)
    assert moved == [0.0]
    assert clock.offset == timedelta()


def test_time_that_nobody_can_move_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, slept = SystemClock(), list[float]()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(clock, "sleep", sleep)
    anyio.run(clock.elapse, 720.0)
    assert slept == [720.0]
    assert clock.offset == timedelta()


def test_a_manual_clock_moves_when_time_is_to_go_by() -> None:
    clock = ManualClock()
    before = clock.now()
    anyio.run(clock.elapse, 60.0)
    assert clock.now() - before == timedelta(minutes=1)
