"""Variants of HTTP itself: headers, codings, time."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harness.reference.varied.exchange import CONFIGURATION, FHIR, TOKEN, Answer, Asked

if TYPE_CHECKING:
    from harness.reference.instance import Instance

SLOW = 0.02
"""Seconds that a slow answer takes."""

_PUBLIC = (CONFIGURATION, f"{FHIR}/metadata")
_TOO_MANY, _UNAVAILABLE, _UNAUTHORIZED = 429, 503, 401


def answer(instance: Instance, asked: Asked, given: Answer) -> Answer:
    """Alters what all answers have in common; the last to do so."""
    below = asked.path.startswith(f"{FHIR}/")
    if given.status == _TOO_MANY and below and instance.has("overload-is-unavailable"):
        given = replace(given, status=_UNAVAILABLE)
    if given.status == _UNAUTHORIZED and below:
        given = _challenge(instance, given)
    if below and (given.header("content-type") or "").startswith("application/fhir+json"):
        given = _typed(instance, given)
    if given.header("content-type") and "json" in str(given.header("content-type")):
        given = _spelled(instance, given)
    given = _cors(instance, asked, given)
    taken = given.body and "gzip" in (asked.header("accept-encoding") or "")
    if taken and instance.has("bodies-compressed"):
        packed = gzip.compress(given.body, mtime=0)
        given = replace(given, body=packed).with_header("content-encoding", "gzip")
    return _headers(instance, given)


def _challenge(instance: Instance, given: Answer) -> Answer:
    if instance.has("challenge-in-one-word"):
        given = given.with_header("www-authenticate", "bearer")
    if instance.has("challenge-of-several-schemes"):
        challenge = str(given.header("www-authenticate"))
        given = given.with_header("www-authenticate", f'DPoP algs="ES256", {challenge}')
    return given


def _typed(instance: Instance, given: Answer) -> Answer:
    if instance.has("media-type-with-parameters"):
        return given.with_header(
            "content-type", "Application/FHIR+JSON;fhirVersion=4.0;charset=UTF-8"
        )
    if instance.has("media-type-without-charset"):
        return given.with_header("content-type", "application/fhir+json")
    return given


def _spelled(instance: Instance, given: Answer) -> Answer:
    """The same JSON with other white space, escapes and order of members."""
    value = given.json()
    if value is None or not instance.has("json-spelled-otherwise"):
        return given
    exact = [each for each in _numbers(value) if not isinstance(each, int | float)]
    if exact:  # the standard library would write such a number as text
        return given
    text = json.dumps(dict(reversed(value.items())), indent=2).replace("/", "\\/")
    return replace(given, body=text.encode("ascii"))


def _numbers(value: object) -> list[object]:
    if isinstance(value, dict):
        return [each for item in value.values() for each in _numbers(item)]
    if isinstance(value, list):
        return [each for item in value for each in _numbers(item)]
    return [] if isinstance(value, str) or value is None else [value]


def _cors(instance: Instance, asked: Asked, given: Answer) -> Answer:
    name = "access-control-allow-origin"
    if instance.has("cors-not-offered"):
        kept = (each for each in given.headers if not each[0].startswith("access-control-"))
        return replace(given, headers=tuple(kept))
    origin = asked.header("origin")
    if given.header(name) is None:
        return given
    if asked.path not in _PUBLIC and instance.has("cors-for-registered-origins"):
        known = {
            f"{parts.scheme}://{parts.netloc}"
            for client in instance.clients.values()
            for parts in map(urlsplit, client.redirect_uris)
        }
        given = given.with_header(name, origin if origin in known else None)
        return given.with_header("vary", "Origin")
    return given


def _headers(instance: Instance, given: Answer) -> Answer:
    if instance.has("cookies-of-a-load-balancer"):
        cookie = ("set-cookie", "AWSALB=x1; Path=/; Expires=Sat, 28 Nov 2026 10:00:00 GMT")
        given = replace(given, headers=(*given.headers, cookie))
    if instance.has("connections-closed"):
        given = given.with_header("connection", "close")
    if instance.has("header-names-in-capitals"):
        given = replace(given, headers=tuple((n.upper(), v) for n, v in given.headers))
    return given


def slow(instance: Instance, asked: Asked) -> float:
    """Seconds to wait before the request is served."""
    served = asked.path == TOKEN or asked.path.startswith(f"{FHIR}/")
    return SLOW if served and instance.has("answers-slow") else 0.0
