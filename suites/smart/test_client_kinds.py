"""SMART App Launch, Conformance, "Client Types": public, with a secret, with a key.

https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html#client-types
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from harness import Exchange, applies_if, conforms, expect, verifies
from harness.checks.acts.client_kinds import CAPABILITIES, KINDS, ClientLaunch, of
from harness.checks.acts.launch_errors import Attempt
from harness.errors import Skip
from harness.smart.discovery import Discovery

BY_KIND = [pytest.param(kind, marks=verifies(f"smart/client/{kind}")) for kind in KINDS]


@pytest.mark.parametrize("kind", BY_KIND)
def test_client_of_each_kind_gets_a_token(
    discovery: Discovery, client_launches: Mapping[str, ClientLaunch | Skip], kind: str
) -> None:
    """A server SHALL support the kinds of clients that it declares."""
    declared = discovery.claims(CAPABILITIES[kind])
    applies_if(declared, unless=f"{CAPABILITIES[kind]} is not declared")
    expect(of(client_launches, kind).exchange).status(200).member("access_token", str)


@verifies("smart/refresh/access-token")
@pytest.mark.parametrize("kind", KINDS)
def test_client_of_each_kind_refreshes(
    client_refreshes: Mapping[str, Exchange | Skip], kind: str
) -> None:
    """A refresh SHALL answer with a new access token, whatever kind of client asks."""
    answer = expect(of(client_refreshes, kind)).status(200).member("access_token", str)
    answer.member("token_type", matches=r"(?i)^bearer$")


@verifies("smart/launch/pkce-missing")
def test_public_client_without_challenge_gets_no_token(public_no_pkce: Attempt) -> None:
    """A server SHALL NOT give a token without a valid code_verifier to a public client either."""
    conforms(not public_no_pkce.granted, expected="no access token", actual=public_no_pkce.outcome)
