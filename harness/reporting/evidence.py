"""An exchange as text for a report: redacted before it comes here, never markup, never binary."""

from __future__ import annotations

import re

from harness.http.exchange import Exchange, Headers
from harness.reporting.curl import curl

MAX_BODY = 64 * 1024
_TEXTUAL = re.compile(
    r"(?:application/(?:[a-z0-9.+-]*\+)?(?:json|ndjson|jwt|x-www-form-urlencoded)|text/plain)"
)
_MARKUP = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<", re.DOTALL)
_ILLEGAL = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\x7f-\x9f]")


def title(exchange: Exchange) -> str:
    """`3. POST /token -> 200`; what the EHR sent of its own accord says so."""
    arrived = " (sent by the EHR)" if exchange.arrived else ""
    return f"{exchange.number}. {exchange.where} -> {exchange.status}{arrived}"


def as_text(exchange: Exchange) -> str:
    """Request and response in full, with the curl line that repeats the request."""
    request, response = exchange.request, exchange.response
    about = f"act {exchange.act}, {exchange.seconds:.3f} s, attempt {exchange.attempt}"
    lines = [
        title(exchange),
        f"{exchange.started_at.isoformat()}, {about}",
        "",
        *(() if exchange.arrived else (curl(request), "")),
        f"{request.method} {request.url}",
        *(f"{name}: {value}" for name, value in request.headers),
        "",
        body(request.body, request.headers),
        "",
        f"{response.http_version} {response.status}",
        *(f"{name}: {value}" for name, value in response.headers),
        "",
        body(response.body, response.headers),
    ]
    return printable("\n".join(lines))


def body(content: bytes, headers: Headers) -> str:
    """A body where it is text or JSON; else a note of what it was."""
    media_type = (headers.get("Content-Type") or "").split(";", 1)[0].strip().lower()
    if not content:
        return "(no body)"
    kind = media_type or "of no stated media type"
    if not _TEXTUAL.fullmatch(media_type) or _MARKUP.match(content):
        return f"({len(content)} bytes {kind}: not kept, it is markup or binary)"
    text = content[:MAX_BODY].decode("utf-8", "replace")
    rest = len(content) - MAX_BODY
    return f"{text}\n(and {rest} bytes more)" if rest > 0 else text


def printable(text: str) -> str:
    """`text` without control characters and without what XML 1.0 cannot hold."""
    return _ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", text)
