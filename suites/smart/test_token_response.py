"""SMART App Launch, "Obtain access token", response.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#response-5
"""

from __future__ import annotations

import re

import pytest

from harness import Exchange, applies_if, configured, expect, verifies
from harness.checks.launching import Launch
from harness.smart.discovery import Discovery


@verifies("smart/token/json")
def test_code_is_exchanged_for_an_access_token(token_exchange: Exchange) -> None:
    """The token endpoint SHALL answer with a JSON object that holds an access token."""
    expect(token_exchange).status(200).media_type("application/json").member("access_token", str)


@verifies("smart/token/token-type")
def test_token_type_is_bearer(token_response: Exchange) -> None:
    """token_type SHALL be Bearer."""
    kind = token_response.json_object().get("token_type")
    expect(token_response).that(
        isinstance(kind, str) and kind.lower() == "bearer",
        expected="token_type Bearer",
        actual=f"token_type {kind!r}",
    )


@verifies("smart/token/expires-in")
def test_lifetime_is_a_number_of_seconds(token_response: Exchange) -> None:
    """The token response SHOULD say how long the token lives, as a number of seconds."""
    expect(token_response).member("expires_in", int)


@verifies("smart/token/syntax")
def test_access_token_is_spelled_as_a_header_carries_it(launch: Launch) -> None:
    """The access token SHALL be a string as RFC 6750 defines it, for the Authorization header."""
    expect(launch).that(
        re.fullmatch(r"[A-Za-z0-9\-._~+/]+=*", launch.token.access_token),
        expected="letters, digits and - . _ ~ + / with = at the end (b64token)",
        actual="other characters",
    )


@verifies("smart/token/scope")
def test_granted_scopes_are_named(token_response: Exchange) -> None:
    """The token response SHALL name the granted scopes."""
    expect(token_response).member("scope", str)


@verifies("smart/token/cache-control")
def test_token_response_is_not_stored(token_response: Exchange) -> None:
    """The token response SHALL carry Cache-Control: no-store."""
    expect(token_response).header("Cache-Control", matches=r"(?i)\bno-store\b")


@verifies("smart/token/pragma")
def test_token_response_is_not_cached(token_response: Exchange) -> None:
    """The token response SHALL carry Pragma: no-cache."""
    expect(token_response).header("Pragma", matches=r"(?i)\bno-cache\b")


@verifies("smart/token/patient")
def test_patient_in_context_is_named(token_response: Exchange, launch: Launch) -> None:
    """When launch/patient is granted, the token response SHALL name the patient."""
    applies_if(launch.was_granted("launch/patient"), unless="launch/patient is not granted")
    expect(token_response).member("patient", str)


@verifies("smart/token/chosen-patient")
def test_patient_in_context_is_the_chosen_one(token_response: Exchange, launch: Launch) -> None:
    """The patient in context SHALL be the one that the user chose."""
    chosen = launch.expected_patient
    configured(chosen, unless="the login names no patient: add `patient` to it")
    applies_if(launch.token.patient is not None, unless="no patient is in context")
    expect(token_response).that(
        launch.token.patient == chosen,
        expected="the id of the chosen patient",
        actual="another patient's id",
    )


CLAIMED = [
    pytest.param("openid", "sso-openid-connect", "id_token"),
    pytest.param("offline_access", "permission-offline", "refresh_token"),
]


@verifies("smart/launch/claimed")
@pytest.mark.parametrize(("scope", "capability", "member"), CLAIMED)
def test_what_is_declared_and_asked_for_is_granted(
    discovery: Discovery, launch: Launch, scope: str, capability: str, member: str
) -> None:
    """An application that asks for what a server declares is disappointed not to be given it."""
    applies_if(discovery.claims(capability), unless=f"{capability} is not declared")
    applies_if(launch.asked(scope), unless=f"the launch does not ask for {scope}")
    expect(launch.exchange).that(
        launch.was_granted(scope) or member in launch.exchange.json_object(),
        expected=f"{scope} among the granted scopes, or {member}",
        actual="neither",
    )


@verifies("smart/token/refresh-token")
def test_offline_access_yields_a_refresh_token(token_response: Exchange, launch: Launch) -> None:
    """A server that grants offline_access SHALL issue a refresh token."""
    applies_if(launch.was_granted("offline_access"), unless="offline_access is not granted")
    expect(token_response).member("refresh_token", str)


@verifies("smart/token/id-token")
def test_identity_scopes_yield_an_id_token(token_response: Exchange, launch: Launch) -> None:
    """When openid is granted, the token response SHALL hold an id_token."""
    applies_if(launch.was_granted("openid"), unless="openid is not granted")
    expect(token_response).member("id_token", str)
