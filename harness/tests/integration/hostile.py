"""A server on loopback that misbehaves on request, and otherwise hands on to a real one.

Each path can be given a behaviour of its own: a function that gets the socket and the request and
writes what it likes. Where none is given, the request goes to `upstream` and the answer back, and
both are kept: this is also how a test learns the live secrets of a run.
"""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any, TypeAlias
from urllib.parse import urlsplit

_HOPS = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


@dataclass(frozen=True, slots=True)
class Passed:
    """A request that was handed on, and what came back."""

    asked: Asked
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


Behaviour: TypeAlias = Callable[[socket.socket, Asked], None]


@dataclass
class Hostile:
    """The server.

    Attributes:
        url: its origin.
        behaviours: by path, by the end of a path after `*`, or by `*` for every other one.
        upstream: origin of a plain http server for all other paths; None answers 404.
        alter: changes what comes from upstream.
        passed: what was handed on, in order.
        asked: every request line.
    """

    url: str = ""
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    upstream: str | None = None
    alter: Callable[[Passed], Passed] | None = None
    passed: list[Passed] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    @property
    def base(self) -> str:
        return f"{self.url}/r4"

    def serve(self, connection: socket.socket, asked: Asked) -> None:
        self.asked.append(f"{asked.method} {asked.path}")
        named = (name for name in self.behaviours if name[:1] == "*" and len(name) > 1)
        ending = next((name for name in named if asked.path.endswith(name[1:])), "*")
        behaviour = self.behaviours.get(asked.path) or self.behaviours.get(ending)
        if behaviour is not None:
            behaviour(connection, asked)
        elif self.upstream is not None:
            self._hand_on(connection, asked)
        else:
            connection.sendall(head(404, "application/json", 2) + b"{}")

    def _hand_on(self, connection: socket.socket, asked: Asked) -> None:
        there = http.client.HTTPConnection(urlsplit(self.upstream or "").netloc, timeout=30)
        sent = {name: value for name, value in asked.headers.items() if name.lower() not in _HOPS}
        there.request(asked.method, asked.target, body=asked.body or None, headers=sent)
        answer = there.getresponse()
        body = answer.read()
        there.close()
        fields = tuple(each for each in answer.getheaders() if each[0].lower() not in _HOPS)
        passed = Passed(asked, answer.status, fields, body)
        self.passed.append(passed)
        if self.alter is not None:
            passed = self.alter(passed)
        lines = [f"HTTP/1.1 {passed.status} X", *(f"{n}: {v}" for n, v in passed.headers)]
        if passed.status not in (204, 304):
            lines.append(f"Content-Length: {len(passed.body)}")
        text = "\r\n".join([*lines, "Connection: close", "", ""])
        connection.sendall(text.encode("latin-1") + passed.body)


@contextmanager
def hostile(
    behaviours: Mapping[str, Behaviour] | None = None,
    *,
    upstream: str | None = None,
    tls: ssl.SSLContext | None = None,
) -> Iterator[Hostile]:
    """Serve until the block ends; open connections are cut then."""
    server = Hostile(behaviours=dict(behaviours or {}), upstream=upstream)

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                try:
                    asked = _read(self.rfile)
                except ValueError:
                    self.connection.sendall(head(400, "text/plain", 0))
                    # Closed at once, the answer would be lost to a reset for what was not read.
                    self.connection.shutdown(socket.SHUT_WR)
                    self.connection.recv(65536)
                else:
                    server.serve(self.connection, asked)

    class Listener(ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True
        request_queue_size = 64

        def get_request(self) -> tuple[Any, Any]:
            connection, address = super().get_request()
            connection.settimeout(30)
            if tls is not None:
                connection = tls.wrap_socket(connection, server_side=True)
            return connection, address

        def handle_error(self, *_: object) -> None:
            """A client that goes away is what these tests are about."""

    with Listener(("127.0.0.1", 0), Handler) as listener:
        listener.block_on_close = False
        port = listener.server_address[1]
        server.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        thread = threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listener.shutdown()
            thread.join(5)


def _read(stream: Any) -> Asked:
    method, target, _ = stream.readline(65536).decode("latin-1").split(" ", 2)
    headers: dict[str, str] = {}
    while (line := stream.readline(65536).decode("latin-1").strip()) != "":
        name, _, value = line.partition(":")
        headers[name.strip()] = value.strip()
    size = int({name.lower(): value for name, value in headers.items()}.get("content-length", 0))
    return Asked(method, target, headers, stream.read(size))


def head(status: int, kind: str, size: int | None = None, *more: str) -> bytes:
    """The head of an answer."""
    length = [] if size is None else [f"Content-Length: {size}"]
    lines = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", *length, "Connection: close", *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def answers(
    body: bytes | str, kind: str = "application/json", status: int = 200, *more: str
) -> Behaviour:
    """One fixed answer."""
    content = body.encode() if isinstance(body, str) else body

    def behave(connection: socket.socket, asked: Asked) -> None:
        connection.sendall(head(status, kind, len(content), *more) + content)

    return behave


def says(value: Any, kind: str = "application/json", status: int = 200) -> Behaviour:
    """A JSON answer."""
    return answers(json.dumps(value), kind, status)


def page(text: str = "<html><body><h1>It works!</h1></body></html>") -> Behaviour:
    """HTML, with 200, whatever was asked for."""
    return answers(text, "text/html; charset=utf-8")


def redirects(location: str) -> Behaviour:
    """302 to `location`; `{url}` in it is the request's own target."""

    def behave(connection: socket.socket, asked: Asked) -> None:
        there = location.replace("{url}", asked.target)
        connection.sendall(head(302, "text/plain", 0, f"Location: {there}"))

    return behave


def closes(connection: socket.socket, asked: Asked) -> None:
    """Not a byte."""
    connection.shutdown(socket.SHUT_RDWR)


def breaks_off(connection: socket.socket, asked: Asked) -> None:
    """Half of what was promised."""
    connection.sendall(head(200, "application/json", 1000) + b'{"resourceType"')
    connection.shutdown(socket.SHUT_RDWR)


def endless(connection: socket.socket, asked: Asked) -> None:
    """A body without an end, until the client goes away."""
    connection.sendall(head(200, "application/json") + b'{"a":"')
    while True:
        connection.sendall(b"x" * 65536)


def drips(connection: socket.socket, asked: Asked) -> None:
    """One byte at a time, until the client goes away."""
    connection.sendall(head(200, "application/json", 10**6))
    while True:
        connection.sendall(b" ")
        time.sleep(0.05)


def silent(connection: socket.socket, asked: Asked) -> None:
    """Nothing, until the client goes away."""
    connection.recv(1)


def bomb(size: int = 1 << 30) -> Behaviour:
    """A gigabyte of spaces, in a megabyte."""
    part = gzip.compress(b" " * (1 << 24))
    packed = part * (size >> 24)
    return answers(packed, "application/json", 200, "Content-Encoding: gzip")


def deep(levels: int = 100_000) -> Behaviour:
    """JSON that no parser by recursion survives."""
    return answers("[" * levels + "]" * levels)
