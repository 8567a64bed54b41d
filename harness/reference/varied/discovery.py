"""Variants of discovery: where things are, and how much a server tells about itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from harness.reference.varied.exchange import (
    CONFIGURATION,
    KEYS,
    METADATA,
    OPENID,
    Answer,
    Asked,
    Json,
)

if TYPE_CHECKING:
    from harness.reference.instance import Instance

_OPTIONAL = (
    "management_endpoint",
    "response_types_supported",
    "revocation_endpoint",
    "introspection_endpoint_auth_methods_supported",
    "introspection_endpoint_auth_signing_alg_values_supported",
    "revocation_endpoint_auth_methods_supported",
    "revocation_endpoint_auth_signing_alg_values_supported",
)
_FURTHER_KEYS = (
    {"kty": "EC", "crv": "P-256", "kid": "another-ec", "use": "enc", "x": "AQ", "y": "AQ"},
    {"kty": "OKP", "crv": "Ed25519", "kid": "another-okp", "use": "sig", "x": "AQ"},
    {"kty": "AKP", "alg": "ML-DSA-44", "kid": "another-akp", "use": "sig", "pub": "AQ"},
)
_IDENTITY = "/identity"
_OTHER_HOST = "localhost"


def issuer(instance: Instance) -> str:
    """The issuer as OpenID Connect knows it."""
    named = instance.issuer
    if instance.has("issuer-elsewhere"):
        named += _IDENTITY
    if instance.has("issuer-with-trailing-slash"):
        named += "/"
    return named


def published(instance: Instance, endpoint: str) -> str:
    """The URL of an OAuth endpoint as the configuration names it."""
    return _placed(instance, instance.oauth(endpoint))


def host(instance: Instance, asked: Asked) -> str:
    """The issuer's URL by the host that a browser has come to."""
    parts = urlsplit(instance.issuer)
    here = (asked.header("host") or "").partition(":")[0]
    if here == _OTHER_HOST and instance.has("endpoints-on-another-host"):
        parts = parts._replace(netloc=f"{_OTHER_HOST}:{parts.port}")
    return urlunsplit(parts)


def request(asked: Asked) -> Asked:
    """Undoes what the published URLs have in excess; nobody else is led to such URLs."""
    if asked.path.startswith(f"{_IDENTITY}/"):
        return replace(asked, path=asked.path.removeprefix(_IDENTITY))
    if asked.path.startswith("/oauth/") and asked.path.endswith("/"):
        return replace(asked, path=asked.path.rstrip("/"))
    return asked


def answer(instance: Instance, asked: Asked, given: Answer) -> Answer:
    """Alters configurations, key sets and the CapabilityStatement."""
    value = given.json() if given.status == 200 else None  # noqa: PLR2004
    if value is None:
        return given
    if asked.path == CONFIGURATION:
        return _configuration(instance, given.with_json(_configured(instance, value)))
    if asked.path == OPENID:
        return given.with_json(_endpoints(instance, value))
    if asked.path == KEYS:
        return given.with_json(_keys(instance, value))
    if asked.path == METADATA:
        return given.with_json(_statement(instance, value))
    return given


def _configuration(instance: Instance, given: Answer) -> Answer:
    if instance.has("configuration-with-charset"):
        return given.with_header("content-type", "application/json; charset=utf-8")
    return given


def _configured(instance: Instance, value: Json) -> Json:
    value = _endpoints(instance, value)
    if instance.has("configuration-without-optional-members"):
        value = {name: each for name, each in value.items() if name not in _OPTIONAL}
    if instance.has("configuration-with-further-members"):
        value |= {
            "associated_endpoints": [{"url": "https://images.example.org", "capabilities": []}],
            "user_access_brand_bundle": "https://ehr.example.org/brands.json",
            "x_vendor_release": {"name": "August", "number": 12.5, "beta": None},
        }
    if instance.has("scopes-supported-in-part") and "scopes_supported" in value:
        value["scopes_supported"] = ["fhirUser", "launch", "openid", "profile"]
    if instance.has("capabilities-of-its-own"):
        value["capabilities"] = [*value["capabilities"], "health-cards", "x-vendor-context"]
    if instance.has("grant-types-without-refresh-token"):
        value["grant_types_supported"] = ["authorization_code", "client_credentials"]
    return value | {"capabilities": _capabilities(instance, value["capabilities"])}


def _capabilities(instance: Instance, capabilities: list[str]) -> list[str]:
    missing: tuple[str, ...] = ()
    if instance.has("refresh-tokens-not-offered"):
        missing += ("permission-offline", "permission-online")
    if instance.has("ehr-launch-not-offered"):
        missing += ("launch-ehr", "context-banner", "context-style", "context-ehr-patient")
        missing += ("context-ehr-encounter",)
    if instance.has("asymmetric-clients-not-offered"):
        missing += ("client-confidential-asymmetric",)
    if instance.has("public-clients-not-offered"):
        missing += ("client-public",)
    if instance.has("authorization-by-get-only"):
        missing += ("authorize-post",)
    return [each for each in capabilities if each not in missing]


def _endpoints(instance: Instance, value: Json) -> Json:
    return {
        name: _placed(instance, each) if _oauth(instance, each) else each
        for name, each in value.items()
    }


def _oauth(instance: Instance, value: object) -> bool:
    return isinstance(value, str) and value.startswith(f"{instance.issuer}/oauth/")


def _placed(instance: Instance, url: str) -> str:
    parts = urlsplit(url)
    if instance.has("endpoints-on-another-host"):
        parts = parts._replace(netloc=f"{_OTHER_HOST}:{parts.port}")
    if instance.has("endpoints-with-trailing-slash"):
        parts = parts._replace(path=f"{parts.path}/")
    if instance.has("endpoints-with-query"):
        parts = parts._replace(query="realm=north&v=2")
    return urlunsplit(parts)


def _keys(instance: Instance, value: Json) -> Json:
    keys = value["keys"]
    if instance.has("keys-without-use-and-algorithm"):
        keys = [
            {n: v for n, v in key.items() if n not in ("alg", "use", "key_ops")} for key in keys
        ]
    if instance.has("keys-of-other-kinds"):
        keys = [*_FURTHER_KEYS, *keys]
    return {"keys": keys}


def _statement(instance: Instance, value: Json) -> Json:
    rest = dict(value["rest"][0])
    if instance.has("capability-without-oauth-uris"):
        rest["security"] = {n: v for n, v in rest["security"].items() if n != "extension"}
    before = []
    if instance.has("capability-of-a-client-first"):
        before = [{"mode": "client", "resource": [{"type": "Observation"}]}]
    if instance.has("capability-with-further-formats"):
        value = {**value, "format": ["xml", "application/fhir+xml", *value["format"], "ttl"]}
    return {**value, "rest": [*before, rest]}
