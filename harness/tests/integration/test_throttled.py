"""The benchmark of limits itself, on a job of a few seconds."""

from __future__ import annotations

from harness.benchmarks.throttled import Case, measured
from harness.benchmarks.yardstick import Settings


def test_a_limit_is_measured_at_the_server_and_in_the_store() -> None:
    settings = Settings(patients=60, observations=4, rate=40, retry_after="absent")
    limits = {"requests_per_second": 40, "concurrency": 4}
    first, second = measured(Case("known", settings, limits, 0.5, 0.5))
    for each in (first, second):
        assert each.complete
        assert each.requests >= 60
        assert each.refused == 0
        assert 0.3 < each.share < 1.3
        assert each.seconds < each.wall


def test_what_is_not_all_there_is_no_success() -> None:
    settings = Settings(patients=12, observations=2, per_minute=5)
    limits = {"requests_per_second": 50, "max_retry_after": 0.5}
    (figures,) = measured(Case("cut", settings, limits, 0.5))
    assert not figures.complete
    assert not figures.is_good
