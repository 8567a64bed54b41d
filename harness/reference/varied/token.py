"""Variants of the token endpoint: what it says besides, and in which words."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.reference.access import ResourceScope
from harness.reference.fhir.json import dumps
from harness.reference.varied.exchange import TOKEN, Answer, Asked, Json

if TYPE_CHECKING:
    from harness.reference.instance import Instance

_ENDPOINTS = (TOKEN, "/oauth/introspect", "/oauth/revoke")
_OK, _BAD_REQUEST, _UNAUTHORIZED = 200, 400, 401
_JSON = (("content-type", "application/json"), ("cache-control", "no-store"))


def answer(instance: Instance, asked: Asked, given: Answer) -> Answer:
    """Alters the answers of the token, introspection and revocation endpoints."""
    if asked.path not in _ENDPOINTS:
        return given
    if given.status == _OK and (refused := _not_for_this(instance, asked)):
        return refused
    value = given.json()
    if given.status != _OK:
        return _refused(instance, asked, given, value)
    if value and asked.path == TOKEN and "access_token" in value:
        return given.with_json(_response(instance, value))
    if value and value.get("active") and instance.has("introspection-with-further-members"):
        more = {"username": "somebody", "aud": [instance.fhir_base], "ext": {"level": 2}}
        return given.with_json(value | more)
    return given


def _not_for_this(instance: Instance, asked: Asked) -> Answer | None:
    """The refusal of what the endpoint does for others, or for other tokens."""
    if asked.path == "/oauth/introspect" and instance.has("introspection-for-resource-servers"):
        return Answer(403, _JSON, dumps({"error": "access_denied"}))
    return None


def _response(instance: Instance, value: Json) -> Json:
    if instance.has("token-type-in-lower-case"):
        value["token_type"] = "bearer"
    if instance.has("token-response-with-further-members"):
        value |= {"__epic.dstu2.patient": "T1-x", "location": None, "loginDepartment": "101"}
        value |= {"user_name": "somebody", "appointment": ["a", 1], "state": "elsewhere"}
    if "scope" in value:
        value["scope"] = " ".join(_worded(instance, value["scope"].split()))
    return value


def _worded(instance: Instance, scopes: list[str]) -> list[str]:
    """The same permissions in other words, and in another order."""
    if instance.has("scopes-in-version-1"):
        scopes = [each for scope in scopes for each in _in_version_1(scope)]
    if instance.has("scopes-one-permission-each"):
        scopes = [each for scope in scopes for each in _split(scope)]
    if instance.has("scopes-of-launch-not-named"):
        scopes = [each for each in scopes if not each.startswith("launch")]
    if instance.has("scopes-in-another-order"):
        scopes = sorted(scopes, reverse=True)
    return list(dict.fromkeys(scopes))


def _in_version_1(text: str) -> list[str]:
    scope = ResourceScope.parse(text)
    held = scope.permissions if scope and not scope.constraint else frozenset[str]()
    stem = text.partition(".")[0]
    ways = [way for way, needed in (("read", "rs"), ("write", "cud")) if held >= set(needed)]
    covered = {each for way in ways for each in {"read": "rs", "write": "cud"}[way]}
    return [f"{stem}.{way}" for way in ways] if ways and covered == held else [text]


def _split(text: str) -> list[str]:
    scope = ResourceScope.parse(text)
    stem, _, way = text.partition(".")
    if scope is None or scope.constraint or way in ("read", "write", "*"):
        return [text]
    return [f"{stem}.{permission}" for permission in way]


def _refused(instance: Instance, asked: Asked, given: Answer, value: Json | None) -> Answer:
    if value is None:
        return given
    basic = (asked.header("authorization") or "").lower().startswith("basic")
    if (
        given.status == _UNAUTHORIZED
        and not basic
        and asked.path == TOKEN
        and instance.has("invalid-client-is-bad-request")
    ):
        given = replace(given, status=_BAD_REQUEST).with_header("www-authenticate", None)
    missing = "Missing 'code_verifier'" in str(value.get("error_description"))
    if missing and instance.has("missing-verifier-is-invalid-grant"):
        value["error"] = "invalid_grant"
    if instance.has("oauth-errors-in-one-word"):
        value.pop("error_description", None)
        value["error_uri"] = "https://ehr.example.org/errors"
    return given.with_json(value)
