"""Variants of the launch: how a person is led through it, and how the browser comes back."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from harness.reference.oauth.pages import error_page
from harness.reference.varied.discovery import host, issuer
from harness.reference.varied.exchange import Answer, Asked, Pairs

if TYPE_CHECKING:
    from harness.reference.instance import Instance

_AUTHORIZE = "/oauth/authorize"
_REDIRECTS = (302, 303)
_ALTERNATIVES = re.compile(r"<details>.*?</details>", re.DOTALL)


def answer(instance: Instance, asked: Asked, given: Answer) -> Answer:
    """Alters the pages and the redirects of a launch."""
    if asked.path == "/launch" and instance.has("ehr-launch-not-offered"):
        return Answer(404, ())
    posted = asked.path == _AUTHORIZE and asked.method == "POST"
    if posted and instance.has("authorization-by-get-only"):
        return _page()
    if given.status in _REDIRECTS and (location := given.header("location")):
        return _redirect(instance, asked, given, location)
    if "html" in (given.header("content-type") or ""):
        html = _consent(instance, given.body.decode())
        html = html.replace(f"{instance.issuer}/", f"{host(instance, asked)}/")
        return replace(given, body=html.encode())
    return given


def _redirect(instance: Instance, asked: Asked, given: Answer, location: str) -> Answer:
    if location.startswith(f"{instance.issuer}/"):
        location = location.replace(instance.issuer, host(instance, asked), 1)
        if instance.has("redirects-relative"):
            location = location.removeprefix(location[: location.index("/", len("https://"))])
    elif asked.path.startswith("/oauth/"):
        refused = "error" in dict(parse_qsl(urlsplit(location).query))
        if asked.path == _AUTHORIZE and refused and instance.has("refusals-told-to-the-person"):
            return _page()
        location = _response(instance, location)
    given = given.with_header("location", location)
    if instance.has("redirects-as-found"):
        given = replace(given, status=302)
    if asked.method == "GET" and instance.has("redirects-as-temporary"):
        given = replace(given, status=307)
    return given


def _page() -> Answer:
    shown = error_page("The app asked for something that cannot be had.")
    headers = tuple((n.decode("latin-1"), v.decode("latin-1")) for n, v in shown.raw_headers)
    return Answer(shown.status_code, headers, bytes(shown.body)).with_header("content-length", None)


def _response(instance: Instance, location: str) -> str:
    """The authorization response in the query of the redirect URI."""
    parts = urlsplit(location)
    pairs: Pairs = tuple(parse_qsl(parts.query, keep_blank_values=True))
    if instance.has("redirect-names-issuer"):
        pairs = (("iss", issuer(instance)), *pairs)
    if instance.has("redirect-with-further-parameters"):
        pairs = (*pairs, ("session_state", "salt.4f2a"), ("code_info", ""), ("scope", "openid"))
    query = urlencode(pairs)
    if instance.has("redirect-escaped-in-full"):
        query = "&".join(f"{_escaped(name)}={_escaped(value)}" for name, value in pairs)
    return urlunsplit(parts._replace(query=query))


def _escaped(text: str) -> str:
    return "".join(
        chr(octet) if chr(octet).isalpha() and octet < 128 else f"%{octet:02x}"  # noqa: PLR2004
        for octet in text.encode()
    )


def _consent(instance: Instance, html: str) -> str:
    if "/oauth/consent" not in html or not instance.has("consent-as-a-whole"):
        return html
    html = _ALTERNATIVES.sub("", html)
    return html.replace('type="checkbox"', 'type="hidden"').replace(" checked>", ">")
