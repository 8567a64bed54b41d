"""RFC 6749 section 4.1.2.1: what an application learns when a person declines its request.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#response-4
"""

from __future__ import annotations

from harness import conforms, prerequisite, verifies
from harness.checks.launching import Authorization


@verifies("smart/launch/denied")
def test_denial_comes_back_as_an_error(denied_authorization: Authorization) -> None:
    """A request that was declined SHALL end in a redirect with an error, and without a code."""
    answer = denied_authorization.response
    conforms(
        answer is not None and answer.error and not answer.code,
        expected="a redirect to the redirect_uri with error",
        actual=denied_authorization.outcome,
    )


@verifies("oauth/denial/error")
def test_denial_is_called_access_denied(denied_authorization: Authorization) -> None:
    """The error of a request that was declined SHALL be access_denied."""
    answer = denied_authorization.response
    error = answer.error if answer else None
    prerequisite(error, unless="the denial came back without an error")
    conforms(
        error == "access_denied",
        expected="error access_denied",
        actual=denied_authorization.outcome,
    )


@verifies("oauth/denial/state")
def test_denial_carries_the_state(denied_authorization: Authorization) -> None:
    """An error response SHALL carry the exact state that was sent."""
    prerequisite(denied_authorization.redirected, unless="the denial ended without a redirect")
    conforms(
        denied_authorization.state_matches,
        expected="state, once, exactly as sent",
        actual=denied_authorization.state_outcome,
    )
