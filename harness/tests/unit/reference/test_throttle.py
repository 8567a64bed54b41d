"""The rate limit."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.reference.throttle import RetryAfter, Throttle

NOW = datetime(2030, 1, 1, 12, 0, 0, 900000, tzinfo=UTC)


def test_without_a_rate_everything_is_admitted() -> None:
    throttle = Throttle()
    assert all(throttle.admit(0) is None for _ in range(1000))


def test_a_burst_is_admitted_at_once_and_then_the_rate() -> None:
    throttle = Throttle(rate=2, burst=3)
    assert [throttle.admit(100) for _ in range(4)] == [None, None, None, pytest.approx(0.5)]
    assert throttle.admit(100.5) is None
    assert throttle.admit(100.5) == pytest.approx(0.5)
    assert throttle.refused == 2


def test_a_pause_refills_the_burst_and_no_more() -> None:
    throttle = Throttle(rate=1, burst=2)
    for _ in range(2):
        throttle.admit(0)
    assert [throttle.admit(1000) for _ in range(3)] == [None, None, pytest.approx(1)]


@given(st.floats(0.01, 100), st.integers(1, 20), st.integers(1, 50))
def test_who_waits_as_long_as_told_is_admitted(rate: float, burst: int, requests: int) -> None:
    throttle = Throttle(rate=rate, burst=burst)
    now = 1000.0
    for _ in range(requests):
        wait = throttle.admit(now)
        if wait is not None:
            now += int(throttle.headers(wait, NOW)["Retry-After"])
            assert throttle.admit(now) is None


def test_retry_after_is_never_too_early() -> None:
    assert Throttle(rate=1).headers(0.2, NOW) == {"Retry-After": "1"}
    assert Throttle(rate=1).headers(1.2, NOW) == {"Retry-After": "2"}
    dated = Throttle(rate=1, retry_after=RetryAfter.DATE).headers(1.2, NOW)["Retry-After"]
    assert (parsedate_to_datetime(dated) - NOW).total_seconds() >= 1.2
    assert Throttle(rate=1, retry_after=RetryAfter.NONE).headers(1, NOW) == {}


@pytest.mark.parametrize(
    ("rate", "burst", "kind"),
    [(0, 1, "seconds"), (-1, 1, "seconds"), (1, 0, "seconds"), (1, 1, "soon"), (1e400, 1, "none")],
)
def test_a_wrong_limit_is_refused(rate: float, burst: int, kind: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - three messages, one per number
        Throttle.checked(rate, burst, kind)
