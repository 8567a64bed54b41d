"""The grants of the token endpoint, on Authlib's grant classes.

Authlib runs the steps and words the errors of RFC 6749; here stand the ledger, PKCE (RFC 7636,
S256 only) and the rotation of refresh tokens (RFC 9700 section 4.14).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

from authlib.oauth2.rfc6749 import grants
from authlib.oauth2.rfc6749.errors import (
    InvalidGrantError,
    InvalidRequestError,
    InvalidScopeError,
)

from harness.reference.clients import Client
from harness.reference.instance import Instance
from harness.reference.oauth.ledger import Code, Grant, RefreshToken
from harness.reference.oauth.scopes import split


@dataclass(frozen=True, slots=True)
class _Redeemable:
    """A code or refresh token as Authlib's steps want to see it."""

    token: Code | RefreshToken
    redirect_uri: str | None = None

    def get_redirect_uri(self) -> str | None:
        return self.redirect_uri

    def get_scope(self) -> str:
        return " ".join(self.token.grant.scopes)

    def check_client(self, client: Client) -> bool:
        return not client.registered or self.token.grant.client_id == client.client_id


class CodeGrant(grants.AuthorizationCodeGrant):  # type: ignore[misc]  # Authlib is untyped
    """authorization_code (RFC 6749 section 4.1.3)."""

    @property
    def instance(self) -> Instance:
        """The instance whose token endpoint was asked."""
        instance: Instance = self.server.instance
        return instance

    def validate_token_request(self) -> None:
        """Authenticates the client, then compares the code with everything it is bound to."""
        super().validate_token_request()
        code: Code = self.request.authorization_code.token
        verifier = self.request.form.get("code_verifier")
        if verifier is None:
            if not self.instance.has("pkce-missing-verifier-accepted"):
                raise InvalidRequestError("Missing 'code_verifier' in request.")
        elif not self.instance.has("pkce-verifier-ignored"):
            challenge = code_challenge(verifier)
            if not secrets.compare_digest(challenge.encode(), code.code_challenge.encode()):
                raise InvalidGrantError("The code_verifier does not match the code_challenge.")

    def query_authorization_code(self, value: str, client: Client) -> _Redeemable | None:
        """The code, unless it is unknown, spent, expired, revoked or another client's."""
        ledger = self.instance.ledger
        code = ledger.codes.get(value)
        spent = ledger.spent.get(value)
        if code is None and isinstance(spent, Code):
            if self.instance.has("code-replay-accepted"):
                code = spent
            elif spent.grant.client_id == client.client_id:
                ledger.revoke(spent.grant)
        if code is None or self.instance.clock.now() >= code.expires_at:
            return None
        lenient = self.instance.has("code-redirect-uri-ignored")
        redeemable = _Redeemable(code, None if lenient else code.redirect_uri)
        if ledger.revoked(code.grant) or not redeemable.check_client(client):
            return None
        return redeemable

    def authenticate_user(self, redeemable: _Redeemable) -> Grant:
        """What Authlib calls the user is here the grant that the user gave."""
        return redeemable.token.grant

    def delete_authorization_code(self, redeemable: _Redeemable) -> None:
        """A code is spent once tokens were issued for it."""
        if isinstance(redeemable.token, Code):
            self.instance.ledger.spend_code(redeemable.token)


class RefreshGrant(grants.RefreshTokenGrant):  # type: ignore[misc]  # Authlib is untyped
    """refresh_token (RFC 6749 section 6), rotating; reuse ends the whole family."""

    @property
    def instance(self) -> Instance:
        """The instance whose token endpoint was asked."""
        instance: Instance = self.server.instance
        return instance

    def authenticate_refresh_token(self, value: str) -> _Redeemable | None:
        """The refresh token, unless it is unknown, rotated, expired or revoked."""
        ledger, now = self.instance.ledger, self.instance.clock.now()
        client: Client = self.request.client
        token = ledger.live_refresh(value, now)
        spent = ledger.spent.get(value)
        if token is None and isinstance(spent, RefreshToken) and now < spent.expires_at:
            if self.instance.has("refresh-reuse-accepted"):
                token = None if ledger.revoked(spent.grant) else spent
            elif spent.grant.client_id == client.client_id:
                ledger.revoke(spent.grant)
        if token is None and self.instance.has("refresh-token-any-accepted"):
            token = ledger.last_refresh(client.client_id)
        return _Redeemable(token) if token else None

    def _validate_token_scope(self, token: _Redeemable) -> None:
        """Authlib's own comparison: no more than was granted."""
        if not self.instance.has("refresh-grants-any-scope"):
            super()._validate_token_scope(token)

    def authenticate_user(self, redeemable: _Redeemable) -> Grant:
        """What Authlib calls the user is here the grant that the user gave."""
        return redeemable.token.grant

    def revoke_old_credential(self, redeemable: _Redeemable) -> None:
        """The old refresh token dies when the new one is given."""
        if isinstance(redeemable.token, RefreshToken):
            self.instance.ledger.rotate(redeemable.token)


class BackendGrant(grants.ClientCredentialsGrant):  # type: ignore[misc]  # Authlib is untyped
    """client_credentials (RFC 6749 section 4.4, SMART Backend Services)."""

    def validate_requested_scope(self) -> None:
        """SMART Backend Services demands a scope."""
        text = self.request.payload.scope
        if not text:
            raise InvalidRequestError("Missing 'scope' in request.")
        if split(text) is None:
            raise InvalidScopeError("The scope is malformed.")


def code_challenge(verifier: str) -> str:
    """S256 (RFC 7636 section 4.2)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


GRANTS: tuple[type[Any], ...] = (CodeGrant, RefreshGrant, BackendGrant)
