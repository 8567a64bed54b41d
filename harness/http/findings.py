"""Where secrets stand in an exchange: pure, knows nothing of labels."""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlsplit

from harness.http.encodings import is_jwt, jwt_part
from harness.http.exchange import Exchange, Headers

_ALWAYS = (
    "access_token|refresh_token|id_token|id_token_hint|client_secret|client_assertion|code_verifier"
    "|password|passwd|subject_token|device_code|registration_access_token"
)
JSON_MEMBER = re.compile(rf'"(?P<name>{_ALWAYS})"\s*:\s*"(?P<value>(?:[^"\\]|\\.)+)"')
"""A JSON member whose name alone says that its value is secret; `code` is not: FHIR has codes."""

FORM_FIELD = re.compile(
    rf"(?<![\w.-])(?P<name>{_ALWAYS}|state|nonce|launch|token)=(?P<value>[^&#\s\"'<>;,]+)"
)
"""A form field or query parameter, likewise; `code` is a search parameter too, see `find`."""

CREDENTIALS = re.compile(
    r"\b(?P<name>Bearer|Basic)\s+(?!\w+=[\"\w])(?P<value>[A-Za-z0-9._~+/-]{16,}=*)", re.IGNORECASE
)
"""Credentials of an Authorization header, quoted somewhere."""

_ALIASES = {"id_token_hint": "id_token", "passwd": "password", "token": "access_token"}
_SECRET_NAMES = frozenset((*_ALWAYS.split("|"), "state", "nonce", "launch", "token"))
_HIDDEN = re.compile(r"<input\b[^<>]{0,2000}>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([a-z-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_TELLING = re.compile(
    r"csrf|xsrf|token|state|nonce|session|login|ticket|saml|execution|challenge", re.IGNORECASE
)
_OPAQUE = re.compile(r"(?!/)(?!\w+://)[A-Za-z0-9._~+/=:-]{16,}")
_LOOKED_AT = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Finding:
    """A secret, decoded, and what it is."""

    value: str
    kind: str

    @classmethod
    def of(cls, match: re.Match[str]) -> Finding:
        """From a match of `JSON_MEMBER`, `FORM_FIELD` or `CREDENTIALS`."""
        name, value = match["name"], match["value"]
        if match.re is CREDENTIALS:
            return cls(value, credentials_kind(name))
        value = _unescaped(value) if match.re is JSON_MEMBER else unquote_plus(value)
        return cls(value, _ALIASES.get(name, name))


def find(exchange: Exchange) -> Iterator[Finding]:
    """Every secret at the usual places of an exchange; may repeat itself."""
    request, response = exchange.request, exchange.response
    yield from _in_query(request.url)
    yield from _in_headers(request.headers)
    yield from _in_headers(response.headers)
    if "x-www-form-urlencoded" in (request.headers.get("Content-Type") or "").lower():
        yield from _in_form(request.body.decode("utf-8", "replace"))
    for body in (request.body, response.body):
        yield from _in_body(body[:_LOOKED_AT])


def credentials_kind(scheme: str) -> str:
    """What stands behind an authentication scheme."""
    return "access_token" if scheme.lower() == "bearer" else "credentials"


def cookies_hidden(header: str, value: str, label: Callable[[str], str]) -> str:
    """A `Cookie` or `Set-Cookie` value with each cookie's value replaced by its label."""
    parts = value.split(";")
    cookies = len(parts) if header.lower() == "cookie" else 1
    hidden = [
        f"{name}={label(content)}" if mark and content else part
        for part in parts[:cookies]
        for name, mark, content in [part.partition("=")]
    ]
    return ";".join((*hidden, *parts[cookies:]))


def is_opaque(value: str) -> bool:
    """Whether a value looks made by chance, and not like a word, a path or a URL."""
    return _OPAQUE.fullmatch(value) is not None


def _in_headers(headers: Headers) -> Iterator[Finding]:
    for name, value in headers:
        match name.lower():
            case "authorization":
                yield from _in_authorization(value)
            case "location" | "referer":
                yield from _in_query(value)
            case "cookie":
                for part in value.split(";"):
                    yield from _cookie(part)
            case "set-cookie":
                yield from _cookie(value.split(";", 1)[0])
            case _:
                pass


def _in_authorization(value: str) -> Iterator[Finding]:
    scheme, _, credentials = value.partition(" ")
    credentials = credentials.strip()
    yield from _secret(credentials, credentials_kind(scheme))
    if scheme.lower() != "basic":
        return
    try:
        pair = base64.b64decode(credentials, validate=True).decode()
    except (ValueError, binascii.Error):
        return
    password = pair.partition(":")[2]
    for each in {password, unquote_plus(password)} - {""}:
        yield Finding(each, "client_secret")


def _cookie(part: str) -> Iterator[Finding]:
    value = part.partition("=")[2].strip().strip('"')
    if _OPAQUE.fullmatch(value):
        yield Finding(value, "cookie")


def _in_query(url: str) -> Iterator[Finding]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return
    yield from _in_form(parts.query)
    yield from _in_form(parts.fragment)


def _in_form(text: str) -> Iterator[Finding]:
    pairs = parse_qsl(text, keep_blank_values=True)
    names = {name for name, _ in pairs}
    # An authorization code comes with its state and goes with its grant; any other `code` is a
    # search parameter.
    secret = _SECRET_NAMES | ({"code"} if names & {"state", "grant_type"} else set())
    for name, value in pairs:
        if name in secret:
            yield from _secret(value, _ALIASES.get(name, name))


def _in_body(body: bytes) -> Iterator[Finding]:
    head = body[:64].lstrip().lower()
    text = body.decode("utf-8", "replace")
    if head.startswith(b"<"):
        yield from _in_html(text)
    if head.startswith(b"{"):
        for match in JSON_MEMBER.finditer(text):
            yield from _secret(*_pair(Finding.of(match)))
        if b'"resourceType"' not in body and b'"code"' in body:
            yield from _code_in_json(text)


def _code_in_json(text: str) -> Iterator[Finding]:
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        return
    code = value.get("code") if isinstance(value, dict) else None
    if isinstance(code, str) and _OPAQUE.fullmatch(code):
        yield Finding(code, "code")


def _in_html(text: str) -> Iterator[Finding]:
    for tag in _HIDDEN.findall(text):
        attributes = {
            name.lower(): html.unescape(double or single or bare)
            for name, double, single, bare in _ATTRIBUTE.findall(tag)
        }
        name, value = attributes.get("name", ""), attributes.get("value", "")
        hidden = attributes.get("type", "").lower() == "hidden"
        if hidden and _TELLING.search(name) and _OPAQUE.fullmatch(value):
            yield Finding(value, _ALIASES.get(name, name) if name in _SECRET_NAMES else "hidden")


def _secret(value: str, kind: str) -> Iterator[Finding]:
    """A secret, and what a client assertion or id_token carries inside."""
    if not value:
        return
    yield Finding(value, kind)
    if kind in ("id_token", "client_assertion") and is_jwt(value):
        claims = jwt_part(value.split(".")[1])
        for name in ("nonce", "jti"):
            if isinstance(claims.get(name), str):
                yield Finding(claims[name], name)


def _pair(finding: Finding) -> tuple[str, str]:
    return finding.value, finding.kind


def _unescaped(value: str) -> str:
    try:
        return str(json.loads(f'"{value}"'))
    except ValueError:
        return value
