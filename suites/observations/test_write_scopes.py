"""SMART App Launch, "Scopes for requesting FHIR Resources": what a token must not write.

https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from harness import expect, prerequisite, verifies
from harness.checks.acts.write_scopes import Forbidden

pytestmark = pytest.mark.write


@verifies("smart/access/scope-write")
@pytest.mark.parametrize("change", ["update", "delete"])
def test_scope_is_enforced_on_change(limited_changes: Mapping[str, Forbidden], change: str) -> None:
    """With a read-only scope nothing SHALL be changed or deleted."""
    _refused(limited_changes[change])


@verifies("smart/access/scope-write")
@pytest.mark.parametrize("change", ["update", "delete"])
def test_permission_to_create_changes_nothing(
    lone_create: Mapping[str, Forbidden], change: str
) -> None:
    """With the permission to create alone nothing SHALL be changed or deleted."""
    _refused(lone_create[change])


@verifies("smart/access/other-patient-write")
def test_other_patient_is_not_written_about(other_patient_create: Forbidden) -> None:
    """With patient-level scopes nothing SHALL be written about another patient."""
    _refused(other_patient_create)


@verifies("smart/access/other-patient-write")
def test_observation_is_not_moved_to_another_patient(moved_observation: Forbidden) -> None:
    """With patient-level scopes nothing SHALL be made another patient's."""
    expect(moved_observation.exchange).that(
        not moved_observation.done,
        expected="a refusal, or the Observation still with its patient",
        actual="it is another patient's, or out of reach",
    )


@verifies("smart/access/other-patient-write")
@pytest.mark.parametrize("change", ["update", "delete"])
def test_observation_of_another_patient_is_not_changed(
    other_patient_changes: Mapping[str, Forbidden], change: str
) -> None:
    """With patient-level scopes nothing of another patient SHALL be changed or deleted."""
    # A server may answer a DELETE of what is not there for this token with success.
    done = other_patient_changes[change]
    expect(done.exchange).that(
        not done.done,
        expected=f"the {change} not done",
        actual=f"status {done.exchange.status}, and it was done",
    )


@verifies("smart/access/granular-write")
def test_granular_scope_permits_its_category(granular_writes: Mapping[str, Forbidden]) -> None:
    """A scope for vital signs SHALL permit to write a vital sign."""
    expect(granular_writes["vital-sign"].exchange).status(201)


@verifies("smart/access/granular-write")
def test_granular_scope_permits_no_other_category(
    granular_writes: Mapping[str, Forbidden],
) -> None:
    """A scope for vital signs SHALL NOT permit to write a laboratory result."""
    prerequisite(granular_writes["vital-sign"].done, unless="not even a vital sign is taken")
    _refused(granular_writes["laboratory"])


def _refused(forbidden: Forbidden) -> None:
    status = forbidden.exchange.status
    expect(forbidden).that(
        400 <= status < 500 and not forbidden.done,
        expected="401, 403 or 404, and nothing done",
        actual=f"status {status}, {'and it was done' if forbidden.done else 'nothing done'}",
    )
