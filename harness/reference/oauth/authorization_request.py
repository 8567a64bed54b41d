"""The authorization request (RFC 6749 section 4.1.1, RFC 7636, SMART "Request authorization code").

What is wrong with the client or its redirect URI is told to the person; everything else goes back
to the client by redirect (RFC 6749 section 4.1.2.1).
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from harness.reference.clients import Client
from harness.reference.oauth import scopes
from harness.reference.oauth.forms import Form
from harness.reference.oauth.launches import Launch
from harness.reference.smart import SmartVersion

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
    """A valid request of a registered client.

    Args:
        client: who asks.
        redirect_uri: one of those registered.
        state: as it came.
        scopes: those asked for, each once.
        code_challenge: of S256; None where the version of SMART lets a client do without.
        nonce: for the id_token.
        prompt: as OpenID Connect defines it.
        launch: what the EHR launched; None in a standalone launch.
    """

    client: Client
    redirect_uri: str
    state: str | None
    scopes: tuple[str, ...]
    code_challenge: str | None
    nonce: str | None
    prompt: tuple[str, ...]
    launch: Launch | None = None

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
    requested = _scopes(instance, form.get("scope"), refuse)
    return AuthorizationRequest(
        client=client,
        redirect_uri=redirect_uri,
        state=state,
        scopes=requested,
        code_challenge=_challenge(instance, client, form, refuse),
        nonce=form.get("nonce"),
        prompt=tuple((form.get("prompt") or "").split()),
        launch=_launch(instance, form.get("launch"), client, requested, refuse),
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
    if not accepted and instance.has("open-redirect-on-error"):
        raise ErrorRedirect(redirect_uri, form.get("state"), "invalid_request", "redirect_uri")
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


def _scopes(instance: Instance, text: str | None, refuse: _Refuse) -> tuple[str, ...]:
    if text is None and instance.has("scope-empty-grants-all"):
        return scopes.supported(instance.smart)
    requested = scopes.split(text or "")
    if requested is None:
        raise refuse("invalid_scope", "scope is missing or malformed")
    if instance.has("v1-scopes-dropped"):
        requested = tuple(each for each in requested if not scopes.V1_FORM.search(each))
    return requested


def _challenge(instance: Instance, client: Client, form: Form, refuse: _Refuse) -> str | None:
    challenge, method = form.get("code_challenge"), form.get("code_challenge_method")
    if challenge is None:
        if (
            instance.smart is SmartVersion.V1
            or (not client.confidential and instance.has("pkce-optional-for-public"))
            or instance.has("pkce-optional")
        ):
            return None
        raise refuse("invalid_request", "code_challenge is missing; PKCE is required")
    if method != "S256":
        if method in (None, "plain") and instance.has("plain-pkce-accepted"):
            return code_challenge(challenge)
        raise refuse("invalid_request", "code_challenge_method must be S256")
    if not _CHALLENGE.fullmatch(challenge):
        raise refuse("invalid_request", "code_challenge is no base64url of a SHA-256 digest")
    return challenge


def _launch(
    instance: Instance,
    handle: str | None,
    client: Client,
    requested: tuple[str, ...],
    refuse: _Refuse,
) -> Launch | None:
    """The launch that the request answers; its handle has served then."""
    if handle is None:
        return None
    if scopes.LAUNCH not in requested:
        raise refuse("invalid_request", "launch is given, but the scope launch is not asked for")
    launch = instance.launches.find(handle, instance.clock.now())
    if launch is None:
        if instance.has("launch-unknown-accepted"):
            return None
        raise refuse("invalid_request", "launch is unknown, used or expired")
    if launch.client_id != client.client_id and not instance.has("launch-handle-of-any-client"):
        raise refuse("invalid_request", "launch was made for another client")
    if not instance.has("launch-handle-reusable"):
        instance.launches.used(launch)
    return launch


def code_challenge(verifier: str) -> str:
    """S256 (RFC 7636 section 4.2)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
