"""The authorization request (RFC 6749 section 4.1.1, RFC 7636, SMART "Request authorization code").

What is wrong with the client or its redirect URI is told to the person; everything else goes back
to the client by redirect (RFC 6749 section 4.1.2.1).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from harness.reference.clients import Client
from harness.reference.oauth import scopes
from harness.reference.oauth.forms import Form

if TYPE_CHECKING:
    from harness.reference.instance import Instance

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_UNSAFE_SCHEMES = frozenset({"", "javascript", "data", "vbscript", "file", "blob", "about"})


class NotRedirectable(Exception):
    """The request cannot be answered to the client; the text is for the person."""


@dataclass(frozen=True)
class ErrorRedirect(Exception):
    """An error that goes back to the client (RFC 6749 section 4.1.2.1)."""

    redirect_uri: str
    state: str | None
    error: str
    description: str


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A valid request of a registered client; `scopes` are those asked for, each once."""

    client: Client
    redirect_uri: str
    state: str
    scopes: tuple[str, ...]
    code_challenge: str
    nonce: str | None
    prompt: tuple[str, ...]

    def refuse(self, error: str, description: str) -> ErrorRedirect:
        """The error response to this request."""
        return ErrorRedirect(self.redirect_uri, self.state, error, description)


def parse(instance: Instance, form: Form) -> AuthorizationRequest:
    """Checks the parameters of a request to the authorization endpoint.

    Raises:
        NotRedirectable: client or redirect URI are not right.
        ErrorRedirect: anything else is not right.
    """
    client, redirect_uri = _client(instance, form)
    state = form.get("state")
    refuse = _Refuse(redirect_uri, state)
    if repeated := form.repeated():
        raise refuse("invalid_request", f"the parameter {repeated} is repeated")
    response_type = form.get("response_type")
    if response_type is None:
        raise refuse("invalid_request", "response_type is missing")
    if response_type != "code":
        raise refuse("unsupported_response_type", "response_type must be code")
    if not client.check_grant_type("authorization_code"):
        raise refuse("unauthorized_client", "the client may not use the authorization code grant")
    if state is None:
        raise refuse("invalid_request", "state is missing")
    _check_audience(instance, form.get("aud"), refuse)
    requested = scopes.split(form.get("scope") or "")
    if requested is None:
        raise refuse("invalid_scope", "scope is missing or malformed")
    return AuthorizationRequest(
        client=client,
        redirect_uri=redirect_uri,
        state=state,
        scopes=requested,
        code_challenge=_challenge(form, refuse),
        nonce=form.get("nonce"),
        prompt=tuple((form.get("prompt") or "").split()),
    )


def redirect_url(instance: Instance, redirect_uri: str, state: str | None, **what: str) -> str:
    """The redirect URI with the response and, exactly as it came, the state."""
    parameters = dict(what)
    if state is not None and not instance.has("state-not-echoed"):
        parameters["state"] = state[: len(state) // 2] if instance.has("state-altered") else state
    separator = "&" if urlsplit(redirect_uri).query else "?"
    return f"{redirect_uri}{separator}{urlencode(parameters)}"


@dataclass(frozen=True, slots=True)
class _Refuse:
    redirect_uri: str
    state: str | None

    def __call__(self, error: str, description: str) -> ErrorRedirect:
        return ErrorRedirect(self.redirect_uri, self.state, error, description)


def _client(instance: Instance, form: Form) -> tuple[Client, str]:
    if len(form.all("client_id")) != 1 or len(form.all("redirect_uri")) != 1:
        raise NotRedirectable("The app must name itself and where to return to, once each.")
    client = instance.clients.get(form.get("client_id") or "")
    if client is None:
        raise NotRedirectable("The app is not registered here.")
    redirect_uri = form.get("redirect_uri") or ""
    accepted = redirect_uri in client.redirect_uris
    if not accepted and instance.has("any-redirect-uri-accepted"):
        accepted = urlsplit(redirect_uri).scheme not in _UNSAFE_SCHEMES
    if not accepted:
        raise NotRedirectable("The app asks to return to an address that is not registered.")
    return client, redirect_uri


def _check_audience(instance: Instance, audience: str | None, refuse: _Refuse) -> None:
    if instance.has("wrong-audience-accepted"):
        return
    if audience is None:
        raise refuse("invalid_request", "aud is missing")
    if audience.removesuffix("/") != instance.fhir_base:
        raise refuse("invalid_request", "aud is not the FHIR base of this server")


def _challenge(form: Form, refuse: _Refuse) -> str:
    challenge = form.get("code_challenge")
    if challenge is None:
        raise refuse("invalid_request", "code_challenge is missing; PKCE is required")
    if form.get("code_challenge_method") != "S256":
        raise refuse("invalid_request", "code_challenge_method must be S256")
    if not _CHALLENGE.fullmatch(challenge):
        raise refuse("invalid_request", "code_challenge is no base64url of a SHA-256 digest")
    return challenge
