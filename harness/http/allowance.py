"""What a server says is left before it refuses, read from an answer that it gave.

`RateLimit` (draft-ietf-httpapi-ratelimit-headers, both forms), and `X-RateLimit-Remaining` with
`X-RateLimit-Reset` in seconds or as an epoch, as GitHub, Medplum and many gateways send them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from harness.http.exchange import Headers
from harness.http.retry import reset_in

_NUMBER = re.compile(r"\d{1,12}(?:\.\d{1,6})?", re.ASCII)
_PREFIXES = ("RateLimit", "X-RateLimit", "X-Rate-Limit")
_PREFIX = re.compile("|".join(_PREFIXES), re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Allowance:
    """`remaining` (requests, or what the server counts) within the next `seconds`."""

    remaining: float
    seconds: float


def allowance(headers: Headers, now: datetime) -> Allowance | None:
    """The tightest allowance that an answer names; None where it names none."""
    if not any(_PREFIX.match(name) for name, _ in headers):
        return None
    found = [each for each in (*_structured(headers), *_plain(headers, now)) if each.seconds > 0]
    return min(found, key=lambda each: each.remaining / each.seconds, default=None)


def _structured(headers: Headers) -> list[Allowance]:
    """`"default";r=5;t=12, "daily";r=100;t=3600`, or `limit=9, remaining=5, reset=12`."""
    value, found = headers.get("RateLimit") or "", []
    old = dict(part.strip().partition("=")[::2] for part in value.split(","))
    pairs = [(old.get("remaining"), old.get("reset"))]
    for item in value.split(","):
        parameters = dict(part.strip().partition("=")[::2] for part in item.split(";")[1:])
        pairs.append((parameters.get("r"), parameters.get("t")))
    for remaining, seconds in pairs:
        left, wait = _number(remaining), _number(seconds)
        if left is not None and wait is not None:
            found.append(Allowance(left, wait))
    return found


def _plain(headers: Headers, now: datetime) -> list[Allowance]:
    found = []
    for prefix in _PREFIXES:
        left = _number(headers.get(f"{prefix}-Remaining"))
        wait = reset_in(headers.get(f"{prefix}-Reset"), now)
        if left is not None and wait is not None:
            found.append(Allowance(left, wait))
    return found


def _number(value: str | None) -> float | None:
    value = (value or "").strip()
    return float(value) if _NUMBER.fullmatch(value) else None
