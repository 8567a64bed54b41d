"""Listens on a loopback URI of the application until a browser brings what is waited for.

RFC 8252 section 7.3: http on 127.0.0.1, [::1] or localhost, any port.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from harness.errors import ConfigError
from harness.smart.drivers.target import Caught, Target

MAX_HEAD = 64 * 1024
MAX_BODY = 64 * 1024
_PAGE = "text/plain; charset=utf-8"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Taken(Generic[T]):
    """What a visit is worth.

    Attributes:
        value: what is waited for; None where this visit does not bring it.
        text: one line for the person.
    """

    value: T | None
    text: str


@dataclass(slots=True)
class Listener(Generic[T]):
    """Takes one visit that brings the value; anything else gets a refusal, and it waits on.

    Args:
        uri: where to listen; see `is_local`.
        target: tells the visits that count.
        judge: what such a visit is worth.
    """

    uri: str
    target: Target
    judge: Callable[[Caught], Taken[T]]
    answer: asyncio.Future[T] = field(init=False)

    async def wait(self) -> T:
        """The value, as soon as a browser brings it.

        Raises:
            ConfigError: the port cannot be listened on.
        """
        self.answer = asyncio.get_running_loop().create_future()
        parts = urlsplit(self.uri)
        host = parts.hostname or ""
        try:
            server = await asyncio.start_server(self._serve, host, parts.port or 80, limit=MAX_HEAD)
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {parts.netloc} for the browser: {error.strerror}",
                hint="free the port, or register another loopback URI",
            ) from None
        try:
            return await self.answer
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken: T | None = None
        try:
            async with asyncio.timeout(10):
                status, text, taken = await self._answer(reader)
                body = f"{text}\n".encode()
                head = (
                    f"HTTP/1.1 {status}\r\nContent-Type: {_PAGE}\r\nContent-Length: {len(body)}\r\n"
                    "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n"
                    "Connection: close\r\n\r\n"
                )
                writer.write(head.encode() + body)
                await writer.drain()
        except (TimeoutError, OSError, ValueError, EOFError, asyncio.LimitOverrunError):
            pass  # a visitor that speaks no HTTP is no answer
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
        # Only now: whoever waits may end the loop, and the person should have seen the page.
        if taken is not None and not self.answer.done():
            self.answer.set_result(taken)

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[str, str, T | None]:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, _, rest = head.partition("\r\n")
        method, target, _ = first.split(" ", 2)
        parts = urlsplit(self.uri)
        there = urlsplit(target)
        url = urlunsplit((parts.scheme, parts.netloc, there.path, there.query, ""))
        if not self.target.answered_by(url):
            return "404 Not Found", "Nothing is here.", None
        fields = None
        if method == "POST":
            posted = (await _body(reader, rest)).decode()
            fields = tuple(parse_qsl(posted, keep_blank_values=True))
        taken = self.judge(Caught(url, fields))
        status = "400 Bad Request" if taken.value is None else "200 OK"
        return status, taken.text, taken.value


async def _body(reader: asyncio.StreamReader, head: str) -> bytes:
    for line in head.split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-length":
            return await reader.readexactly(min(int(value), MAX_BODY))
    return b""


def is_local(uri: str) -> bool:
    """Whether a plain HTTP listener on this machine would get what goes to `uri`."""
    parts = urlsplit(uri)
    if parts.scheme != "http":
        return False
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.hostname == "localhost"
