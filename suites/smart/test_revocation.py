"""RFC 7009: OAuth 2.0 Token Revocation.

https://www.rfc-editor.org/rfc/rfc7009#section-2
"""

from __future__ import annotations

from harness import Exchange, conforms, expect, verifies
from harness.checks.acts.access import reveals
from harness.checks.acts.revocation import Revoked


@verifies("oauth/revocation/status")
def test_revocation_is_answered_with_200(revoked_access_token: Revoked) -> None:
    """The authorization server responds with 200 when the token has been revoked."""
    expect(revoked_access_token.answer).status(200)


@verifies("oauth/revocation/status")
def test_revocation_of_a_refresh_token_is_answered_with_200(
    revoked_refresh_token: Revoked,
) -> None:
    """The same holds of a refresh token."""
    expect(revoked_refresh_token.answer).status(200)


@verifies("oauth/revocation/unknown")
def test_revocation_of_an_unknown_token_is_no_error(revoked_unknown_token: Exchange) -> None:
    """A client that gives back what is over already has what it wants: 200."""
    expect(revoked_unknown_token).status(200)


@verifies("oauth/revocation/grant")
def test_revoked_refresh_token_ends_its_access_tokens(revoked_refresh_token: Revoked) -> None:
    """With a refresh token the access tokens of its grant SHOULD end."""
    revoked_refresh_token.accepted()
    use = revoked_refresh_token.beside
    conforms(
        use is None or not reveals(use),
        expected="401 to an access token of the grant",
        actual="the resource",
        where=use.where if use else None,
    )


@verifies("oauth/revocation/access-token")
def test_revoked_access_token_reads_nothing(revoked_access_token: Revoked) -> None:
    """A revoked access token SHOULD NOT be usable again: a self-contained one may outlive it."""
    use = revoked_access_token.accepted()
    expect(use).that(not reveals(use), expected="401", actual="the resource")


@verifies("oauth/revocation/dead")
def test_revoked_refresh_token_is_refused(revoked_refresh_token: Revoked) -> None:
    """A revoked refresh token SHALL NOT be usable again."""
    expect(revoked_refresh_token.accepted()).refused_by_oauth(400, 401)
