"""RFC 6749 section 4.1.2 and SMART App Launch, "Access FHIR API": what is over is worth nothing.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#response-6
"""

from __future__ import annotations

from harness import Exchange, expect, prerequisite, verifies
from harness.checks.acts.access import reveals
from harness.checks.found import Found


@verifies("oauth/code/expires")
def test_expired_code_is_refused(expired_code: Exchange) -> None:
    """A code SHOULD live for ten minutes at most."""
    expect(expired_code).refused_by_oauth(400, 401)


@verifies("smart/access/expired")
def test_expired_token_reads_nothing(patient_read: Exchange, expired_token_read: Exchange) -> None:
    """After expires_in the access token SHALL NOT be accepted."""
    prerequisite(patient_read.status == 200, unless="the live token could not read it either")
    expect(expired_token_read).that(
        not reveals(expired_token_read), expected="status 401", actual="the resource"
    )


@verifies("smart/backend/expired")
def test_expired_backend_token_finds_nothing(
    system_search: Found, expired_backend_read: Exchange
) -> None:
    """A resource server SHALL ensure that a backend client's token has not expired."""
    live = system_search.pages[0]
    prerequisite(live.status == 200, unless="the live token could not search either")
    expect(expired_backend_read).status(401, 403)
