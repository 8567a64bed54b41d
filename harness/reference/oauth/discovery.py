"""What the authorization server publishes about itself.

SMART App Launch 2.0, "Conformance"; OpenID Connect Discovery 1.0 section 3; RFC 7517.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from harness.reference.oauth import faulty
from harness.reference.oauth.assertion import ALGORITHMS
from harness.reference.oauth.client_auth import METHODS
from harness.reference.oauth.context import STYLE
from harness.reference.oauth.id_token import elliptic
from harness.reference.oauth.scopes import supported
from harness.reference.smart import SmartVersion
from harness.reference.varied.discovery import issuer

if TYPE_CHECKING:
    from harness.reference.instance import Instance

_CAPABILITIES = (
    "launch-ehr",
    "launch-standalone",
    "client-public",
    "client-confidential-symmetric",
    "sso-openid-connect",
    "context-banner",
    "context-style",
    "context-ehr-patient",
    "context-ehr-encounter",
    "context-standalone-patient",
    "context-standalone-encounter",
    "permission-offline",
    "permission-patient",
    "permission-user",
)
_SINCE_V2 = (
    "authorize-post",
    "client-confidential-asymmetric",
    "permission-online",
    "permission-v1",
    "permission-v2",
)
_MEMBERS_SINCE_V2 = (
    "issuer",
    "jwks_uri",
    "grant_types_supported",
    "code_challenge_methods_supported",
)
_GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials")


def capabilities(smart: SmartVersion) -> tuple[str, ...]:
    """What the instance can do, in the words of its version of SMART App Launch."""
    return _CAPABILITIES if smart is SmartVersion.V1 else (*_CAPABILITIES, *_SINCE_V2)


def smart_configuration(instance: Instance) -> dict[str, Any]:
    """`.well-known/smart-configuration`, as true as the instance's faults leave it."""
    body: dict[str, Any] = {
        **_endpoints(instance),
        "grant_types_supported": list(_GRANT_TYPES),
        "scopes_supported": list(supported(instance.smart)),
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
        "management_endpoint": instance.oauth("manage"),
        "capabilities": list(capabilities(instance.smart)),
    }
    if instance.smart is SmartVersion.V1:
        body = {name: body[name] for name in body if name not in _MEMBERS_SINCE_V2}
    if instance.has("configuration-offers-plain"):
        body["code_challenge_methods_supported"] = ["S256", "plain"]
    if instance.has("configuration-omits-s256"):
        body["code_challenge_methods_supported"] = []
    if instance.has("configuration-relative-endpoint"):
        endpoint = body["authorization_endpoint"]
        body["authorization_endpoint"] = urlsplit(endpoint).path
    for member, omitted in (
        ("grant_types_supported", instance.has("configuration-omits-grant-types")),
        ("token_endpoint", instance.has("configuration-omits-token-endpoint")),
        ("capabilities", instance.has("configuration-omits-capabilities")),
        ("jwks_uri", instance.has("configuration-omits-jwks-uri")),
        ("issuer", instance.has("configuration-omits-issuer")),
        ("authorization_endpoint", instance.has("configuration-omits-authorization-endpoint")),
        ("introspection_endpoint", instance.has("configuration-omits-introspection-endpoint")),
    ):
        if omitted:
            body.pop(member, None)
    return body


def openid_configuration(instance: Instance) -> dict[str, Any]:
    """`.well-known/openid-configuration` of the issuer."""
    body = {
        **_endpoints(instance),
        "grant_types_supported": list(_GRANT_TYPES),
        "scopes_supported": list(supported(instance.smart)),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "nonce", "fhirUser"],
        "code_challenge_methods_supported": ["S256"],
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
    }
    if instance.has("id-token-signed-with-es384"):
        body["id_token_signing_alg_values_supported"] = ["RS256", "ES384"]
    if instance.has("openid-configuration-wrong-issuer"):
        body["issuer"] = "https://identity.internal.invalid"
    if instance.has("openid-configuration-bare"):
        body = {name: body[name] for name in ("issuer", "token_endpoint")}
    return body


class Discovery:
    """The endpoints that need no token."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance

    async def smart(self, request: Request) -> Response:
        """GET {base}/.well-known/smart-configuration, whatever Accept asks for."""
        wants_json = "json" in request.headers.get("accept", "json")
        if not wants_json and self.instance.has("configuration-honours-accept"):
            return Response(status_code=406)
        if self.instance.has("configuration-not-json"):
            return HTMLResponse("<!doctype html><title>Portal</title><div id=root></div>")
        response = JSONResponse(
            faulty.configuration(self.instance, smart_configuration(self.instance))
        )
        if self.instance.has("configuration-as-html-type"):
            response.headers["content-type"] = "text/html; charset=utf-8"
        return response

    async def openid(self, request: Request) -> Response:
        """GET {issuer}/.well-known/openid-configuration."""
        del request
        if self.instance.has("openid-configuration-missing"):
            return HTMLResponse("<!doctype html><title>Not found</title>", status_code=404)
        return JSONResponse(openid_configuration(self.instance))

    async def style(self, request: Request) -> Response:
        """GET {issuer}/style/smart_v1.json: how apps can look like the EHR."""
        del request
        if self.instance.has("style-as-html"):
            return HTMLResponse("<!doctype html><title>Style guide</title>")
        return JSONResponse(STYLE, headers={"cache-control": "max-age=3600"})

    async def jwks(self, request: Request) -> Response:
        """GET {issuer}/oauth/jwks."""
        del request
        keys = self.instance.key.jwks()
        if self.instance.has("id-token-signed-with-es384"):
            keys["keys"] += elliptic().jwks()["keys"]
        return JSONResponse(keys, headers={"cache-control": "max-age=300"})


def _endpoints(instance: Instance) -> dict[str, Any]:
    machine = [method for method in METHODS if method != "none"]
    return {
        "issuer": issuer(instance),
        "jwks_uri": instance.oauth("jwks"),
        "authorization_endpoint": instance.oauth("authorize"),
        "token_endpoint": instance.oauth("token"),
        "token_endpoint_auth_methods_supported": list(METHODS),
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "introspection_endpoint": instance.oauth("introspect"),
        "introspection_endpoint_auth_methods_supported": machine,
        "introspection_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "revocation_endpoint": instance.oauth("revoke"),
        "revocation_endpoint_auth_methods_supported": list(METHODS),
        "revocation_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
    }
