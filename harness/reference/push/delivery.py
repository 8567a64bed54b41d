"""One notification on its way: sent, and sent again a few times where it was not taken.

FHIR R4, subscription-channel-type, rest-hook: a POST to the endpoint; with a payload the endpoint
is a service base, and an update (PUT) is made.
http://hl7.org/fhir/R4/valueset-subscription-channel-type.html
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from harness.reference.fhir.stored import Stored
from harness.reference.push.wanted import Wanted

WAITS: Final = (0.05, 0.1, 0.15)
"""Seconds before it is sent again, each once."""
WITHIN: Final = 2.0
"""Seconds that an endpoint has for its answer."""


@dataclass(frozen=True, slots=True)
class Notification:
    """One request to an endpoint; its headers may hold a secret of the client."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes = b""


def notification(wanted: Wanted, stored: Stored) -> Notification:
    """What tells of a version."""
    if wanted.payload is None:
        return Notification("POST", wanted.endpoint, wanted.headers)
    url = f"{wanted.endpoint.rstrip('/')}/{stored.reference}"
    headers = (*wanted.headers, ("Content-Type", wanted.payload))
    return Notification("PUT", url, headers, stored.body)


async def undelivered(what: Notification, waits: tuple[float, ...] = WAITS) -> str | None:
    """Sends until it is taken; None when it was, else why the last attempt failed."""
    reason = await _refusal(what)
    for wait in waits:
        if reason is None:
            break
        await asyncio.sleep(wait)
        reason = await _refusal(what)
    return reason


async def _refusal(what: Notification) -> str | None:
    try:
        async with asyncio.timeout(WITHIN):
            status = await _sent(what)
    except TimeoutError:
        return f"no answer within {WITHIN:.0f} s"
    except (OSError, ValueError, IndexError) as error:
        return f"no answer ({type(error).__name__})"
    return None if 200 <= status < 300 else f"status {status}"  # noqa: PLR2004 - success


async def _sent(what: Notification) -> int:
    """The status of the answer; nothing else of it is looked at, and no redirect is followed."""
    parts = urlsplit(what.url)
    secure = parts.scheme == "https"
    reader, writer = await asyncio.open_connection(
        parts.hostname, parts.port or (443 if secure else 80), ssl=True if secure else None
    )
    try:
        path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        lines = [f"{what.method} {path} HTTP/1.1", f"Host: {parts.netloc}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in what.headers]
        lines += [f"Content-Length: {len(what.body)}", "", ""]
        writer.write("\r\n".join(lines).encode("ascii") + what.body)
        await writer.drain()
        return int((await reader.readline()).split(b" ")[1])
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
