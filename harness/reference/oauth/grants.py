"""The grants of the token endpoint, on Authlib's grant classes.

Authlib runs the steps and words the errors of RFC 6749; here stand the ledger, PKCE (RFC 7636,
S256 only) and the rotation of refresh tokens (RFC 9700 section 4.14).
"""

from __future__ import annotations

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
from harness.reference.oauth import faulty
from harness.reference.oauth.authorization_request import code_challenge
from harness.reference.oauth.ledger import Code, Grant, RefreshToken
from harness.reference.oauth.scopes import covered, split
from harness.reference.oauth.tokens import rotates

DAYS = 3
"""How often a grant can be refreshed where a fault ends it early."""


@dataclass(frozen=True, slots=True)
class _Redeemable:
    """A code or refresh token as Authlib's steps want to see it."""

    token: Code | RefreshToken
    redirect_uri: str | None = None
    any_client: bool = False

    def get_redirect_uri(self) -> str | None:
        return self.redirect_uri

    def get_scope(self) -> str:
        return " ".join(self.token.grant.scopes)

    def check_client(self, client: Client) -> bool:
        if self.any_client or not client.registered:
            return True
        return self.token.grant.client_id == client.client_id


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
        if code.code_challenge is None:
            # RFC 9700 section 2.1.1: no verifier where there was no challenge.
            if "code_verifier" in self.request.form:
                raise InvalidGrantError("The code was asked for without a code_challenge.")
            return
        verifier = self.request.form.get("code_verifier")
        if verifier is None:
            if not self.instance.has("pkce-missing-verifier-accepted"):
                raise InvalidRequestError("Missing 'code_verifier' in request.")
        elif not self.instance.has("pkce-verifier-ignored"):
            challenge = code_challenge(verifier)
            if not secrets.compare_digest(challenge.encode(), code.code_challenge.encode()):
                raise InvalidGrantError("The code_verifier does not match the code_challenge.")

    def query_authorization_code(self, value: str, client: Client) -> _Redeemable | None:
        """The code, unless it is unknown, spent, expired, revoked or another client's.

        It is spent by this, whether or not verifier and redirect_uri turn out right: RFC 6749
        section 4.1.2 binds it to the client and lets it be used once, and RFC 9700 section 4.5
        ends it with its first use at the token endpoint. So nobody tries twice. Another client
        does not spend it, lest it could cut off a launch that is not its own.
        """
        ledger = self.instance.ledger
        code = ledger.codes.get(value)
        spent = ledger.spent.get(value)
        if code is None and isinstance(spent, Code):
            if self.instance.has("code-replay-accepted"):
                code = spent
            elif spent.grant.client_id == client.client_id:
                ledger.revoke(spent.grant)
        if code is None:
            return None
        expired = self.instance.clock.now() >= code.expires_at
        if expired and not self.instance.has("code-never-expires"):
            return None
        lenient = self.instance.has("code-redirect-uri-ignored")
        redeemable = _Redeemable(code, None if lenient else code.redirect_uri)
        foreign = not redeemable.check_client(client)
        if foreign and not self.instance.has("code-of-another-client-accepted"):
            return None
        ledger.spend_code(code)
        return None if ledger.revoked(code.grant) else redeemable

    def authenticate_user(self, redeemable: _Redeemable) -> Grant:
        """What Authlib calls the user is here the grant that the user gave."""
        return redeemable.token.grant

    def delete_authorization_code(self, redeemable: _Redeemable) -> None:
        """A code is spent already, see `query_authorization_code`."""


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
        token = faulty.ended(self.instance, ledger.live_refresh(value, now))
        spent = ledger.spent.get(value)
        if token is None and isinstance(spent, RefreshToken) and now < spent.expires_at:
            if self.instance.has("refresh-reuse-accepted"):
                token = None if ledger.revoked(spent.grant) else spent
            elif spent.grant.client_id == client.client_id:
                ledger.revoke(spent.grant)
        if token is not None and self.instance.has("refresh-ends-early"):
            done = (each for each in ledger.spent.values() if isinstance(each, RefreshToken))
            token = token if sum(each.grant == token.grant for each in done) < DAYS else None
        if token is None and self.instance.has("refresh-token-any-accepted"):
            token = ledger.last_refresh(client.client_id)
        lenient = self.instance.has("refresh-of-another-client-accepted")
        return _Redeemable(token, any_client=lenient) if token else None

    def _validate_token_scope(self, token: _Redeemable) -> None:
        """In the place of Authlib's comparison of strings: no more than was granted."""
        text = self.request.payload.scope
        if not text or self.instance.has("refresh-grants-any-scope"):
            return
        requested = split(text)
        granted = token.token.grant.scopes
        if requested is None or not covered(requested, granted, self.instance.smart):
            raise InvalidScopeError("The scope goes beyond what was granted.")

    def authenticate_user(self, redeemable: _Redeemable) -> Grant:
        """What Authlib calls the user is here the grant that the user gave."""
        return redeemable.token.grant

    def revoke_old_credential(self, redeemable: _Redeemable) -> None:
        """The old refresh token dies when the new one is given, if it was the one that was sent."""
        token = redeemable.token
        sent = self.request.form.get("refresh_token")
        if isinstance(token, RefreshToken) and token.value == sent and rotates(self.instance):
            self.instance.ledger.rotate(token)


class BackendGrant(grants.ClientCredentialsGrant):  # type: ignore[misc]  # Authlib is untyped
    """client_credentials (RFC 6749 section 4.4, SMART Backend Services)."""

    def validate_requested_scope(self) -> None:
        """SMART Backend Services demands a scope."""
        text = self.request.payload.scope
        if not text:
            raise InvalidRequestError("Missing 'scope' in request.")
        if split(text) is None:
            raise InvalidScopeError("The scope is malformed.")


GRANTS: tuple[type[Any], ...] = (CodeGrant, RefreshGrant, BackendGrant)
