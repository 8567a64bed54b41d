from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.http.breaker import FIRST, LONGEST, Breaker


def test_a_host_that_answers_is_never_held_back() -> None:
    breaker = Breaker()
    breaker.answered()
    assert breaker.wait(0.0) == 0.0


def test_a_silent_host_is_left_alone_then_tried_by_one() -> None:
    breaker = Breaker()
    breaker.unanswered(100.0)
    assert breaker.wait(100.0) == FIRST
    assert breaker.wait(100.0 + FIRST) == 0.0, "one may try"
    assert breaker.wait(100.0 + FIRST) == FIRST, "the others wait for what it finds"
    breaker.answered()
    assert breaker.wait(100.0 + FIRST) == 0.0


@given(st.lists(st.floats(0, 5000), min_size=1, max_size=40))
def test_each_further_silence_waits_longer_up_to_a_bound_and_always_ends(
    gaps: list[float],
) -> None:
    breaker, now, last = Breaker(), 0.0, 0.0
    for gap in gaps:
        now += gap
        breaker.unanswered(now)
        wait = breaker.wait(now)
        assert FIRST * 0.999 <= wait <= LONGEST * 1.001
        assert wait >= last - 1e-6
        assert breaker.wait(now + wait) == 0.0
        last = wait
        breaker.until = now + wait
