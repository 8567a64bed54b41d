"""SMART Backend Services, and asymmetric client authentication.

https://hl7.org/fhir/smart-app-launch/STU2.2/backend-services.html
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from harness import Exchange, expect, verifies
from harness.checks.acts.assertions import WRONG
from harness.checks.acts.backend import BackendGrant
from harness.checks.found import Found


@verifies("smart/backend/token")
def test_assertion_yields_an_access_token(backend_token: Exchange) -> None:
    """A valid request SHALL yield an access token with its type, lifetime and scope."""
    answer = expect(backend_token).status(200, 201).member("access_token", str)
    answer.member("token_type", matches=r"(?i)^bearer$")
    answer.member("expires_in", int).member("scope", str)


@verifies("smart/backend/scope")
def test_backend_scopes_are_no_more_than_asked_for(backend_grant: BackendGrant) -> None:
    """A backend client SHALL NOT get scopes beyond those it asked for."""
    expect(backend_grant.exchange).that(
        not backend_grant.added_scopes,
        expected="the scopes asked for, or fewer",
        actual=f"more: {' '.join(backend_grant.added_scopes)}",
    )


@verifies("smart/backend/reads")
def test_backend_token_reads_one_patient(system_search: Found) -> None:
    """The token SHALL give access to what its system scopes cover, and a search its own result."""
    expect(system_search.pages[0]).status(200)
    system_search.expect_precise()


@verifies("smart/backend/assertion-signature")
def test_forged_signature_is_refused(forged_assertion: Exchange) -> None:
    """An assertion whose signature does not verify SHALL be refused."""
    expect(forged_assertion).refused_by_oauth(400, 401)


@verifies("smart/backend/assertion-expired")
def test_expired_assertion_is_refused(expired_assertion: Exchange) -> None:
    """An expired assertion SHALL be refused."""
    expect(expired_assertion).refused_by_oauth(400, 401)


@verifies("smart/backend/assertion-audience")
def test_assertion_for_another_audience_is_refused(foreign_assertion: Exchange) -> None:
    """An assertion made out to another audience SHALL be refused."""
    expect(foreign_assertion).refused_by_oauth(400, 401)


@verifies("smart/backend/assertion-replay")
def test_replayed_assertion_is_refused(replayed_assertion: Exchange) -> None:
    """An assertion whose jti was used before SHALL be refused."""
    expect(replayed_assertion).refused_by_oauth(400, 401)


@verifies("smart/backend/assertion-invalid")
@pytest.mark.parametrize("wrong", WRONG)
def test_invalid_assertion_is_refused(wrong_assertions: Mapping[str, Exchange], wrong: str) -> None:
    """An assertion that is wrong in any way that RFC 7523 names SHALL be refused."""
    expect(wrong_assertions[wrong]).refused_by_oauth(400, 401)


@verifies("smart/backend/assertion-symmetric")
def test_symmetric_assertion_is_refused(symmetric_assertion: Exchange) -> None:
    """An assertion SHALL be verified with the registered keys and their algorithms."""
    expect(symmetric_assertion).refused_by_oauth(400, 401)


@verifies("smart/backend/assertion-long")
def test_long_lived_assertion_is_refused(far_assertion: Exchange) -> None:
    """An assertion that lives longer than five minutes may have been stolen."""
    expect(far_assertion).refused_by_oauth(400, 401)
