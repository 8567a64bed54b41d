"""The benchmark measures what it says, on a very small scale."""

from __future__ import annotations

from harness.benchmarks.reference_ehr import many, measured


def test_every_workload_is_answered_and_measured() -> None:
    figures = dict(measured(seconds=0.05, rounds=1))
    assert {"search, 50 Observations", "read", "create"} <= figures.keys()
    for one in figures.values():
        assert (one["rate"] or 0) > 0
        assert (one["median_ms"] or 0) > 0


def test_patients_are_looked_at_and_counted() -> None:
    figures = many(3, whole=True)
    assert figures["patients_looked_at"] == 3
    assert figures["observations_looked_at"] > 1000
