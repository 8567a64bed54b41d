"""The disguises in which one secret can appear in text."""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from typing import Any
from urllib.parse import quote, quote_plus

SHORTEST = 8
"""Shorter values are never searched for in text: they would shred it."""

_JWT = re.compile(r"[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{2,}\.[A-Za-z0-9_-]*")
_HEX = re.compile(r"%[0-9A-F]{2}")


def disguises(value: str) -> set[str]:
    """`value` plain, percent-encoded, JSON- and HTML-escaped, and inside any base64 text."""
    percent = {quote(value, safe=""), quote_plus(value), quote(value, safe="/:@!$'()*,;~")}
    percent |= {_HEX.sub(lambda match: match.group().lower(), each) for each in percent}
    escaped = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    escaped |= {each.replace("/", "\\/") for each in escaped}
    markup = {html.escape(value), html.escape(value, quote=False)}
    found = {value} | percent | escaped | markup | _inside_base64(value)
    return {each for each in found if len(each) >= SHORTEST}


def _inside_base64(value: str) -> set[str]:
    """What base64 shows of `value`, whatever precedes it: one core for each alignment."""
    raw = value.encode("utf-8", "surrogateescape")
    cores = set()
    for offset, first in ((0, 0), (1, 2), (2, 3)):
        whole = (offset + len(raw)) * 8 // 6
        core = base64.b64encode(b"\0" * offset + raw)[first:whole].decode("ascii")
        # A short core could stand in any base64 text by chance.
        if len(core) >= SHORTEST + 2:
            cores |= {core, core.replace("+", "-").replace("/", "_")}
    return cores


def is_jwt(value: str) -> bool:
    """Whether `value` is a compact JWS whose header and claims are JSON objects."""
    if not _JWT.fullmatch(value):
        return False
    header, claims, _ = value.split(".")
    return isinstance(jwt_part(header), dict) and isinstance(jwt_part(claims), dict)


def jwt_part(part: str) -> Any:
    """A part of a JWT as JSON; None when it is none."""
    try:
        return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return None


def to_jwt_part(value: str) -> str:
    """JSON text as a part of a JWT."""
    return base64.urlsafe_b64encode(value.encode()).rstrip(b"=").decode("ascii")
