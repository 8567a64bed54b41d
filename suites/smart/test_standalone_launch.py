"""SMART App Launch, "Obtain authorization code", and RFC 6749 section 4.1.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#obtain-authorization-code
"""

from __future__ import annotations

from harness import Exchange, applies_if, conforms, expect, prerequisite, verifies
from harness.checks.acts.launch_errors import Attempt
from harness.checks.launching import Authorization
from harness.smart.discovery import Discovery


@verifies("smart/launch/code")
def test_approval_yields_a_code(authorization: Authorization) -> None:
    """An approved authorization request SHALL end in a redirect with a code."""
    conforms(
        authorization.code is not None,
        expected="a redirect to the redirect_uri with code",
        actual=authorization.outcome,
    )


@verifies("smart/launch/state")
def test_state_comes_back_unchanged(authorization: Authorization) -> None:
    """The redirect SHALL carry the exact state that was sent."""
    prerequisite(authorization.redirected, unless="the launch ended without a redirect")
    conforms(
        authorization.state_matches,
        expected="state, once, exactly as sent",
        actual=authorization.state_outcome,
    )


@verifies("smart/launch/wrong-audience")
def test_wrong_audience_yields_no_token(wrong_audience: Attempt) -> None:
    """A launch whose aud is another server SHALL NOT yield a token for this one."""
    conforms(
        not wrong_audience.opened,
        expected="no access token, or one that reads nothing here",
        actual="a token that reads the patient",
    )


@verifies("oauth/redirect-uri/unregistered")
def test_unregistered_redirect_uri_is_not_visited(unregistered_redirect: Authorization) -> None:
    """The authorization server SHALL NOT send the browser to an unregistered redirect_uri."""
    conforms(
        not unregistered_redirect.redirected,
        expected="an error page, and no redirect to the unregistered URI",
        actual=unregistered_redirect.outcome,
    )


@verifies("smart/launch/code-verifier-wrong")
def test_wrong_code_verifier_is_refused(wrong_verifier: Exchange) -> None:
    """The code_verifier SHALL be valid when the code is exchanged."""
    expect(wrong_verifier).refused_by_oauth(400, 401)


@verifies("smart/launch/code-verifier-missing")
def test_missing_code_verifier_is_refused(missing_verifier: Exchange) -> None:
    """The code_verifier SHALL be present when the code is exchanged."""
    expect(missing_verifier).refused_by_oauth(400, 401)


@verifies("smart/launch/post")
def test_authorization_request_may_be_posted(
    discovery: Discovery, posted_authorization: Authorization
) -> None:
    """The authorization endpoint SHALL accept the request by POST."""
    applies_if(discovery.claims("authorize-post"), unless="authorize-post is not declared")
    conforms(
        posted_authorization.code is not None,
        expected="a redirect to the redirect_uri with code",
        actual=posted_authorization.outcome,
    )
