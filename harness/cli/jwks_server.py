"""A small HTTP server for one public JWK Set, with the standard library alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET6
from socketserver import TCPServer
from typing import Any

from harness.errors import UsageError

PATH = "/jwks.json"
MAX_AGE = 300
"""Seconds that an authorization server may keep the set; a new key is known after that."""

PATIENCE = 10.0
"""Seconds that a visitor has to send a request."""


def server_of(jwks: Mapping[str, Any], host: str, port: int) -> ThreadingHTTPServer:
    """A server that listens already; `serve_forever` answers.

    Args:
        jwks: the public set.
        host: address or name to listen on.
        port: 0 takes a free one.

    Raises:
        UsageError: it cannot listen there.
    """
    handler = type("Handler", (_Handler,), {"body": json.dumps(jwks).encode()})
    kind = _Server6 if ":" in host else _Server
    try:
        return kind((host, port), handler)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {host}:{port}: {error.strerror or error}",
            hint="choose another --port or --host",
        ) from None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """Bind without looking up the name of the address, which may take long."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]


class _Server6(_Server):
    address_family = AF_INET6


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD of one path; says nothing of itself, and logs nothing."""

    body = b""
    timeout = PATIENCE
    server_version = "fhir-harness"
    sys_version = ""

    def do_GET(self) -> None:
        """The set."""
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        """What GET would say."""
        self._answer(with_body=False)

    def log_message(self, *_: Any) -> None:
        """Nothing: the address of a visitor is nobody's business."""

    def _answer(self, *, with_body: bool) -> None:
        found = self.path.partition("?")[0] == PATH
        body = self.body if found else b"Nothing is here.\n"
        self.send_response(HTTPStatus.OK if found else HTTPStatus.NOT_FOUND)
        self.send_header("Content-Type", "application/json" if found else "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", f"public, max-age={MAX_AGE}" if found else "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if with_body:
            self.wfile.write(body)
