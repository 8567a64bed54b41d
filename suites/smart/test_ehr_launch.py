"""SMART App Launch, "Launch app: EHR launch", up to the token response.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#launch-app-ehr-launch
"""

from __future__ import annotations

from harness import Exchange, applies_if, conforms, expect, prerequisite, verifies
from harness.checks.acts.ehr_launch import Started
from harness.checks.launching import Authorization, Launch
from harness.smart.context import Context
from harness.smart.discovery import Discovery


@verifies("smart/ehr-launch/launch-uri")
def test_ehr_starts_the_application(ehr_start: Started) -> None:
    """The EHR SHALL send the browser to the launch URI with iss and launch."""
    context = ehr_start.context
    conforms(
        context is not None and context.iss and context.launch,
        expected="the launch URI with iss and launch",
        actual=ehr_start.outcome,
    )


@verifies("smart/ehr-launch/iss")
def test_iss_is_the_fhir_base(ehr_start: Started) -> None:
    """Iss SHALL be the EHR's FHIR endpoint."""
    context = ehr_start.require()
    prerequisite(context.iss, unless="the EHR sent no iss")
    fits = ehr_start.from_this_ehr
    conforms(fits, expected="iss, the base URL of this FHIR endpoint", actual="another URL")


@verifies("smart/launch/code")
def test_ehr_launch_yields_a_code(ehr_authorization: Authorization) -> None:
    """An approved EHR launch SHALL end in a redirect with a code."""
    conforms(
        ehr_authorization.code is not None,
        expected="a redirect to the redirect_uri with code",
        actual=ehr_authorization.outcome,
    )


@verifies("smart/launch/state")
def test_state_of_an_ehr_launch_comes_back(ehr_authorization: Authorization) -> None:
    """The redirect SHALL carry the exact state that was sent."""
    prerequisite(ehr_authorization.redirected, unless="the launch ended without a redirect")
    conforms(
        ehr_authorization.state_matches,
        expected="state, once, exactly as sent",
        actual=ehr_authorization.state_outcome,
    )


@verifies("smart/token/json")
def test_code_of_an_ehr_launch_is_exchanged(ehr_token_exchange: Exchange) -> None:
    """The token endpoint SHALL answer with a JSON object that holds an access token."""
    answer = expect(ehr_token_exchange).status(200).media_type("application/json")
    answer.member("access_token", str)


@verifies("smart/ehr-launch/patient")
def test_ehr_launch_has_the_patient_of_the_ehr(
    discovery: Discovery, ehr_launch: Launch, ehr_context: Context
) -> None:
    """A server with context-ehr-patient SHALL name the patient that is open in the EHR."""
    applies_if(discovery.claims("context-ehr-patient"), unless="context-ehr-patient not declared")
    chosen = ehr_launch.expected_patient
    limited = any(each.level == "patient" for each in ehr_launch.granted.resources)
    # launch/patient is a hint in an EHR launch, which may be ignored where no chart is open.
    applies_if(chosen or limited, unless="nothing says that a patient is open in the EHR")
    expect(ehr_launch.exchange).member("patient", str).that(
        chosen in (None, ehr_context.patient),
        expected="the id of the patient that was chosen in the EHR",
        actual="another patient's id",
    )


@verifies("smart/ehr-launch/patient-readable")
def test_patient_of_the_ehr_is_readable(ehr_patient_read: Exchange) -> None:
    """The token SHALL read the patient in context."""
    expect(ehr_patient_read).status(200).resource("Patient")


@verifies("smart/ehr-launch/encounter-named")
def test_ehr_launch_has_the_encounter_of_the_ehr(discovery: Discovery, ehr_launch: Launch) -> None:
    """A server with context-ehr-encounter names the encounter, unless none is open."""
    declared = discovery.claims("context-ehr-encounter")
    applies_if(declared, unless="context-ehr-encounter is not declared")
    applies_if(
        ehr_launch.asked("launch/encounter"), unless="the launch does not ask for launch/encounter"
    )
    expect(ehr_launch.exchange).member("encounter", str)


@verifies("smart/ehr-launch/encounter")
def test_encounter_of_the_ehr_is_readable(ehr_encounter_read: Exchange) -> None:
    """The encounter in context SHALL be one that the token reads."""
    expect(ehr_encounter_read).status(200).resource("Encounter")


@verifies("smart/ehr-launch/banner")
def test_banner_is_a_boolean(discovery: Discovery, ehr_launch: Launch) -> None:
    """A server with context-banner SHALL say whether a patient banner is needed."""
    applies_if(discovery.claims("context-banner"), unless="context-banner is not declared")
    expect(ehr_launch.exchange).member("need_patient_banner", bool)


@verifies("smart/ehr-launch/style-url")
def test_style_url_is_named(discovery: Discovery, ehr_launch: Launch) -> None:
    """A server with context-style SHALL name its smart_style_url."""
    applies_if(discovery.claims("context-style"), unless="context-style is not declared")
    expect(ehr_launch.exchange).member("smart_style_url", str)


@verifies("smart/ehr-launch/style")
def test_style_is_json(smart_style: Exchange) -> None:
    """The smart_style_url SHOULD lead to a JSON object, to be read without a token."""
    expect(smart_style).status(200).json_object()


@verifies("smart/ehr-launch/fhir-context")
def test_fhir_context_has_the_form_of_its_version(ehr_launch: Launch, ehr_context: Context) -> None:
    """fhirContext, where it comes, SHALL have the form of its version."""
    body = ehr_launch.exchange.json_object()
    applies_if("fhirContext" in body, unless="the token response has no fhirContext")
    wrong = ehr_context.about("fhirContext")
    expect(ehr_launch.exchange).that(
        not wrong, expected="a valid fhirContext", actual="; ".join(map(str, wrong))
    )


@verifies("smart/ehr-launch/handle-unknown")
def test_unknown_handle_starts_nothing(unknown_handle: Authorization) -> None:
    """A launch handle that the EHR never gave has no context to launch into."""
    conforms(unknown_handle.code is None, expected="no code", actual=unknown_handle.outcome)


@verifies("smart/ehr-launch/handle-reused")
def test_used_handle_starts_nothing(reused_handle: Authorization) -> None:
    """A launch handle stands for one launch."""
    conforms(reused_handle.code is None, expected="no code", actual=reused_handle.outcome)


@verifies("smart/ehr-launch/handle-foreign")
def test_handle_of_another_application_starts_nothing(foreign_handle: Authorization) -> None:
    """A launch handle stands for the application that the EHR launched."""
    conforms(foreign_handle.code is None, expected="no code", actual=foreign_handle.outcome)
