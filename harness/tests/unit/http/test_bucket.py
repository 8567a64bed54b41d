from __future__ import annotations

import pytest

from harness.http.bucket import Turn, explain


def turns(rate: float, burst: float, paces: list[tuple[float, float]]) -> list[Turn]:
    """What a bucket makes of requests: so many seconds at each pace; a refusal ends a pace."""
    now, tokens, found = 0.0, burst, []
    for pace, seconds in paces:
        end = now + seconds
        while now < end:
            now += 1 / pace
            tokens = min(burst, tokens + rate / pace)
            found.append(Turn(now, refused=tokens < 1))
            if tokens < 1:
                break
            tokens -= 1
        now += 1.0
        tokens = min(burst, tokens + rate)
    return found


def test_without_a_refusal_nothing_is_explained() -> None:
    assert explain([Turn(float(each)) for each in range(50)], 1.0) is None
    assert explain([Turn(0.0, refused=True)], 5.0) is None


def test_one_refusal_leaves_a_choice_that_the_usual_burst_decides() -> None:
    found = explain(turns(50, 12.5, [(80, 10)]), 80)
    assert found is not None
    assert not found.is_certain
    assert found.lowest <= 50 <= found.highest
    assert found.rate == pytest.approx(50, rel=0.15)


@pytest.mark.parametrize(("rate", "burst"), [(50, 10), (8, 3), (20, 20), (90, 30), (34, 25)])
def test_two_refusals_at_different_paces_leave_the_bucket(rate: float, burst: float) -> None:
    found = explain(turns(rate, burst, [(2 * rate, 30), (1.15 * rate, 600)]), 1.15 * rate)
    assert found is not None
    assert found.rate == pytest.approx(rate, rel=0.05)
    assert found.burst == pytest.approx(burst, rel=0.2, abs=1.5)


def test_a_burst_that_is_known_decides_where_one_refusal_leaves_a_choice() -> None:
    found = explain(turns(50, 50, [(80, 30)]), 80, burst=50.0)
    assert found is not None
    assert found.rate == pytest.approx(50, rel=0.05)


def test_what_no_bucket_does_is_not_explained() -> None:
    open_again = [Turn(0.5 * each) for each in range(40)]
    odd = [Turn(20.0 + each / 100, refused=each % 2 == 0) for each in range(40)]
    assert explain([*open_again, *odd], 2.0) is None
