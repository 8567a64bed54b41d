"""RFC 6749 sections 3.2.1, 4.1.3 and 6: codes and refresh tokens are good for their client alone.

https://www.rfc-editor.org/rfc/rfc6749#section-10.4
"""

from __future__ import annotations

from harness import Exchange, expect, verifies


@verifies("oauth/code/client-bound")
def test_code_of_another_client_is_refused(code_of_another_client: Exchange) -> None:
    """A code SHALL be issued to the client that brings it."""
    expect(code_of_another_client).refused_by_oauth(400, 401)


@verifies("oauth/client/unauthenticated")
def test_unauthenticated_client_gets_no_token(unauthenticated_code: Exchange) -> None:
    """A confidential client SHALL authenticate when it brings a code."""
    expect(unauthenticated_code).refused_by_oauth(400, 401)


@verifies("oauth/client/unauthenticated")
def test_unauthenticated_client_refreshes_nothing(unauthenticated_refresh: Exchange) -> None:
    """A confidential client SHALL authenticate when it refreshes."""
    expect(unauthenticated_refresh).refused_by_oauth(400, 401)


@verifies("smart/refresh/bound-to-client")
def test_refresh_token_of_another_client_is_refused(
    refresh_by_another_client: Exchange,
) -> None:
    """A refresh token SHALL be bound to its client."""
    expect(refresh_by_another_client).refused_by_oauth(400, 401)


@verifies("oauth/code/replay-revokes")
def test_replayed_code_revokes_what_it_gave(refresh_after_replay: Exchange) -> None:
    """When a code comes twice, the tokens that it gave SHOULD be revoked."""
    expect(refresh_after_replay).refused_by_oauth(400, 401)
