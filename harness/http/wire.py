"""The HTTP library's transport over our own connections, which the event loop listens to.

The library's own transport has several layers between the two, for pools, other event loops and
HTTP/2, and takes five times as long for a request. Proxies are left to it.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TypeAlias

import httpx

from harness.http.inbox import Inbox
from harness.http.reply import SWITCHING, BadReplyError, Reply
from harness.http.spares import Spares

_STAGGER = 0.25
"""Seconds until the next address of a host is tried as well (RFC 8305 section 8)."""

_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NO_VALUE = re.compile(rb"[\x00\r\n]")
"""What would end a header field, or is refused wherever it comes (RFC 9110 section 5.5)."""

Place: TypeAlias = tuple[str, str, int | None]
"""Where a connection leads: scheme, host and port."""


class Wire(httpx.AsyncBaseTransport):
    """HTTP/1.1 over connections of its own, which are used again.

    Time-outs are those of a request's extensions: `connect`, `read` and `write`.

    Args:
        context: how TLS is spoken; asked for with the first connection that needs it.
    """

    def __init__(self, context: Callable[[], ssl.SSLContext]) -> None:
        self._context = cache(context)
        self._spares: Spares[Place, Connection] = Spares()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send, and read the head of the answer; its body is still to be read.

        Raises:
            httpx.TransportError: there is no answer.
        """
        url, timeouts = request.url, request.extensions["timeout"]
        place = url.scheme, url.host, url.port
        read = timeouts["read"]
        connection = self._spares.take(place) or await self._open(place, timeouts["connect"])
        try:
            reply = await connection.ask(request, timeouts["write"], read)
        except BaseException:
            connection.close()
            raise
        return httpx.Response(
            reply.status,
            headers=reply.headers,
            stream=_Body(connection, reply, read, lambda: self._spares.give(place, connection)),
            extensions={"http_version": reply.http_version.encode()},
        )

    async def aclose(self) -> None:
        """Close the connections that wait."""
        self._spares.close()

    async def _open(self, place: Place, seconds: float) -> Connection:
        scheme, host, port = place
        secure = scheme == "https"
        port = port or (443 if secure else 80)
        with _told(httpx.ConnectError, httpx.ConnectTimeout):
            async with asyncio.timeout(seconds):
                _, inbox = await asyncio.get_running_loop().create_connection(
                    Inbox,
                    host,
                    port,
                    ssl=self._context() if secure else None,
                    happy_eyeballs_delay=_STAGGER,
                )
        return Connection(inbox)


class Connection:
    """One connection, and where its conversation stands."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._reply: Reply | None = None

    @property
    def is_through(self) -> bool:
        """Whether the last answer was read to the end, and nothing came behind it."""
        return self._reply is None or (self._reply.is_whole and not self._reply.is_last)

    @property
    def is_ready(self) -> bool:
        """Whether it can be asked: what came beyond an answer would be taken for the next one."""
        return self.is_through and self._inbox.is_quiet

    async def ask(self, request: httpx.Request, write: float, read: float) -> Reply:
        """Send a request; its answer, whose head has come."""
        reply = self._reply = Reply(bodiless=request.method == "HEAD")
        with _told(httpx.WriteError, httpx.WriteTimeout):
            await self._inbox.send(_said(request), write)
        while not reply.status:
            await self._go_on(reply, read)
        if reply.status == SWITCHING:
            raise httpx.RemoteProtocolError("it goes on in another protocol than HTTP")
        return reply

    async def body(self, reply: Reply, read: float) -> AsyncIterator[bytes]:
        """The body of an answer as it comes; then the connection may be used again."""
        while True:
            for piece in reply.taken():
                yield piece
            if reply.is_whole:
                return
            await self._go_on(reply, read)

    def close(self) -> None:
        """Close it, wherever it stands."""
        self._inbox.close()

    async def _go_on(self, reply: Reply, seconds: float) -> None:
        """Read what the server says next."""
        with _told(httpx.ReadError, httpx.ReadTimeout):
            reply.feed(await self._inbox.take(seconds))


def _said(request: httpx.Request) -> bytes:
    """A request as it is sent (RFC 9112 section 3)."""
    fields = request.headers.raw
    for name, value in fields:
        if _NAME.fullmatch(name) is None or _NO_VALUE.search(value) is not None:
            raise httpx.LocalProtocolError("a header that cannot be sent")
    lines = [b"%b: %b" % field for field in fields]
    first = b"%b %b HTTP/1.1" % (request.method.encode(), request.url.raw_path)
    return b"\r\n".join([first, *lines, b"", request.content])


class _Body(httpx.AsyncByteStream):
    """The body of an answer.

    Args:
        connection: it comes from there.
        reply: whose body it is.
        read: seconds to wait for something.
        done: what becomes of the connection, once the body is read or given up.
    """

    def __init__(
        self, connection: Connection, reply: Reply, read: float, done: Callable[[], None]
    ) -> None:
        self._connection = connection
        self._reply = reply
        self._read = read
        self._done = done

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._connection.body(self._reply, self._read)

    async def aclose(self) -> None:
        """Read no more."""
        self._done()


@contextmanager
def _told(broken: type[httpx.TransportError], late: type[httpx.TransportError]) -> Iterator[None]:
    """What goes wrong, in the library's words."""
    try:
        yield
    except TimeoutError as error:
        raise late(str(error)) from error
    except OSError as error:
        raise broken(str(error)) from error
    except BadReplyError as error:
        raise httpx.RemoteProtocolError(str(error)) from error
