"""SMART Backend Services, and asymmetric client authentication.

https://hl7.org/fhir/smart-app-launch/STU2.2/backend-services.html
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from harness import Exchange, applies_if, expect, prerequisite, verifies
from harness.checks.acts.access import Probe, reveals
from harness.checks.acts.assertions import WRONG
from harness.checks.acts.backend import BackendGrant
from harness.checks.acts.backend_requests import INCOMPLETE, granted_nonsense
from harness.checks.acts.token_errors import is_refusal
from harness.checks.found import Found

FIVE_MINUTES = 300


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


@verifies("smart/backend/no-store")
def test_backend_tokens_are_not_stored(backend_grant: BackendGrant) -> None:
    """A response with a backend token SHALL forbid storing with Cache-Control: no-store."""
    expect(backend_grant).header("Cache-Control", contains="no-store")


@verifies("smart/backend/short-lived")
def test_backend_token_is_short_lived(backend_grant: BackendGrant) -> None:
    """A backend client's token SHOULD NOT live longer than five minutes."""
    life = backend_grant.token.expires_in
    applies_if(life, unless="expires_in is missing, which is judged by itself")
    expect(backend_grant).that(
        life is not None and life <= FIVE_MINUTES,
        expected=f"expires_in of at most {FIVE_MINUTES}",
        actual=f"{life:.0f}",
    )


@verifies("smart/backend/unknown-scope")
def test_scope_beyond_the_registration_is_not_granted(unknown_backend_scope: Exchange) -> None:
    """A request SHALL be held to the scopes that the client was authorized for."""
    if is_refusal(unknown_backend_scope):
        return
    expect(unknown_backend_scope).that(
        unknown_backend_scope.status < 300 and not granted_nonsense(unknown_backend_scope),
        expected="an OAuth error, or a token without that scope",
        actual=f"status {unknown_backend_scope.status}"
        + (" and that scope" if granted_nonsense(unknown_backend_scope) else ""),
    )


@verifies("smart/backend/declared")
def test_client_authentication_by_key_is_declared(
    configuration: Exchange, backend_grant: BackendGrant
) -> None:
    """A server SHALL declare that it supports clients with a key."""
    del backend_grant
    declared = configuration.json_object().get("capabilities")
    prerequisite(isinstance(declared, list), unless="the configuration lists no capabilities")
    name = "client-confidential-asymmetric"
    expect(configuration).member("capabilities", list, contains=name)


@verifies("smart/backend/scope-enforced")
def test_backend_token_reads_nothing_beyond_its_scopes(limited_backend_read: Exchange) -> None:
    """The resource server SHALL ensure that the scope covers the resource that is read."""
    expect(limited_backend_read).that(
        not reveals(limited_backend_read), expected="401, 403 or 404", actual="the resource"
    )


@verifies("smart/backend/scope-enforced")
def test_backend_token_finds_nothing_beyond_its_scopes(limited_backend_search: Probe) -> None:
    """The resource server SHALL ensure that the scope covers what is searched."""
    expect(limited_backend_search).that(
        not limited_backend_search.leaked,
        expected="a refusal, or no match",
        actual=limited_backend_search.outcome,
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


@verifies("smart/backend/assertion-jku")
def test_key_set_that_is_not_registered_is_refused(foreign_key_set: Exchange) -> None:
    """An assertion whose jku is not the registered one SHALL be refused."""
    expect(foreign_key_set).refused_by_oauth(400, 401)


@verifies("smart/backend/incomplete")
@pytest.mark.parametrize("lack", INCOMPLETE)
def test_request_without_a_proper_assertion_is_refused(
    incomplete_requests: Mapping[str, Exchange], lack: str
) -> None:
    """client_assertion and its type are required."""
    expect(incomplete_requests[lack]).refused_by_oauth(400, 401)


@verifies("smart/backend/invalid-client")
def test_refused_assertion_is_an_invalid_client(
    forged_assertion: Exchange,
    expired_assertion: Exchange,
    foreign_assertion: Exchange,
    wrong_assertions: Mapping[str, Exchange],
) -> None:
    """Failed authentication SHALL be answered with the error invalid_client."""
    answers = [forged_assertion, expired_assertion, foreign_assertion, *wrong_assertions.values()]
    refused = [each for each in answers if is_refusal(each)]
    applies_if(refused, unless="no wrong assertion is refused by an OAuth error")
    for each in refused:
        expect(each).member("error", equals="invalid_client")
