"""The configuration of a SMART server as a value, and its documents read without trust.

SMART App Launch, "Using .well-known", and the oauth-uris extension of version 1:
https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html

No document can make a reader fail: what is wrong is added to `problems`, one line each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.errors import ProtocolError
from harness.http.exchange import Exchange, kind_of

OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"

ENDPOINTS = (
    "authorization_endpoint",
    "token_endpoint",
    "introspection_endpoint",
    "revocation_endpoint",
    "registration_endpoint",
    "management_endpoint",
    "userinfo_endpoint",
    "user_access_brand_bundle",
    "jwks_uri",
)
_EXTENSIONS = {
    "authorize": "authorization_endpoint",
    "token": "token_endpoint",
    "introspect": "introspection_endpoint",
    "revoke": "revocation_endpoint",
    "register": "registration_endpoint",
    "manage": "management_endpoint",
}
LISTS = (
    "capabilities",
    "scopes_supported",
    "response_types_supported",
    "grant_types_supported",
    "code_challenge_methods_supported",
    "token_endpoint_auth_methods_supported",
    "token_endpoint_auth_signing_alg_values_supported",
)
OK = 200


@dataclass(frozen=True, slots=True)
class SmartConfiguration:
    """What counts, after all sources are put together. Endpoints are absolute URLs."""

    issuer: str | None = None
    jwks_uri: str | None = None
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None
    introspection_endpoint: str | None = None
    revocation_endpoint: str | None = None
    registration_endpoint: str | None = None
    management_endpoint: str | None = None
    userinfo_endpoint: str | None = None
    user_access_brand_bundle: str | None = None
    capabilities: tuple[str, ...] = ()
    scopes_supported: tuple[str, ...] = ()
    response_types_supported: tuple[str, ...] = ()
    grant_types_supported: tuple[str, ...] = ()
    code_challenge_methods_supported: tuple[str, ...] = ()
    token_endpoint_auth_methods_supported: tuple[str, ...] = ()
    token_endpoint_auth_signing_alg_values_supported: tuple[str, ...] = ()
    raw: Mapping[str, Any] = field(repr=False, default_factory=dict)
    """The smart-configuration as it came; empty where none could be read."""


def document_of(exchange: Exchange | None, problems: list[str]) -> Mapping[str, Any]:
    """The JSON object that an exchange brought; empty where it brought none."""
    if exchange is None:
        return {}
    if exchange.status != OK:
        problems.append(f"{exchange.where}: expected 200, got {exchange.status}")
        return {}
    try:
        return exchange.json_object()
    except ProtocolError as error:
        problems.append(error.message)
        return {}


def string(document: Mapping[str, Any], name: str, problems: list[str]) -> str | None:
    """A member that has to be a string."""
    value = document.get(name)
    if isinstance(value, str) and value.strip():
        return value
    if name in document:
        got = "an empty string" if isinstance(value, str) else kind_of(value)
        problems.append(f"{name}: expected a string, got {got}")
    return None


def strings(document: Mapping[str, Any], name: str, problems: list[str]) -> tuple[str, ...]:
    """The strings of a member that has to be an array of them, without repetitions."""
    value = document.get(name)
    if name in document and not isinstance(value, list):
        problems.append(f"{name}: expected an array, got {kind_of(value)}")
    items = value if isinstance(value, list) else []
    wrong = [each for each in items if not isinstance(each, str)]
    if wrong:
        problems.append(f"{name}: expected strings, got {kind_of(wrong[0])} among them")
    return tuple(dict.fromkeys(each for each in items if isinstance(each, str)))


def oauth_uris(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Endpoints of every oauth-uris extension; athena sends it twice, once malformed."""
    for rest in _objects(document.get("rest")):
        security = rest.get("security")
        extensions = security.get("extension") if isinstance(security, dict) else None
        for extension in _objects(extensions):
            if extension.get("url") != OAUTH_URIS:
                continue
            for part in _objects(extension.get("extension")):
                name, value = part.get("url"), part.get("valueUri")
                if isinstance(name, str) and name in _EXTENSIONS and isinstance(value, str):
                    yield _EXTENSIONS[name], value


def _objects(value: object) -> Iterator[dict[str, Any]]:
    yield from (each for each in value if isinstance(each, dict)) if isinstance(value, list) else ()
