"""The token, introspection and revocation endpoints: Authlib's server on Starlette requests."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from authlib.oauth2.rfc6749 import AuthorizationServer, OAuth2Request
from authlib.oauth2.rfc6749.errors import (
    InvalidClientError,
    InvalidRequestError,
    InvalidScopeError,
    OAuth2Error,
)
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from harness.reference.clients import Client
from harness.reference.instance import Instance
from harness.reference.oauth import faulty, scopes, tokens
from harness.reference.oauth.client_auth import AmbiguousClient, ClientRefused, authenticate
from harness.reference.oauth.context import launch_context
from harness.reference.oauth.forms import Form, FormRefused, read_form
from harness.reference.oauth.grants import GRANTS
from harness.reference.oauth.id_token import user_claim
from harness.reference.oauth.ledger import AccessToken, Grant, RefreshToken
from harness.reference.varied.discovery import issuer

_TRANSPORT = "https://tls.ends.in.front.invalid/"
"""Authlib refuses plain http; the reference EHR is on loopback or behind a proxy with TLS."""


class _FormRequest(OAuth2Request):  # type: ignore[misc]  # Authlib is untyped
    """A POST with a form, as Authlib wants to see it."""

    def __init__(self, form: Form, authorization: str | None) -> None:
        super().__init__("POST", _TRANSPORT)
        self.parameters = form
        self.authorization = authorization
        self.payload = BasicOAuth2Payload(dict(form.pairs))

    @property
    def form(self) -> dict[str, str]:
        return dict(self.parameters.pairs)


class Server(AuthorizationServer):  # type: ignore[misc]  # Authlib is untyped
    """The machine-facing half of one instance's authorization server."""

    def __init__(self, instance: Instance) -> None:
        super().__init__()
        self.instance = instance
        for grant in GRANTS:
            self.register_grant(grant)
        self.register_endpoint(_Introspection)
        self.register_endpoint(_Revocation)

    async def token(self, request: Request) -> Response:
        """POST /oauth/token."""
        response = await self._answer(request, self._token)
        if self.instance.has("token-response-cacheable"):
            del response.headers["cache-control"]
            del response.headers["pragma"]
        if self.instance.has("token-response-as-text"):
            response.headers["content-type"] = "text/plain; charset=utf-8"
        return response

    async def introspect(self, request: Request) -> Response:
        """POST /oauth/introspect (RFC 7662)."""
        return await self._answer(
            request, lambda each: self.create_endpoint_response("introspection", each)
        )

    async def revoke(self, request: Request) -> Response:
        """POST /oauth/revoke (RFC 7009)."""
        response = await self._answer(
            request, lambda each: self.create_endpoint_response("revocation", each)
        )
        if response.status_code == HTTPStatus.OK and self.instance.has("revocation-answers-error"):
            return JSONResponse({"error": "server_error"}, status_code=500)
        return response

    async def _answer(self, request: Request, endpoint: Any) -> Response:
        try:
            form = await read_form(request)
        except FormRefused as refusal:
            return self.handle_error_response(None, InvalidRequestError(str(refusal)))
        if repeated := form.repeated():
            error = InvalidRequestError(f"The parameter {repeated!r} is repeated.")
            return self.handle_error_response(None, error)
        response: Response = endpoint(_FormRequest(form, request.headers.get("authorization")))
        return response

    def _token(self, request: _FormRequest) -> Response:
        if request.payload.grant_type is None:
            error = InvalidRequestError("Missing 'grant_type' in request.")
            return self.handle_error_response(request, error)
        response: Response = self.create_token_response(request)
        return response

    # What Authlib asks of a framework integration.

    def create_oauth2_request(self, request: _FormRequest) -> _FormRequest:
        """Requests arrive already wrapped."""
        return request

    def handle_response(
        self, status: int, body: dict[str, Any], headers: list[tuple[str, str]]
    ) -> Response:
        """One JSON response."""
        return JSONResponse(body, status_code=status, headers=dict(headers))

    def handle_error_response(self, request: _FormRequest | None, error: OAuth2Error) -> Response:
        """An error response (RFC 6749 section 5.2)."""
        response: Response = super().handle_error_response(request, error)
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            response.headers["www-authenticate"] = f'Basic realm="reference", error="{error.error}"'
        if error.error == "invalid_grant" and self.instance.has("invalid-code-answers-200-error"):
            response.status_code = 200
        if error.error == "invalid_grant" and self.instance.has("error-code-wrong"):
            response = super().handle_error_response(request, InvalidRequestError())
        unknown = error.error == "unsupported_grant_type"
        if unknown and self.instance.has("unknown-grant-type-answers-500"):
            return JSONResponse({"error": "server_error"}, status_code=500)
        return response

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""

    def authenticate_client(
        self, request: _FormRequest, methods: list[str], endpoint: str = "token"
    ) -> Client:
        """The client, by whichever method it is registered for."""
        del methods
        if endpoint == "introspection" and self.instance.has("introspection-anonymous"):
            return next(iter(self.instance.clients.values()))
        if endpoint == "introspection" and self.instance.has("introspection-by-bearer-token"):
            return self._bearer(request.authorization)
        try:
            client = authenticate(self.instance, request.parameters, request.authorization)
        except AmbiguousClient as refusal:
            raise InvalidRequestError(str(refusal)) from refusal
        except ClientRefused as refusal:
            raise faulty.refusal(self.instance, request.parameters, str(refusal)) from refusal
        if endpoint == "introspection" and not client.confidential:
            raise InvalidClientError(
                description="introspection is for confidential clients", status_code=401
            )
        request.client = client
        return client

    def _bearer(self, authorization: str | None) -> Client:
        """The client that an access token was issued to."""
        scheme, _, value = (authorization or "").partition(" ")
        token = self.instance.ledger.live_access(value, self.instance.clock.now())
        if scheme.lower() != "bearer" or token is None:
            raise InvalidClientError(description="a bearer token is required", status_code=401)
        return self.instance.clients[token.grant.client_id]

    def generate_token(self, grant_type: str, client: Client, **what: Any) -> dict[str, Any]:
        """Issues what the grant at hand gives; `user` holds the grant, see `CodeGrant`."""
        grant: Grant | None = what.get("user")
        granted = tuple(str(what.get("scope") or "").split())
        if grant is None:
            return tokens.for_backend(self.instance, self._backend_grant(client, granted))
        if grant_type == "refresh_token":
            scopes_left = faulty.refreshed(self.instance, granted)
            answer = tokens.for_refresh(self.instance, grant, scopes_left)
            return tokens.identified_again(self.instance, grant, answer)
        return tokens.for_code(self.instance, grant)

    def save_token(self, token: dict[str, Any], request: _FormRequest) -> None:
        """The ledger knows the token since it was issued."""

    def _backend_grant(self, client: Client, requested: tuple[str, ...]) -> Grant:
        granted = scopes.preauthorized(requested, client, self.instance.smart)
        if self.instance.has("backend-scope-widened"):
            granted = client.scopes
        if self.instance.has("backend-grants-any-scope"):
            granted = requested
        if not granted:
            raise InvalidScopeError("None of the scopes is authorised for this client.")
        return Grant(secrets.token_urlsafe(8), client.client_id, granted)


