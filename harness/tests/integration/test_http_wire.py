"""Connections over loopback: kept, closed, held back, encrypted, and led through a proxy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from ssl import SSLContext
from typing import Any

import pytest

from harness.config.ehr import Tls
from harness.errors import EhrUnreachable
from harness.http.clock import SystemClock
from harness.http.exchange import Headers, Request, Response
from harness.http.inbox import SPACE, Inbox
from harness.http.transport import Bounds, NoAnswerError, WireTransport
from harness.tests.integration.test_http_hostile import client, self_signed

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
MIB = 1024 * 1024


@asynccontextmanager
async def serving(serve: Serve, tls: SSLContext | None = None) -> AsyncIterator[str]:
    """A server that hands each connection to `serve`, and closes it after that."""
    tasks: set[asyncio.Task[None] | None] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(one, "127.0.0.1", 0, ssl=tls)
    try:
        port = server.sockets[0].getsockname()[1]
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    finally:
        server.close()
        for task in filter(None, tasks):
            task.cancel()
        await asyncio.gather(*filter(None, tasks), return_exceptions=True)


async def ask(wire: WireTransport, url: str, method: str = "GET", body: bytes = b"") -> Response:
    request = Request(method, url, Headers((("Accept", "application/json"),)), body)
    return (await wire.send(request, max_bytes=64 * MIB)).response


def over(serve: Serve, *urls: str, tls: Tls = Tls(), context: SSLContext | None = None) -> Any:  # noqa: B008 - frozen
    """What the paths `urls` answer, one after the other."""

    async def main() -> list[Response]:
        async with serving(serve, context) as base:
            wire = WireTransport(tls, Bounds(connect=5, read=5, total=10), SystemClock())
            async with wire:
                return [await ask(wire, base + url) for url in urls]

    return asyncio.run(main())


def test_one_connection_serves_many_requests() -> None:
    connections = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(OK)

    assert [each.body for each in over(serve, "/1", "/2", "/3")] == [b"{}"] * 3
    assert len(connections) == 1


@pytest.mark.parametrize("last", [b"Connection: close\r\n", b""])
def test_a_connection_that_the_server_ends_is_not_used_again_for_a_write(last: bytes) -> None:
    """A write must not be sent on a connection that has ended: nobody would know what became."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK.replace(b"\r\n\r\n", b"\r\n" + last + b"\r\n"))
        await writer.drain()

    async def main() -> None:
        async with serving(serve) as base, client(base + "/r4") as http:
            for _ in range(3):
                exchange = await http.post_json(f"{base}/r4/Observation", {})
                assert exchange.status == 200
                await asyncio.sleep(0.01)
            assert len(http.evidence.steps) == 3

    asyncio.run(main())


def test_what_came_beyond_an_answer_is_not_the_answer_to_the_next_request() -> None:
    connections = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(OK + OK.replace(b"{}", b"no"))

    assert [each.body for each in over(serve, "/1", "/2", "/3")] == [b"{}"] * 3
    assert len(connections) == 3


def test_an_answer_that_came_before_the_connection_broke_is_read() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = b"x" * (SPACE // 2)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()

    assert len(over(serve, "/")[0].body) == SPACE // 2


@pytest.mark.parametrize(
    ("head", "tail"),
    [
        (b"Content-Length: 6", b"abcdef"),
        (b"Transfer-Encoding: chunked", b"3\r\nabc\r\n3;x=y\r\ndef\r\n0\r\nTrailer: 1\r\n\r\n"),
        (b"Server: old", b"abcdef"),
    ],
)
def test_a_body_is_read_however_its_end_is_told(head: bytes, tail: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        early = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
        for byte in early + b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + tail:
            writer.write(bytes([byte]))
            await writer.drain()

    assert over(serve, "/")[0].body == b"abcdef"


def test_a_large_body_comes_whole_over_tls_too(tmp_path: Path) -> None:
    body = bytes(range(256)) * (5 * MIB // 256)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
            writer.write(body)
            await writer.drain()

    context, pem = self_signed(tmp_path)
    plain = over(serve, "/", "/")
    secret = over(serve, "/", "/", tls=Tls(ca_file=pem), context=context)
    assert [each.body == body for each in (*plain, *secret)] == [True] * 4


def test_a_server_is_held_back_while_nobody_reads() -> None:
    sent, endless = 0, 200 * MIB

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % endless)
        while sent < endless:
            writer.write(b"x" * MIB)
            await writer.drain()
            sent += MIB

    async def main() -> None:
        async with serving(serve) as base:
            port = int(base.rpartition(":")[2])
            loop = asyncio.get_running_loop()
            _, inbox = await loop.create_connection(Inbox, "127.0.0.1", port)
            await inbox.send(b"GET / HTTP/1.1\r\n\r\n", 5)
            await asyncio.sleep(0.3)
            before = sent
            await asyncio.sleep(0.1)
            assert sent == before < 50 * MIB
            assert len(await inbox.take(1)) == SPACE
            inbox.close()

    asyncio.run(main())


def test_a_request_that_the_server_does_not_take_ends_in_time() -> None:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined] # it is a Transport
        await asyncio.sleep(10)

    async def main() -> None:
        async with serving(serve) as base:
            wire = WireTransport(Tls(), Bounds(write=0.2, read=5), SystemClock())
            with pytest.raises(NoAnswerError, match="write timed out after"):
                await ask(wire, base, "POST", b"x" * (40 * MIB))
            await wire.aclose()

    asyncio.run(main())


def test_an_answer_that_comes_before_the_request_was_taken_counts() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        await reader.read(41 * MIB)

    async def main() -> None:
        async with serving(serve) as base:
            wire = WireTransport(Tls(), Bounds(write=5, read=5), SystemClock())
            assert (await ask(wire, base, "POST", b"x" * MIB)).status == 413
            await wire.aclose()

    asyncio.run(main())


def test_a_server_that_changes_the_protocol_is_not_followed() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n")
        await writer.drain()
        await reader.read()

    async def main() -> None:
        async with serving(serve) as base, client(base + "/r4") as http:
            with pytest.raises(EhrUnreachable, match="did not speak HTTP"):
                await http.get(f"{base}/r4/metadata")

    asyncio.run(main())


def test_a_proxy_gets_the_whole_url_of_plain_http() -> None:
    asked = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            asked.append(head.split(b"\r\n")[0])
            writer.write(OK)

    async def main() -> None:
        async with serving(proxy) as base:
            wire = WireTransport(Tls(proxy=base), Bounds(), SystemClock())
            for _ in range(2):
                assert (await ask(wire, "http://ehr.example/r4/metadata")).status == 200
            await wire.aclose()

    asyncio.run(main())
    assert asked == [b"GET http://ehr.example/r4/metadata HTTP/1.1"] * 2
