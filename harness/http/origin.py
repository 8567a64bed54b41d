"""Which URLs may be asked, and which origin may see a token.

An EHR names URLs (endpoints, next links, redirects) and is hostile until parsed. Names are judged
as written, not after resolution: a proxy may resolve them, and an answer could differ a moment
later. What protects against a rebound name is that a token only ever goes to its own origin.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from functools import lru_cache
from urllib.parse import urlsplit

from harness.errors import HostileInput

_PORTS = {"http": 80, "https": 443}
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]")
_LOCAL_NAMES = ("localhost", "local", "internal", "home.arpa")


@lru_cache(maxsize=64)  # of one URL it is asked several times in a row
def origin(url: str) -> str:
    """Scheme, host and port (RFC 6454), such as `https://ehr.example` or `http://[::1]:8080`.

    Raises:
        HostileInput: `url` is no absolute http(s) URL with a host, or carries user information.
    """
    if _FORBIDDEN.search(url):
        raise HostileInput(f"{_shown(url)}: expected a URL, got spaces or control characters in it")
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme.lower(), (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise HostileInput(f"{_shown(url)}: expected a URL: {error}") from None
    if scheme not in _PORTS or not host:
        raise HostileInput(f"{_shown(url)}: expected an absolute http(s) URL")
    if "@" in parts.netloc:
        raise HostileInput(f"{scheme}://{host}: expected a URL without user information")
    name = f"[{host}]" if ":" in host else host.rstrip(".")
    return f"{scheme}://{name}" + (f":{port}" if port not in (None, _PORTS[scheme]) else "")


def host_of(url: str) -> str:
    """Host and port where it is not the default: what a limiter is kept for."""
    return origin(url).split("://", 1)[1]


def is_private(host: str) -> bool:
    """Whether `host` is a local name, or a literal address that is not globally reachable.

    Legacy spellings of IPv4 (`127.1`, `0x7f000001`, `2130706433`) count as the address they mean.
    """
    host = host.strip("[]").rstrip(".").lower()
    if any(host == name or host.endswith(f".{name}") for name in _LOCAL_NAMES):
        return True
    address = _address(host.split("%", 1)[0])
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address.sixtofour or address
    return address is not None and not address.is_global


def check_url(url: str, base: str, allowed: frozenset[str] = frozenset()) -> str:
    """The origin of `url`, if it may be asked by a client of `base`.

    Args:
        url: absolute URL, as an EHR may have named it.
        base: the FHIR base.
        allowed: further origins that the EHR file permits whatever they are.

    Raises:
        HostileInput: not http(s), or a private host though `base` is public, or plain http
            though `base` is https.
    """
    target, home = origin(url), origin(base)
    if target == home or target in allowed:
        return target
    if is_private(_host(target)) and not is_private(_host(home)):
        raise HostileInput(
            f"{target}: a private or local address, named by a public EHR ({home})",
            hint="if it is right, list the origin under auth.extra_origins of the EHR file",
        )
    if target.startswith("http:") and home.startswith("https:"):
        raise HostileInput(
            f"{target}: plain http, named by an EHR that uses https ({home})",
            hint="if it is right, list the origin under auth.extra_origins of the EHR file",
        )
    return target


def relocated(url: str, moved_from: str | None, base: str) -> str:
    """`url` below `base`, where it lies below the base that an EHR file names and a run replaced.

    Args:
        url: as the EHR named it.
        moved_from: the replaced base, without a slash at the end; None where none was.
        base: the base in its place.
    """
    if moved_from and url.startswith(moved_from) and url[len(moved_from) :][:1] in ("", "/", "?"):
        return base.rstrip("/") + url[len(moved_from) :]
    return url


def _host(an_origin: str) -> str:
    return urlsplit(an_origin).hostname or ""


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return None


def _shown(url: str) -> str:
    """A URL as messages may show it: no query, no user information, no control characters."""
    head = re.split(r"[?#]", url, maxsplit=1)[0]
    head = re.sub(r"//[^/]*@", "//", head)
    return _FORBIDDEN.sub("?", head)[:120] or "(empty)"
