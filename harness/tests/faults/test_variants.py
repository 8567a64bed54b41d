"""No check trips over what a specification leaves open: the inverse of the fault matrix."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.checks.verdict import Check
from harness.reference.process import Running
from harness.reference.variants import Variant, catalogue
from harness.tests.faults.matrix import Matrix, collected

LIMITS = {"rate": 30.0, "burst": 15, "retry_after": "date"}
"""How the instance is limited whose variants are about a refusal for load."""

EACH = os.environ.get("HARNESS_VARIANTS") == "each"
"""Whether each variant gets an instance of its own, which says who it was."""


def instances() -> Mapping[str, list[Variant]]:
    """The variants by the instance that has them together."""
    found: dict[str, list[Variant]] = {}
    for each in catalogue().values():
        found.setdefault(each.name if EACH else each.together, []).append(each)
    return found


@pytest.fixture(scope="module")
def matrix(reference: Running, tmp_path_factory: pytest.TempPathFactory) -> Matrix:
    checks: tuple[Check, ...] = collected()
    made = Matrix(reference, checks, Path(tmp_path_factory.mktemp("variants")))
    made.begin()
    return made


@pytest.mark.parametrize("name", instances())
def test_liberties_trip_nothing(matrix: Matrix, name: str) -> None:
    variants = instances()[name]
    names = {each.name for each in variants}
    leaves_out = {each for variant in variants for each in variant.leaves_out}
    overloaded = "overload-is-unavailable" in names
    instance = {"variants": sorted(names), **(LIMITS if overloaded else {})}

    observed = matrix.observe(
        f"variants-{name}"[:60], instance, ["batch_pull"] if overloaded else (), leaves_out
    )

    tripped = "\n".join(f"{check}: {verdict.reason}" for check, verdict in observed.items())
    assert not tripped, tripped
    assert {each for each in names if not matrix.met[each]} == set()
