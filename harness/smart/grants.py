"""Requests to the token, introspection and revocation endpoints: each one POST, one exchange.

Repeated only when the server refused it for load, never after a time-out: the code, the refresh
token or the assertion may be used up by then.
RFC 6749 sections 4.1.3, 4.4 and 6, RFC 7662, RFC 7009.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlencode

from harness.http.client import SMALL, HttpClient
from harness.http.exchange import Exchange, Headers, Request
from harness.smart.client_auth import ClientProof

Fields = Iterable[tuple[str, str | None]]


def token_request(
    endpoint: str, fields: Fields, proof: ClientProof, extra: Mapping[str, str] | None = None
) -> Request:
    """One form, as the token endpoint wants it; fields that are None are left out."""
    kept = [(name, value) for name, value in fields if value is not None]
    body = urlencode([*kept, *(extra or {}).items(), *proof.fields])
    headers = (
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Accept", "application/json"),
        *proof.headers,
    )
    return Request("POST", endpoint, Headers(headers), body.encode("ascii"))


async def exchange_code(
    http: HttpClient,
    endpoint: str,
    proof: ClientProof,
    *,
    code: str,
    redirect_uri: str,
    verifier: str | None = None,
    extra: Mapping[str, str] | None = None,
) -> Exchange:
    """Authorization code for tokens; any status comes back as an exchange.

    Args:
        http: the sender.
        endpoint: the token endpoint.
        proof: who asks.
        code: as it came by redirect.
        redirect_uri: as in the authorization request.
        verifier: of PKCE; None leaves it out.
        extra: further fields.
    """
    fields = (
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect_uri),
        ("code_verifier", verifier),
    )
    return await _send(http, token_request(endpoint, fields, proof, extra))


async def refresh(
    http: HttpClient,
    endpoint: str,
    proof: ClientProof,
    *,
    refresh_token: str,
    scope: str | None = None,
) -> Exchange:
    """Refresh token for an access token; without `scope` the granted ones stay."""
    fields = (("grant_type", "refresh_token"), ("refresh_token", refresh_token), ("scope", scope))
    return await _send(http, token_request(endpoint, fields, proof))


async def client_credentials(
    http: HttpClient, endpoint: str, proof: ClientProof, *, scopes: Iterable[str]
) -> Exchange:
    """A token for the client itself (SMART Backend Services)."""
    fields = (("grant_type", "client_credentials"), ("scope", " ".join(scopes) or None))
    return await _send(http, token_request(endpoint, fields, proof))


async def introspect(
    http: HttpClient,
    endpoint: str,
    proof: ClientProof,
    *,
    token: str,
    hint: str | None = None,
    bearer: str | None = None,
) -> Exchange:
    """Ask what a token is worth (RFC 7662 section 2.1).

    Args:
        http: the sender.
        endpoint: the introspection endpoint.
        proof: who asks; an empty one asks without authentication.
        token: the token in question.
        hint: `access_token` or `refresh_token`.
        bearer: authorises the request by a token instead of by the client.
    """
    authorised = (("Authorization", f"Bearer {bearer}"),) if bearer else ()
    asking = ClientProof((*proof.headers, *authorised), proof.fields)
    fields = (("token", token), ("token_type_hint", hint))
    return await _send(http, token_request(endpoint, fields, asking))


async def revoke(
    http: HttpClient, endpoint: str, proof: ClientProof, *, token: str, hint: str | None = None
) -> Exchange:
    """Give a token back (RFC 7009 section 2.1)."""
    fields = (("token", token), ("token_type_hint", hint))
    return await _send(http, token_request(endpoint, fields, proof))


async def _send(http: HttpClient, request: Request) -> Exchange:
    return await http.send(request, urgent=True, max_bytes=SMALL)
