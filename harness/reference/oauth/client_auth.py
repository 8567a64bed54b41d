"""Client authentication at the token, introspection and revocation endpoints.

RFC 6749 section 2.3: none, client_secret_basic, client_secret_post; RFC 7523: private_key_jwt.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from harness.reference.clients import Client, stranger
from harness.reference.oauth.assertion import (
    ASSERTION_TYPE,
    Assertion,
    AssertionRefused,
    verify,
)
from harness.reference.oauth.forms import Form

if TYPE_CHECKING:
    from harness.reference.instance import Instance

METHODS = ("none", "client_secret_basic", "client_secret_post", "private_key_jwt")


class ClientRefused(Exception):
    """The client is not authenticated: `invalid_client`, status 401."""


class AmbiguousClient(Exception):
    """More than one way to authenticate, or a broken one: `invalid_request`, status 400."""


@dataclass(frozen=True, slots=True)
class _Presented:
    """What a request presents to identify its client, by one method."""

    method: str
    client_id: str
    secret: str = ""
    assertion: Assertion | None = None


def authenticate(instance: Instance, form: Form, authorization: str | None) -> Client:
    """The client that sent the request.

    Args:
        instance: whose clients are meant.
        form: the body of the request.
        authorization: the Authorization header.

    Raises:
        ClientRefused: unknown, wrong secret, wrong assertion, or not the registered method.
        AmbiguousClient: more than one method at once.
    """
    any_type = instance.has("assertion-type-ignored")
    presented = _presented(form, authorization, any_type=any_type)
    presented = _named(instance, form, presented)
    client = instance.clients.get(presented.client_id)
    if client is None:
        if presented.client_id and instance.has("invalid-client-accepted"):
            return stranger(presented.client_id)
        raise ClientRefused("the client is not registered")
    if _misunderstood(instance, form, presented):
        raise ClientRefused(f"{presented.method} is not understood")
    if presented.method not in client.auth_methods:
        if _unproven(instance, form, presented):
            return client
        raise ClientRefused(f"the client is not registered for {presented.method}")
    if presented.assertion is not None:
        try:
            verify(instance, client, presented.assertion)
        except AssertionRefused as refusal:
            raise ClientRefused(str(refusal)) from refusal
    elif presented.method != "none" and not instance.has("wrong-secret-accepted"):
        expected = (client.secret or "").encode()
        if not expected or not secrets.compare_digest(expected, presented.secret.encode()):
            raise ClientRefused("the client secret is wrong")
    return client


def _named(instance: Instance, form: Form, presented: _Presented) -> _Presented:
    """With the client_id where it does not stand in the place that the method has for it."""
    if presented == _Presented("none", ""):
        return _Presented("none", _owner(instance, form.get("refresh_token")))
    if presented.assertion is not None and instance.has("assertion-subject-ignored"):
        return replace(presented, client_id=presented.assertion.issuer)
    return presented


def _owner(instance: Instance, refresh_token: str | None) -> str:
    """Whose refresh token it is; empty if nobody's.

    RFC 6749 section 6 asks no client_id of a public client that refreshes, and some send none.
    """
    ledger, value = instance.ledger, refresh_token or ""
    token = ledger.refresh_tokens.get(value) or ledger.spent.get(value)
    return token.grant.client_id if token else ""


def _unproven(instance: Instance, form: Form, presented: _Presented) -> bool:
    """Whether a client need not prove itself; a fault's doing."""
    fault = {
        "refresh_token": "refresh-without-client-auth",
        "authorization_code": "code-without-client-auth",
        "client_credentials": "backend-without-assertion",
    }.get(form.get("grant_type") or "")
    return presented.method == "none" and fault is not None and instance.has(fault)


def _misunderstood(instance: Instance, form: Form, presented: _Presented) -> bool:
    """Whether a right way to authenticate is not known here; a fault's doing."""
    grant = form.get("grant_type")
    match presented.method:
        case "none":
            refused = instance.has("public-client-refused") and grant == "authorization_code"
            return refused or (instance.has("public-refresh-refused") and grant == "refresh_token")
        case "client_secret_basic":
            return instance.has("secret-in-header-refused")
        case "private_key_jwt":
            launched = grant == "authorization_code"
            return launched and instance.has("assertion-refused-in-launch")
        case _:
            return False


def _presented(form: Form, authorization: str | None, *, any_type: bool) -> _Presented:
    client_id, secret = form.get("client_id"), form.get("client_secret")
    assertion, kind = form.get("client_assertion"), form.get("client_assertion_type")
    by_assertion = assertion is not None or kind is not None
    if sum((authorization is not None, secret is not None, by_assertion)) > 1:
        raise AmbiguousClient("a client authenticates by one method only")
    if authorization is not None:
        presented = _from_basic(authorization)
    elif secret is not None:
        presented = _Presented("client_secret_post", client_id or "", secret)
    elif by_assertion:
        presented = _from_assertion(assertion, ASSERTION_TYPE if any_type else kind)
    else:
        presented = _Presented("none", client_id or "")
    if client_id not in (None, presented.client_id):
        raise ClientRefused("client_id is not that of the client that authenticates")
    return presented


def _from_basic(authorization: str) -> _Presented:
    scheme, _, credentials = authorization.partition(" ")
    try:
        text = base64.b64decode(credentials.strip(), validate=True).decode("utf-8")
    except (binascii.Error, ValueError) as error:
        raise ClientRefused("the Authorization header is not readable") from error
    user, colon, password = text.partition(":")
    if scheme.lower() != "basic" or not colon:
        raise ClientRefused("the Authorization header is no Basic authentication")
    # RFC 6749 section 2.3.1: both halves are form-encoded before they are joined.
    return _Presented("client_secret_basic", unquote_plus(user), unquote_plus(password))


def _from_assertion(assertion: str | None, kind: str | None) -> _Presented:
    if kind != ASSERTION_TYPE:
        raise ClientRefused(f"client_assertion_type must be {ASSERTION_TYPE}")
    try:
        parsed = Assertion.parse(assertion or "")
    except AssertionRefused as refusal:
        raise ClientRefused(str(refusal)) from refusal
    return _Presented("private_key_jwt", parsed.client_id, assertion=parsed)
