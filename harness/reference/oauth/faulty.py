"""Faults of what the authorization server says: about itself, its keys, its tokens and refusals.

Each function takes what is right and gives what the instance's faults leave of it.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from authlib.oauth2.rfc6749.errors import InvalidClientError, InvalidGrantError, OAuth2Error
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from harness.reference.access import ResourceScope

if TYPE_CHECKING:
    from harness.reference.instance import Instance
    from harness.reference.oauth.forms import Form
    from harness.reference.oauth.ledger import Grant, RefreshToken

Handler = Callable[[Request], Awaitable[Response]]
_ASYMMETRIC = "client-confidential-asymmetric"


def configuration(instance: Instance, body: dict[str, Any]) -> dict[str, Any]:
    """The SMART configuration."""
    if instance.has("configuration-omits-scopes"):
        body.pop("scopes_supported", None)
    if instance.has("configuration-of-secrets-only"):
        body["token_endpoint_auth_methods_supported"] = ["client_secret_basic"]
        body.pop("token_endpoint_auth_signing_alg_values_supported", None)
    if instance.has("configuration-omits-asymmetric"):
        body["capabilities"] = [each for each in body["capabilities"] if each != _ASYMMETRIC]
    if instance.has("configuration-omits-code-grant"):
        body["grant_types_supported"] = ["client_credentials"]
    if instance.has("configuration-brand-without-value"):
        body["user_access_brand_identifier"] = {"use": "official"}
    return body


def keys(instance: Instance, right: Handler) -> Handler:
    """The endpoint of the issuer's key set."""

    async def handler(request: Request) -> Response:
        if instance.has("jwks-missing"):
            return PlainTextResponse("Not found", status_code=404)
        response = await right(request)
        found = instance.key.jwks()["keys"]
        if instance.has("jwks-with-private-key"):
            return JSONResponse({"keys": [dict(instance.key.private.as_dict(private=True))]})
        if instance.has("jwks-as-certificates"):
            kept = ("kty", "kid", "use", "alg")
            certified = {name: found[0][name] for name in kept if name in found[0]}
            return JSONResponse({"keys": [certified | {"x5t": secrets.token_urlsafe(20)}]})
        if instance.has("jwks-kid-repeated"):
            return JSONResponse({"keys": [*found, _another(found[0])]})
        if instance.has("jwks-use-missing"):
            plain = {name: value for name, value in found[0].items() if name != "use"}
            encryption = {**_another(found[0]), "kid": "for-encryption", "use": "enc"}
            return JSONResponse({"keys": [plain, encryption]})
        return response

    return handler


def _another(key: dict[str, Any]) -> dict[str, Any]:
    """A public key of the same kind, of which nobody has the private half."""
    return {**key, "n": key["n"][:-8] + secrets.token_urlsafe(6)}


def refusal(instance: Instance, form: Form, reason: str) -> OAuth2Error:
    """The answer to a client that is not authenticated."""
    by_assertion = form.get("client_assertion") is not None
    if by_assertion and instance.has("assertion-refusal-called-invalid-grant"):
        return InvalidGrantError(reason)
    unchallenged = not by_assertion and instance.has("refused-secret-unchallenged")
    return InvalidClientError(description=reason, status_code=400 if unchallenged else 401)


def introspection(instance: Instance, payload: dict[str, Any], grant: Grant) -> dict[str, Any]:
    """What a live token is said to be worth."""
    if instance.has("introspection-of-the-registration"):
        payload["scope"] = "openid fhirUser patient/*.cruds user/*.cruds"
    if instance.has("introspection-names-the-server"):
        payload["client_id"] = "introspection"
    if instance.has("introspection-expiry-of-the-grant"):
        payload["exp"] += 86400
    if instance.has("introspection-bare"):
        kept = ("active", "scope", "client_id", "exp")
        return {name: payload[name] for name in kept}
    if instance.has("introspection-subject-internal"):
        payload |= {"sub": f"user-{grant.grant_id}", "iss": f"{instance.issuer}/internal"}
    return payload


def refreshed(instance: Instance, scopes: tuple[str, ...]) -> tuple[str, ...]:
    """The scopes of a refreshed token."""
    if not instance.has("refresh-narrows-scope"):
        return scopes
    resources = [each for each in scopes if ResourceScope.parse(each)]
    return tuple(each for each in scopes if each not in resources[1:])


def token_response(instance: Instance, response: dict[str, Any]) -> dict[str, Any]:
    """A token response: its access token may carry the number of its row."""
    online = "online_access" in response["scope"].split()
    if online and instance.has("online-access-without-refresh-token"):
        response.pop("refresh_token", None)
    if instance.has("access-token-numbered"):
        return {**response, "access_token": f"1|{response['access_token']}"}
    return response


def unnumbered(instance: Instance, value: str) -> str:
    """An access token as it is remembered."""
    return value.removeprefix("1|") if instance.has("access-token-numbered") else value


def ended(instance: Instance, token: RefreshToken | None) -> RefreshToken | None:
    """A refresh token, unless it is taken for one whose user has left."""
    online = token is not None and "online_access" in token.grant.scopes
    return None if online and instance.has("online-refresh-refused") else token