@dataclass(frozen=True, slots=True)
class _Known:
    """A live token as Authlib's endpoints want to see it; None stands for a fault's invention."""

    token: AccessToken | RefreshToken | None

    def is_expired(self) -> bool:
        return False

    def is_revoked(self) -> bool:
        return False

    def check_client(self, client: Client) -> bool:
        return self.token is not None and self.token.grant.client_id == client.client_id


def _live(instance: Instance, value: str) -> AccessToken | RefreshToken | None:
    now, value = instance.clock.now(), faulty.unnumbered(instance, value)
    return instance.ledger.live_access(value, now) or instance.ledger.live_refresh(value, now)


def _past(instance: Instance, value: str) -> AccessToken | None:
    """A token that is over, and that a fault takes for a live one."""
    token = instance.ledger.access_tokens.get(faulty.unnumbered(instance, value))
    if token is None:
        return None
    if instance.ledger.ended(token):
        return token if instance.has("introspection-ignores-revocation") else None
    return token if instance.has("introspection-ignores-expiry") else None


class _Introspection(IntrospectionEndpoint):  # type: ignore[misc]  # Authlib is untyped
    """Confidential clients of the instance may ask about any token of the instance."""

    def query_token(self, value: str, hint: str | None) -> _Known | None:
        del hint
        instance: Instance = self.server.instance
        token = _live(instance, value)
        if isinstance(token, AccessToken) and instance.has("introspection-inactive-for-active"):
            return None
        if token is None and (past := _past(instance, value)):
            return _Known(past)
        if token is None and instance.has("introspection-active-for-garbage"):
            return _Known(None)
        return _Known(token) if token else None

    def check_permission(self, token: _Known, client: Client, request: _FormRequest) -> bool:
        del token, client, request
        return True

    def introspect_token(self, known: _Known) -> dict[str, Any]:
        token = known.token
        if token is None:
            return {"active": True}
        instance: Instance = self.server.instance
        grant = token.grant
        payload: dict[str, Any] = {
            "active": True,
            "iss": issuer(instance),
            "client_id": grant.client_id,
            "exp": int(token.expires_at.timestamp()),
            "scope": " ".join(grant.scopes),
            "sub": grant.username or grant.client_id,
        }
        context = grant.context
        if isinstance(token, AccessToken):
            payload["token_type"] = "Bearer"
            payload["iat"] = int(token.issued_at.timestamp())
            payload["scope"] = " ".join(token.access.scopes)
            context = replace(context, patient=token.access.patient)
        if grant.username is not None:
            payload |= launch_context(instance, context, grant.scopes)
        if grant.fhir_user is not None:
            payload["fhirUser"] = user_claim(instance, grant.fhir_user)
        return faulty.introspection(instance, payload, grant)


class _Revocation(RevocationEndpoint):  # type: ignore[misc]  # Authlib is untyped
    """A client ends its own tokens; a refresh token takes its whole grant with it."""

    def query_token(self, value: str, hint: str | None) -> _Known | None:
        del hint
        instance: Instance = self.server.instance
        token = _live(instance, value)
        if token is None and instance.has("revocation-of-unknown-refused"):
            raise OAuth2Error(error="invalid_token", status_code=400)
        return _Known(token) if token else None

    def revoke_token(self, known: _Known, request: _FormRequest) -> None:
        del request
        instance: Instance = self.server.instance
        token = known.token
        if token is None:
            return
        if isinstance(token, AccessToken) and instance.has("access-tokens-not-revocable"):
            raise OAuth2Error(error="unsupported_token_type", status_code=400)
        if isinstance(token, AccessToken) and not _ends_grants(instance):
            instance.ledger.revoke_access(token)
        elif isinstance(token, RefreshToken) and instance.has("revocation-spares-access-tokens"):
            instance.ledger.rotate(token)
        else:
            instance.ledger.revoke(token.grant)


def _ends_grants(instance: Instance) -> bool:
    """Whether the revocation of an access token takes its whole grant with it."""
    return instance.has("revocation-ends-the-whole-grant")
