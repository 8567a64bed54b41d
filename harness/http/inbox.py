"""What has come over a connection: the event loop puts it here, whoever reads takes it away.

Most of an answer is here before it is asked for. Reading costs no time-out then, and no starting
and stopping to listen, which is more than half of what a request costs otherwise.
"""

from __future__ import annotations

import asyncio
from select import POLLIN, poll

SPACE = 128 * 1024
"""Bytes that may have come and not been taken; then the peer has to wait."""


class Inbox(asyncio.BufferedProtocol):
    """One connection, as the event loop sees it."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._space = memoryview(bytearray(SPACE))
        self._filled = 0
        self._ended = False
        self._error: Exception | None = None
        self._news: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None

    @property
    def is_quiet(self) -> bool:
        """Whether nothing has come, not even the end: nothing is due between two requests."""
        socket = self.transport.get_extra_info("socket")
        if self._filled or self._ended or socket is None or socket.fileno() < 0:
            return False
        # The end may have come since the loop last looked.
        look = poll()
        look.register(socket.fileno(), POLLIN)
        return not look.poll(0)

    async def take(self, seconds: float) -> bytes:
        """All that has come; nothing after the end.

        Args:
            seconds: how long to wait for something.

        Raises:
            TimeoutError: nothing came.
            OSError: the connection broke.
        """
        if not self._filled and not self._ended:
            self._news = asyncio.get_running_loop().create_future()
            async with asyncio.timeout(seconds):
                await self._news
        if self._filled:
            return self._taken()
        if self._error is not None:
            raise self._error
        return b""

    async def send(self, data: bytes, seconds: float) -> None:
        """Send, and wait where the peer is slow; in vain where it has gone.

        Args:
            data: what to send.
            seconds: how long to wait.

        Raises:
            TimeoutError: the peer does not take it.
        """
        if self._ended:
            return
        self.transport.write(data)
        if self._room is not None:
            async with asyncio.timeout(seconds):
                await self._room

    def close(self) -> None:
        """Close at once: what was worth waiting for has come."""
        self.transport.abort()

    def _taken(self) -> bytes:
        data = bytes(self._space[: self._filled])
        if self._filled == SPACE and not self._ended:
            self.transport.resume_reading()
        self._filled = 0
        return data

    # -- what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        self.transport = transport  # type: ignore[assignment] # of a stream it is a Transport

    def get_buffer(self, _sizehint: int) -> memoryview:
        """Where the next bytes go."""
        return self._space[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        """They have come."""
        self._filled += nbytes
        if self._filled == SPACE:
            self.transport.pause_reading()
        _tell(self._news)

    def eof_received(self) -> None:
        """The peer sends no more."""
        self._ended = True
        _tell(self._news)

    def connection_lost(self, error: Exception | None) -> None:
        """It is closed; `error` says why, if we did not do it."""
        self._ended = True
        self._error = error
        _tell(self._news)
        _tell(self._room)

    def pause_writing(self) -> None:
        """The peer is slow."""
        self._room = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """It has caught up."""
        _tell(self._room)
        self._room = None


def _tell(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
