from hypothesis import given
from hypothesis import strategies as st

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


def test_a_learnt_rate_cuts_once_per_incident_and_climbs_back_to_just_below() -> None:
    learnt = LearntRate(rate=10.0)
    learnt.refused(now=100.0)
    learnt.refused(now=100.5)
    assert learnt.rate == 7.0
    for _ in range(20):
        learnt.succeeded()
    assert 9.0 <= learnt.rate < 10.0


def test_a_learnt_rate_stays_between_floor_and_ceiling() -> None:
    learnt = LearntRate(rate=1.0)
    for moment in range(100):
        learnt.refused(now=float(moment * 2))
    assert learnt.rate == learnt.floor
    for _ in range(100_000):
        learnt.succeeded()
    assert learnt.rate <= learnt.ceiling
