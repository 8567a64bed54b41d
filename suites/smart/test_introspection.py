"""SMART App Launch, Token Introspection (RFC 7662).

https://hl7.org/fhir/smart-app-launch/STU2.2/token-introspection.html
"""

from __future__ import annotations

import pytest

from harness import Exchange, applies_if, expect, prerequisite, verifies
from harness.checks.introspecting import (
    COMPARED,
    CONTEXT,
    claims_of,
    drift,
    same,
    says_active,
    scopes_apart,
)
from harness.checks.launching import Launch
from harness.smart.scopes import ScopeSet

CLOCKS = 60
"""Seconds that the moments of two answers of one server may be apart."""


@verifies("smart/introspection/active")
def test_live_token_is_active(introspection: Exchange) -> None:
    """Introspection of a live token SHALL say active, with scope, client_id and exp."""
    answer = expect(introspection).status(200).member("active", equals=True)
    answer.member("scope", str).member("client_id", str).member("exp", int)


@verifies("smart/introspection/active")
def test_live_token_of_an_ehr_launch_is_active(ehr_introspection: Exchange) -> None:
    """Introspection of the live token of an EHR launch SHALL say active, too."""
    expect(ehr_introspection).status(200).member("active", equals=True)


@verifies("smart/introspection/scope")
def test_introspection_names_the_granted_scopes(launch: Launch, introspection: Exchange) -> None:
    """The scopes SHALL be as in the token response."""
    granted = launch.token.scope
    applies_if(granted, unless="the token response names no scope")
    prerequisite(says_active(introspection), unless="the live token is not said to be active")
    wrong = scopes_apart(introspection, granted or ScopeSet())
    expect(introspection).that(
        not wrong, expected="the scopes of the token response", actual="; ".join(wrong)
    )


@verifies("smart/introspection/client")
def test_introspection_names_the_client(introspection: Exchange, own_client_id: str) -> None:
    """client_id SHALL be that of the client that the token was given to."""
    prerequisite(says_active(introspection), unless="the live token is not said to be active")
    expect(introspection).that(
        introspection.json_object().get("client_id") == own_client_id,
        expected="the client_id of the launch",
        actual="another value, or none",
    )


@verifies("smart/introspection/exp")
def test_introspection_agrees_with_expires_in(launch: Launch, introspection: Exchange) -> None:
    """The value of exp SHALL be consistent with the expires_in of the token response."""
    applies_if(launch.token.expires_in, unless="the token response says no expires_in")
    prerequisite(says_active(introspection), unless="the live token is not said to be active")
    apart = drift(launch, introspection)
    expect(introspection).that(
        apart is not None and abs(apart) <= CLOCKS,
        expected="exp when the token was issued, and its expires_in later",
        actual="no exp" if apart is None else f"{apart:+.0f} s",
    )


@verifies("smart/introspection/context")
def test_introspection_has_the_launch_context(launch: Launch, introspection: Exchange) -> None:
    """The context parameters of the token response SHALL be in the introspection response."""
    expect_context(launch, introspection)


@verifies("smart/introspection/context")
def test_introspection_has_the_context_of_an_ehr_launch(
    ehr_launch: Launch, ehr_introspection: Exchange
) -> None:
    """The context parameters of an EHR launch SHALL be in the introspection response."""
    expect_context(ehr_launch, ehr_introspection)


def expect_context(launch: Launch, introspection: Exchange) -> None:
    """Each context parameter of the token response is there, with its value."""
    given = {name: launch.token.raw[name] for name in CONTEXT if name in launch.token.raw}
    applies_if(given, unless="the token response has no launch context")
    prerequisite(says_active(introspection), unless="the live token is not said to be active")
    said = introspection.json_object()
    wrong = [name for name in given if name not in said]
    wrong += [name for name in COMPARED & given.keys() & said.keys() if said[name] != given[name]]
    expect(introspection).that(
        not wrong,
        expected=f"{', '.join(given)}, as in the token response",
        actual=f"absent or different: {', '.join(sorted(wrong))}",
    )


IDENTITY = [
    pytest.param("iss", marks=verifies("smart/introspection/iss")),
    pytest.param("sub", marks=verifies("smart/introspection/sub")),
    pytest.param("fhirUser", marks=verifies("smart/introspection/fhir-user")),
]


@pytest.mark.parametrize("name", IDENTITY)
def test_introspection_has_the_claims_of_the_id_token(
    launch: Launch, introspection: Exchange, name: str
) -> None:
    """Where an id_token came, iss and sub SHALL and fhirUser SHOULD be in the response."""
    claim = claims_of(launch).get(name)
    applies_if(claim is not None, unless=f"no id_token with {name} came")
    prerequisite(says_active(introspection), unless="the live token is not said to be active")
    said = introspection.json_object().get(name)
    expect(introspection).that(
        same(name, said, claim),
        expected=f"{name} as in the id_token",
        actual="absent" if said is None else "another value",
    )


@verifies("smart/introspection/unknown")
def test_unknown_token_is_not_active(introspection_of_unknown: Exchange) -> None:
    """Introspection of an unknown token SHALL say that it is not active."""
    expect(introspection_of_unknown).status(200).member("active", equals=False)


@verifies("oauth/introspection/revoked")
def test_revoked_token_is_not_active(introspection_of_revoked: Exchange) -> None:
    """Introspection SHALL determine whether a token was revoked."""
    expect(introspection_of_revoked).status(200).member("active", equals=False)


@verifies("oauth/introspection/expired")
def test_expired_token_is_not_active(introspection_of_expired: Exchange) -> None:
    """Introspection SHALL determine whether a token has expired."""
    expect(introspection_of_expired).status(200).member("active", equals=False)


@verifies("oauth/introspection/authenticated")
def test_introspection_requires_authentication(anonymous_introspection: Exchange) -> None:
    """The introspection endpoint needs to refuse callers that do not authenticate."""
    expect(anonymous_introspection).status(400, 401, 403)
