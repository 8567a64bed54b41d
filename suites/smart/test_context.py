"""SMART App Launch, "Launch context arrives with your access_token", and the fhirUser claim.

https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html#launch-context-arrives-with-your-access_token
"""

from __future__ import annotations

import pytest

from harness import Exchange, applies_if, expect, verifies
from harness.checks.acts.context import Learnt
from harness.checks.acts.identity import Identity
from harness.checks.launching import Launch

MEMBERS = [
    pytest.param("patient", marks=verifies("smart/context/patient")),
    pytest.param("encounter", marks=verifies("smart/context/encounter")),
    pytest.param("need_patient_banner", marks=verifies("smart/context/banner")),
    pytest.param("smart_style_url", marks=verifies("smart/context/style-url")),
    pytest.param("intent", marks=verifies("smart/context/intent")),
    pytest.param("tenant", marks=verifies("smart/context/tenant")),
    pytest.param("fhirContext", marks=verifies("smart/ehr-launch/fhir-context")),
]


@pytest.mark.parametrize("member", MEMBERS)
def test_context_parameter_has_its_form(contexts: tuple[Learnt, ...], member: str) -> None:
    """A launch context parameter, where it comes, SHALL have the form that is defined for it."""
    learnt = [each for each in contexts if each.has(member)]
    applies_if(learnt, unless=f"no token response has {member}")
    for each in learnt:
        wrong = each.problems(member)
        expect(each.exchange).that(
            not wrong, expected=f"a valid {member}", actual="; ".join(map(str, wrong))
        )


@verifies("smart/context/patient-scope")
def test_patient_level_scope_comes_with_a_patient(patient_scope_launch: Launch) -> None:
    """An application that holds a patient-level scope needs to know whose data it opens."""
    expect(patient_scope_launch.exchange).member("patient", str)


@verifies("smart/context/standalone-encounter")
def test_standalone_launch_has_the_encounter_asked_for(encounter_launch: Exchange) -> None:
    """A server with context-standalone-encounter SHOULD name an encounter that is asked for."""
    expect(encounter_launch).member("encounter", str)


@verifies("smart/identity/fhir-user-readable")
def test_fhir_user_leads_to_a_person(fhir_user_read: Exchange, identity: Identity) -> None:
    """The fhirUser URL SHALL lead to the person's resource."""
    expect(fhir_user_read).status(200).resource(str(identity.fhir_user_type))
