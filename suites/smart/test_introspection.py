"""SMART App Launch, Token Introspection (RFC 7662).

https://hl7.org/fhir/smart-app-launch/STU2.2/token-introspection.html
"""

from __future__ import annotations

from harness import Exchange, expect, verifies


@verifies("smart/introspection/active")
def test_live_token_is_active(introspection: Exchange) -> None:
    """Introspection of a live token SHALL say active, with scope, client_id and exp."""
    answer = expect(introspection).status(200).member("active", equals=True)
    answer.member("scope", str).member("client_id", str).member("exp", int)


@verifies("smart/introspection/unknown")
def test_unknown_token_is_not_active(introspection_of_unknown: Exchange) -> None:
    """Introspection of an unknown token SHALL say that it is not active."""
    expect(introspection_of_unknown).status(200).member("active", equals=False)


@verifies("oauth/introspection/authenticated")
def test_introspection_requires_authentication(anonymous_introspection: Exchange) -> None:
    """The introspection endpoint needs to refuse callers that do not authenticate."""
    expect(anonymous_introspection).status(400, 401, 403)
