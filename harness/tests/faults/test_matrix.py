"""Every declared fault trips exactly the checks that it declares, and every check has its fault."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.checks.acting import REGISTRY
from harness.checks.verdict import Check, Word
from harness.reference.faults import Fault, catalogue
from harness.reference.process import Running
from harness.tests.faults.matrix import MISSED, Matrix, collected

DECLARED = [fault for fault in catalogue().values() if fault.trips]
LIMITS = {"rate": 30.0, "burst": 15}
"""How the instances of throttling faults are limited, so that a pull meets a refusal."""


UNREACHED = {"smart/test_tls.py::test_tls_before_1_2_is_refused"}
"""Checks of what a server on loopback, over plain http, cannot get wrong; servers that do are in
`harness/tests/integration/test_old_tls.py`."""

WHOLE = os.environ.get("HARNESS_MATRIX") == "whole"
"""Whether everything is acted again for each fault, which proves what `alters` leaves out."""


@pytest.fixture(scope="module")
def checks() -> tuple[Check, ...]:
    return collected()


@pytest.fixture(scope="module")
def matrix(
    reference: Running, checks: tuple[Check, ...], tmp_path_factory: pytest.TempPathFactory
) -> Matrix:
    made = Matrix(reference, checks, Path(tmp_path_factory.mktemp("matrix")))
    made.begin()
    return made


def test_reference_ehr_without_faults_misses_nothing(matrix: Matrix) -> None:
    missed = {check for check, word in matrix.passed.items() if word in MISSED}
    assert missed == set()
    assert Word.PREREQUISITE_FAILED not in matrix.passed.values()


def test_every_check_is_tripped_by_a_declared_fault(checks: tuple[Check, ...]) -> None:
    tripped = {each for fault in DECLARED for each in fault.trips}
    assert {check.id for check in checks} - tripped == UNREACHED


def test_faults_name_checks_that_exist(checks: tuple[Check, ...]) -> None:
    known = {check.id for check in checks}
    assert {each for fault in DECLARED for each in fault.trips} - known == set()


def test_faults_name_acts_that_exist(checks: tuple[Check, ...]) -> None:
    needed = {each.name for each in REGISTRY.plan(name for check in checks for name in check.acts)}
    assert {each for fault in catalogue().values() for each in fault.alters} - needed == set()


@pytest.mark.parametrize("fault", DECLARED, ids=lambda fault: fault.name)
def test_fault_trips_what_it_declares(matrix: Matrix, fault: Fault) -> None:
    throttled = fault.part == "throttle"
    instance = {"faults": [fault.name], **(LIMITS if throttled else {})}
    alters = () if WHOLE and not throttled else fault.alters
    observed = matrix.observe(fault.name, instance, alters)
    assert sorted(observed) == sorted(fault.trips), {
        check: verdict.reason for check, verdict in observed.items()
    }
