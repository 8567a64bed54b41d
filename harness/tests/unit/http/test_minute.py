from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from harness.http.minute import LearntMinute

TURN = datetime(2026, 3, 1, 12, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """So many seconds after the turn of a minute."""
    return TURN + timedelta(seconds=seconds)


def use(minute: LearntMinute, begin: float, requests: int) -> None:
    for number in range(requests):
        minute.take(at(begin + number / 100), 1.0)
        minute.let_through(at(begin + number / 100))


def refuse(minute: LearntMinute, moment: float) -> None:
    minute.take(at(moment), 1.0)
    minute.refused(at(moment), 1.0)


def found() -> LearntMinute:
    """One that was found in a minute that had begun, and is sure after a whole one."""
    minute = LearntMinute()
    use(minute, -30, 80)
    refuse(minute, -20)
    minute.suspect()
    assert minute.wait(at(-20)) == pytest.approx(20)
    use(minute, 0.01, 1)
    return minute


def test_what_came_through_before_the_block_is_the_first_guess_and_is_not_relied_on() -> None:
    minute = found()
    assert (minute.limit, minute.is_active) == (80, True)
    assert minute.delay(at(5), 1.0) == 0.0
    use(minute, 1, 99)
    assert minute.delay(at(5), 1.0) == 0.0, "the whole minute tells"


def test_a_minute_that_was_used_from_its_turn_is_relied_on() -> None:
    minute = found()
    use(minute, 1, 99)
    refuse(minute, 5)
    assert minute.limit == 100
    minute.wait(at(5))
    use(minute, 60.1, 100)
    assert minute.delay(at(65), 1.0) == pytest.approx(55)
    assert minute.delay(at(120.1), 1.0) == 0.0


def test_some_of_it_is_left_to_what_is_urgent() -> None:
    minute = LearntMinute.known(100)
    use(minute, 0.1, 98)
    assert minute.delay(at(5), 1.0, reserve=0.02) > 0
    assert minute.delay(at(5), 1.0) == 0.0


def test_a_budget_that_others_had_their_share_of_is_found_anew() -> None:
    minute = LearntMinute.known(100)
    minute.wait(at(-5))
    use(minute, 0.1, 40)
    refuse(minute, 10)
    minute.wait(at(10))
    use(minute, 60.1, 40)
    assert minute.delay(at(65), 1.0) == 0.0, "it may be more again"


def test_a_budget_that_never_refuses_is_tried_with_more_in_the_end() -> None:
    minute = LearntMinute.known(100)
    for number in range(16):
        assert minute.delay(at(60 * number + 30), 101.0) >= 0.0
        use(minute, 60 * number + 0.1, 100)
    assert minute.delay(at(15 * 60 + 30), 1.0) == 0.0


def test_a_block_that_does_not_end_with_the_minute_proves_nothing() -> None:
    minute = LearntMinute()
    use(minute, -30, 80)
    refuse(minute, -20)
    minute.suspect()
    minute.wait(at(-20))
    refuse(minute, 0.01)
    assert not minute.is_active


@pytest.mark.parametrize(
    ("moment", "seconds", "points"),
    [(20, 40, True), (20, 41, True), (20, 10, False), (59, 1, False)],
)
def test_a_wait_that_ends_with_the_minute_is_noticed(
    moment: float,
    seconds: float,
    points: bool,  # noqa: FBT001 - a value to expect
) -> None:
    assert LearntMinute().points_at_turn(at(moment), seconds) is points
