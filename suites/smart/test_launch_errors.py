"""RFC 6749 section 3.1.2.3 and RFC 7636: launches that must not end in a token.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#considerations-for-pkce-support
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from harness import conforms, verifies
from harness.checks.acts.launch_errors import SIMILAR, Attempt
from harness.checks.launching import Authorization


@verifies("smart/launch/pkce-plain")
def test_plain_challenge_yields_no_token(plain_pkce: Attempt) -> None:
    """A server SHALL NOT support the PKCE method plain."""
    conforms(not plain_pkce.granted, expected="no access token", actual=plain_pkce.outcome)


@verifies("smart/launch/pkce-missing")
def test_missing_challenge_yields_no_token(no_pkce: Attempt) -> None:
    """A server SHALL NOT give a token without a valid code_verifier."""
    conforms(not no_pkce.granted, expected="no access token", actual=no_pkce.outcome)


@verifies("oauth/audience/missing")
def test_missing_audience_yields_no_token(missing_audience: Attempt) -> None:
    """A launch that names no FHIR server needs to be refused, or any server could be meant."""
    conforms(
        not missing_audience.granted, expected="no access token", actual=missing_audience.outcome
    )


@verifies("oauth/redirect-uri/exact")
@pytest.mark.parametrize("kind", SIMILAR)
def test_similar_redirect_uri_is_not_visited(
    similar_redirects: Mapping[str, Authorization], kind: str
) -> None:
    """A redirect_uri SHALL be compared with the registered one as a string."""
    conforms(
        not similar_redirects[kind].redirected,
        expected="an error page, and no redirect",
        actual=similar_redirects[kind].outcome,
    )


@verifies("oauth/scope/missing")
def test_missing_scope_opens_no_resources(missing_scope: Attempt) -> None:
    """What was not asked for is better not granted: a default is the server's, or a refusal."""
    granted = [str(each) for each in missing_scope.scope.resources]
    actual = f"granted: {' '.join(granted)}"
    conforms(not granted, expected="no code, or no resource scope", actual=actual)
