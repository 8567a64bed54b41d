import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.http.bucket import Turn
from harness.http.pacing import Gcra, LearntRate

gaps = st.lists(st.floats(0, 2), min_size=1, max_size=200)


@given(gaps=gaps, rate=st.floats(0.5, 50), burst=st.integers(1, 10))
def test_no_window_holds_more_than_its_rate_and_one_burst(
    gaps: list[float], rate: float, burst: int
) -> None:
    gcra, now, sent = Gcra(rate, burst), 0.0, []
    for gap in gaps:
        now += gap
        now += gcra.delay(now)
        assert gcra.delay(now) == 0.0
        gcra.take(now)
        sent.append(now)
    for first in range(len(sent)):
        for last in range(first, len(sent)):
            allowed = rate * (sent[last] - sent[first]) + burst
            assert last - first + 1 <= allowed + 1e-6


def test_a_steady_stream_reaches_the_rate() -> None:
    gcra, now = Gcra(10.0, 1), 0.0
    for _ in range(100):
        now += gcra.delay(now)
        gcra.take(now)
    assert abs(now - 9.9) < 1e-6


def test_the_rate_can_be_changed_between_requests() -> None:
    gcra = Gcra(1.0, 1)
    gcra.take(0.0)
    assert gcra.delay(0.0) == 1.0
    gcra.rate = None
    assert gcra.delay(0.0) == 0.0


def paced(learnt: LearntRate, seconds: float, now: float) -> float:
    """Let answers come at the rate that is learnt, and none of them be a refusal."""
    end = now + seconds
    while now < end:
        now += 1 / learnt.rate
        learnt.sent(Turn(now))
        learnt.succeeded(now)
    return now


def test_a_rate_doubles_within_a_second_until_the_first_refusal() -> None:
    learnt = LearntRate(rate=5.0)
    now = paced(learnt, 1.0, 0.0)
    assert 10.0 <= learnt.rate <= 20.0
    learnt.refused(now)
    now = paced(learnt, 1.0, now + 2)
    assert learnt.rate < 20.0


def test_slow_answers_let_a_rate_grow_by_a_quarter_each_at_most() -> None:
    learnt = LearntRate(rate=5.0)
    for moment in range(3):
        learnt.succeeded(10.0 * moment)
    assert learnt.rate == pytest.approx(5.0 * 1.26**2)


def test_refusals_within_a_second_are_one_incident() -> None:
    learnt = LearntRate(rate=10.0)
    learnt.refused(now=100.0)
    once = learnt.rate
    learnt.refused(now=100.5)
    assert learnt.rate == once < 10.0
    learnt.refused(now=102.0)
    assert learnt.rate < once


def test_a_rate_that_was_refused_rises_by_a_hundredth_in_a_minute_and_then_ever_faster() -> None:
    learnt = LearntRate.settled(50.0, 0.2, 100.0)
    now = paced(learnt, 60.0, 0.0)
    assert 50.2 <= learnt.rate <= 50.6
    paced(learnt, 300.0, now)
    assert learnt.rate == 100.0, "a limit that was lifted is found within minutes"


def test_a_refusal_that_the_rate_did_not_cause_can_be_forgotten() -> None:
    learnt = LearntRate(rate=5.0)
    now = paced(learnt, 2.0, 0.0)
    before = learnt.rate
    learnt.refused(now)
    learnt.refused(now + 2)
    learnt.forget_refusal()
    assert (learnt.rate, learnt.is_settled) == (before, False)


@given(st.lists(st.sampled_from(["ok", "refused"]), max_size=60), st.floats(0.3, 100))
def test_a_learnt_rate_stays_between_floor_and_ceiling(events: list[str], rate: float) -> None:
    learnt, now = LearntRate(rate=rate), 0.0
    for event in events:
        now += 1.5
        learnt.sent(turn := Turn(now))
        if event == "ok":
            learnt.succeeded(now)
        else:
            turn.refused = True
            before = learnt.rate
            learnt.refused(now)
            assert learnt.rate <= before
        assert learnt.floor <= learnt.rate <= learnt.ceiling
        assert 1.0 <= learnt.at_once(5) <= 5
