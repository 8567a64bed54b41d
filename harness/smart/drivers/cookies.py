"""Cookies of one login, kept as a browser keeps them (RFC 6265 sections 5.1 to 5.4).

The standard library's jar wants its own request and response objects and follows RFC 2965 where
the two differ; logins at EHRs depend on path and host-only rules, so those are here to the letter.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

MAX_COOKIES = 100
MAX_BYTES = 4096
_LONGEST = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie; `expires` is None for the session."""

    name: str
    value: str = field(repr=False)
    domain: str
    path: str
    host_only: bool = True
    secure: bool = False
    expires: datetime | None = None

    def goes_to(self, host: str, path: str, *, secure: bool, now: datetime) -> bool:
        """Whether a request to that place carries it."""
        there = host == self.domain if self.host_only else _domain_matches(host, self.domain)
        return (
            there
            and _path_matches(path, self.path)
            and (secure or not self.secure)
            and (self.expires is None or self.expires > now)
        )


class CookieJar:
    """Cookies in the order they were first set; at most `MAX_COOKIES`."""

    def __init__(self) -> None:
        self._cookies: dict[tuple[str, str, str], Cookie] = {}

    def store(self, url: str, set_cookie: Iterable[str], now: datetime) -> None:
        """Take the `Set-Cookie` fields of a response from `url`; unusable ones are dropped."""
        for line in set_cookie:
            cookie = parse(line, url, now)
            if cookie is None:
                continue
            key = (cookie.name, cookie.domain, cookie.path)
            if cookie.expires is not None and cookie.expires <= now:
                self._cookies.pop(key, None)
            elif key in self._cookies or len(self._cookies) < MAX_COOKIES:
                self._cookies[key] = cookie

    def header(self, url: str, now: datetime) -> str | None:
        """The `Cookie` field of a request to `url`; longer paths first (section 5.4)."""
        host, path, secure = _place(url)
        fitting = [
            cookie
            for cookie in self._cookies.values()
            if cookie.goes_to(host, path, secure=secure, now=now)
        ]
        fitting.sort(key=lambda cookie: -len(cookie.path))
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in fitting) or None

    def __len__(self) -> int:
        return len(self._cookies)


def parse(line: str, url: str, now: datetime) -> Cookie | None:
    """One `Set-Cookie` field; None where it is malformed or not the host's to set."""
    pair, *rest = line.split(";")
    name, equals, value = (part.strip() for part in pair.partition("="))
    if not equals or not name or len(line) > MAX_BYTES or not line.isprintable():
        return None
    attributes = {}
    for each in rest:
        key, _, content = each.partition("=")
        attributes[key.strip().lower()] = content.strip()
    host, path, secure = _place(url)
    domain = attributes.get("domain", "").lstrip(".").lower()
    if domain and not _may_set(host, domain):
        return None
    given = attributes.get("path", "")
    cookie = Cookie(
        name,
        value,
        domain or host,
        given if given.startswith("/") else _default_path(path),
        host_only=not domain,
        secure="secure" in attributes,
        expires=_expires(attributes, now),
    )
    return cookie if _keeps_prefix(cookie, secure=secure) else None


def _keeps_prefix(cookie: Cookie, *, secure: bool) -> bool:
    if cookie.secure and not secure:
        return False
    if cookie.name.startswith("__Host-"):
        return cookie.secure and cookie.host_only and cookie.path == "/"
    return cookie.secure or not cookie.name.startswith("__Secure-")


def _place(url: str) -> tuple[str, str, bool]:
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    return host, parts.path or "/", parts.scheme == "https" or _is_loopback(host)


def _is_loopback(host: str) -> bool:
    """Loopback counts as secure, as in browsers: nobody else is on that wire."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _may_set(host: str, domain: str) -> bool:
    """Without a list of public suffixes, a domain of one label is only ever the host itself."""
    return host == domain or ("." in domain and _domain_matches(host, domain))


def _domain_matches(host: str, domain: str) -> bool:
    if host == domain:
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host.endswith(f".{domain}")
    return False


def _default_path(path: str) -> str:
    return path.rpartition("/")[0] or "/"


def _path_matches(path: str, cookie_path: str) -> bool:
    if path == cookie_path:
        return True
    return path.startswith(cookie_path if cookie_path.endswith("/") else f"{cookie_path}/")


def _expires(attributes: dict[str, str], now: datetime) -> datetime | None:
    age = attributes.get("max-age", "")
    if age.lstrip("-").isascii() and age.lstrip("-").isdigit():
        seconds = min(int(age[:12]), int(_LONGEST.total_seconds()))
        return now + timedelta(seconds=max(seconds, -1))
    try:
        moment = parsedate_to_datetime(attributes["expires"])
    except (KeyError, ValueError, IndexError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
