"""The HTTP library's transport over our own connections: h11 speaks HTTP, the event loop listens.

The library's own transport has several layers between the two, for pools, other event loops and
HTTP/2, and takes five times as long for a request. Proxies are left to it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TypeAlias

import h11
import httpx

from harness.http.inbox import Inbox
from harness.http.spares import Spares

MOST_HEAD = 100 * 1024
"""Bytes of status line and headers, or of one line that says how long a chunk is."""

_STAGGER = 0.25
"""Seconds until the next address of a host is tried as well (RFC 8305 section 8)."""

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
            head = await connection.ask(request, timeouts["write"], read)
        except BaseException:
            connection.close()
            raise
        return httpx.Response(
            head.status_code,
            headers=head.headers.raw_items(),
            stream=_Body(connection, read, lambda: self._spares.give(place, connection)),
            extensions={"http_version": b"HTTP/" + head.http_version},
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
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST_HEAD)

    @property
    def is_through(self) -> bool:
        """Whether the last answer was read to the end, and nothing came behind it."""
        return self._http.our_state is h11.IDLE and not self._http.trailing_data[0]

    @property
    def is_ready(self) -> bool:
        """Whether it can be asked: what came beyond an answer would be taken for the next one."""
        return self.is_through and self._inbox.is_quiet

    async def ask(self, request: httpx.Request, write: float, read: float) -> h11.Response:
        """Send a request; the head of its answer."""
        with _told(httpx.WriteError, httpx.WriteTimeout):
            await self._inbox.send(b"".join(self._said(request)), write)
        while True:
            event = await self._next(read)
            if isinstance(event, h11.Response):
                return event
            if not isinstance(event, h11.InformationalResponse):
                raise httpx.RemoteProtocolError("it goes on in another protocol than HTTP")

    async def body(self, read: float) -> AsyncIterator[bytes]:
        """The body of the answer as it comes; then the connection may be used again."""
        while isinstance(event := await self._next(read), h11.Data):
            yield bytes(event.data)
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()

    def close(self) -> None:
        """Close it, wherever it stands."""
        self._inbox.close()

    def _said(self, request: httpx.Request) -> Iterator[bytes]:
        head = h11.Request(
            method=request.method, target=request.url.raw_path, headers=request.headers.raw
        )
        yield self._http.send(head) or b""
        if request.content:
            yield self._http.send(h11.Data(data=request.content)) or b""
        yield self._http.send(h11.EndOfMessage()) or b""

    async def _next(self, seconds: float) -> object:
        """What the server says next."""
        with _told(httpx.ReadError, httpx.ReadTimeout):
            while (event := self._http.next_event()) is h11.NEED_DATA:
                came = await self._inbox.take(seconds)
                if not came and self._http.their_state is h11.SEND_RESPONSE:
                    raise httpx.RemoteProtocolError(
                        "server disconnected without sending a response"
                    )
                self._http.receive_data(came)
        return event


class _Body(httpx.AsyncByteStream):
    """The body of an answer.

    Args:
        connection: it comes from there.
        read: seconds to wait for something.
        done: what becomes of the connection, once the body is read or given up.
    """

    def __init__(self, connection: Connection, read: float, done: Callable[[], None]) -> None:
        self._connection = connection
        self._read = read
        self._done = done

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._connection.body(self._read)

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
    except h11.RemoteProtocolError as error:
        raise httpx.RemoteProtocolError(str(error)) from error
    except h11.LocalProtocolError as error:
        raise httpx.LocalProtocolError(str(error)) from error
