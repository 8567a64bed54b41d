"""RFC 6749 sections 4.1.3 and 5.2: what the token endpoint has to refuse.

https://www.rfc-editor.org/rfc/rfc6749#section-5.2
"""

from __future__ import annotations

from harness import Exchange, applies_if, expect, verifies
from harness.checks.acts.token_errors import is_refusal


@verifies("oauth/code/unknown")
def test_unknown_code_is_refused(unknown_code: Exchange) -> None:
    """An unknown code SHALL be refused with 400 and an OAuth error."""
    expect(unknown_code).refused_by_oauth(400)


@verifies("oauth/code/error")
def test_refusal_of_a_code_is_called_invalid_grant(unknown_code: Exchange) -> None:
    """A refusal SHALL name its reason: a code that is not valid is an invalid_grant."""
    applies_if(is_refusal(unknown_code), unless="the code is not refused by an OAuth error")
    expect(unknown_code).member("error", equals="invalid_grant")


@verifies("oauth/code/single-use")
def test_used_code_is_refused(code_replay: Exchange) -> None:
    """A code SHALL NOT be used more than once."""
    expect(code_replay).refused_by_oauth(400, 401)


@verifies("oauth/code/redirect-uri-bound")
def test_other_redirect_uri_is_refused(other_redirect_uri: Exchange) -> None:
    """The redirect_uri of the token request SHALL be the one of the authorization request."""
    expect(other_redirect_uri).refused_by_oauth(400, 401)


@verifies("oauth/client/unknown")
def test_unknown_client_is_refused(unknown_client: Exchange) -> None:
    """An unknown client SHALL be refused."""
    expect(unknown_client).refused_by_oauth(400, 401)


@verifies("oauth/client/wrong-secret")
def test_wrong_secret_is_refused(wrong_secret: Exchange) -> None:
    """A confidential client with a wrong secret SHALL be refused."""
    expect(wrong_secret).refused_by_oauth(400, 401)


@verifies("oauth/client/challenge")
def test_refused_secret_in_a_header_is_challenged(wrong_secret: Exchange) -> None:
    """A client that is refused by its Authorization header SHALL be told which scheme to use."""
    header = wrong_secret.request.headers.get("Authorization")
    applies_if(header, unless="the client authenticates in the body of the request")
    applies_if(is_refusal(wrong_secret), unless="the client is not refused by an OAuth error")
    expect(wrong_secret).status(401).header("WWW-Authenticate", matches=r"(?i)\bbasic\b")


@verifies("oauth/grant-type/unsupported")
def test_unknown_grant_type_is_refused(unknown_grant_type: Exchange) -> None:
    """An unknown grant type SHALL be refused with 400 and an OAuth error."""
    expect(unknown_grant_type).refused_by_oauth(400, 401)
