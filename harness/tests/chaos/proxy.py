"""A raw proxy on loopback before the reference EHR, for harm that only a socket can show.

It speaks just enough HTTP/1.1 to know where a request and an answer end, keeps connections alive as
both sides want it, and lets a test write what bytes it likes, or end a connection where it likes.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import TypeAlias
from urllib.parse import urlsplit

LONGEST = 30.0


@dataclass(frozen=True, slots=True)
class Raw:
    """A message on the wire: its start line and header lines, and its body."""

    head: bytes
    body: bytes

    @property
    def line(self) -> str:
        """The start line."""
        return self.head.split(b"\r\n", 1)[0].decode("latin-1")

    @property
    def bytes(self) -> bytes:
        """As it goes over the wire."""
        return self.head + b"\r\n\r\n" + self.body

    def with_header(self, name: str, value: str | None) -> Raw:
        """With this header alone of its name; None takes it away."""
        lines = self.head.split(b"\r\n")
        kept = [each for each in lines if not each.lower().startswith(name.lower().encode() + b":")]
        if value is not None:
            kept.append(f"{name}: {value}".encode("latin-1"))
        return Raw(b"\r\n".join(kept), self.body)


Mischief: TypeAlias = Callable[[socket.socket, Raw], bool]
"""Gets the client's socket and the server's answer, writes what it likes; whether to go on."""


@dataclass
class Proxy:
    """One proxy.

    Attributes:
        base: the FHIR base that leads through it.
        mischief: what is done to the answers of requests whose line holds `on`.
        on: part of the request line.
        times: how many answers it is done to.
        lines: start lines of requests, in order.
        connections: how many were taken.
    """

    base: str = ""
    mischief: Mischief | None = None
    on: str = ""
    times: int = 1_000_000
    lines: list[str] = field(default_factory=list)
    connections: int = 0

    def strikes(self, line: str) -> Mischief | None:
        """What is done to the answer of this request."""
        self.lines.append(line)
        if self.mischief is None or self.on not in line or self.times <= 0:
            return None
        self.times -= 1
        return self.mischief


@contextmanager
def proxy(fhir_base: str) -> Iterator[Proxy]:
    """Proxy a FHIR base until the block ends."""
    there = urlsplit(fhir_base)
    state = Proxy()
    here: list[bytes] = []

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            state.connections += 1
            with (
                suppress(OSError),
                socket.create_connection((there.hostname or "", there.port or 80), LONGEST) as up,
            ):
                self._talk(self.request, up)

        def _talk(self, client: socket.socket, up: socket.socket) -> None:
            client.settimeout(LONGEST)
            asked, answered = bytearray(), bytearray()
            while (request := _read(client, asked)) is not None:
                mischief = state.strikes(request.line)
                plain = request.with_header("Accept-Encoding", None)
                up.sendall(plain.with_header("Host", there.netloc).bytes)
                answer = _read(up, answered)
                if answer is None:
                    return
                # What the server names as its own address has to lead through here again.
                body = answer.body.replace(there.netloc.encode(), here[0])
                answer = Raw(answer.head, body).with_header("Content-Length", str(len(body)))
                if mischief is None:
                    client.sendall(answer.bytes)
                elif not mischief(client, answer):
                    return

    class Listener(ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False
        allow_reuse_address = True

        def handle_error(self, *_: object) -> None:
            """A client that goes away is what these tests are about."""

    with Listener(("127.0.0.1", 0), Handler) as listener:
        here.append(f"127.0.0.1:{listener.server_address[1]}".encode())
        state.base = there._replace(netloc=here[0].decode()).geturl()
        thread = threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield state
        finally:
            listener.shutdown()
            thread.join(5)


def _read(stream: socket.socket, buffer: bytearray) -> Raw | None:
    """One message; None where the other side has no more to say."""
    while (end := buffer.find(b"\r\n\r\n")) < 0:
        if not (part := stream.recv(65536)):
            return None
        buffer += part
    head, size = bytes(buffer[:end]), 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            size = int(value)
    while len(buffer) < end + 4 + size:
        if not (part := stream.recv(65536)):
            return None
        buffer += part
    body = bytes(buffer[end + 4 : end + 4 + size])
    del buffer[: end + 4 + size]
    return Raw(head, body)


# -- mischief


def cuts_short(client: socket.socket, answer: Raw) -> bool:
    """Half of the body that Content-Length promises, then the end."""
    client.sendall(answer.bytes[: len(answer.head) + len(answer.body) // 2])
    return False


def resets(client: socket.socket, answer: Raw) -> bool:
    """Half of the body, then a reset."""
    cuts_short(client, answer)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    return False


def cuts_chunks(client: socket.socket, answer: Raw) -> bool:
    """In chunks, of which the last ones never come."""
    chunked = answer.with_header("Content-Length", None).with_header("Transfer-Encoding", "chunked")
    half = answer.body[: len(answer.body) // 2]
    client.sendall(chunked.head + b"\r\n\r\n" + b"%x\r\n%s\r\n" % (len(half), half))
    return False


def drips(client: socket.socket, answer: Raw) -> bool:
    """A byte at a time, more slowly than anyone waits."""
    client.sendall(answer.head + b"\r\n\r\n")
    for at in range(len(answer.body)):
        client.sendall(answer.body[at : at + 1])
        time.sleep(0.05)
    return False


def closes_after(client: socket.socket, answer: Raw) -> bool:
    """The whole answer, as if the connection stayed open; and then it is closed."""
    client.sendall(answer.bytes)
    return False


def without_length(client: socket.socket, answer: Raw) -> bool:
    """Half of the body, and nothing that tells how long it was to be."""
    headless = answer.with_header("Content-Length", None).with_header("Connection", "close")
    client.sendall(headless.head + b"\r\n\r\n" + answer.body[: len(answer.body) // 2])
    return False


def sends(body: bytes, **headers: str) -> Mischief:
    """Another body, with these headers; underscores stand for hyphens."""

    def mischief(client: socket.socket, answer: Raw) -> bool:
        made = Raw(answer.head, body).with_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            made = made.with_header(name.replace("_", "-"), value)
        client.sendall(made.bytes)
        return True

    return mischief
