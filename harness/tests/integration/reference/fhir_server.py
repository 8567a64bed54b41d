"""The FHIR interface on a loopback socket, with any number of instances and ready-made tokens."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx
import uvicorn
from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from harness.reference.access import Access
from harness.reference.bulk.jobs import Bulk
from harness.reference.bulk.options import BulkOptions
from harness.reference.fhir.routes import routes
from harness.tests.unit.reference.fhir_doubles import Ehr, access


@dataclass
class Endpoint:
    """One instance as a client sees it."""

    ehr: Ehr
    tokens: dict[str, Access]
    clients: list[httpx.Client]

    def client(
        self, *scopes: str, patient: str | None = None, client_id: str = "test"
    ) -> httpx.Client:
        """A client whose token has these scopes; everything if none is named."""
        token = f"t{len(self.tokens)}"
        self.tokens[token] = access(
            *(scopes or ("system/*.cruds",)), patient=patient, client_id=client_id
        )
        client = httpx.Client(
            base_url=self.ehr.fhir_base + "/", headers={"Authorization": f"Bearer {token}"}
        )
        self.clients.append(client)
        return client


@dataclass
class FhirServer:
    """Dispatches to instances by the first part of the path."""

    origin: str
    apps: dict[str, tuple[ASGIApp, dict[str, Access]]] = field(default_factory=dict)
    clients: list[httpx.Client] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=count)

    def endpoint(self, *faults: str, **bulk: Any) -> Endpoint:
        name = f"i{next(self.numbers)}"
        ehr = Ehr(fhir_base=f"{self.origin}/{name}/r4", faults=faults)
        ehr.bulk = Bulk(BulkOptions.checked(bulk))
        tokens: dict[str, Access] = {}
        self.apps[name] = (Router(routes(ehr), redirect_slashes=False), tokens)
        return Endpoint(ehr, tokens, self.clients)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        _, name, _, path = scope["path"].split("/", 3)
        app, tokens = self.apps[name]
        headers = dict(scope["headers"])
        token = headers.get(b"authorization", b"").decode().removeprefix("Bearer ")
        scope["state"] = {"access": tokens.get(token)}
        scope["path"] = f"/{path}"
        await app(scope, receive, send)


@contextmanager
def serving() -> Iterator[FhirServer]:
    """Serves until the block ends."""
    # With the protocol named, asyncio switches Nagle's algorithm off on what is accepted.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()  # who connects before uvicorn is up waits instead of being refused
    server = FhirServer(f"http://127.0.0.1:{listener.getsockname()[1]}")
    runner = uvicorn.Server(uvicorn.Config(server, log_level="error", lifespan="off"))
    thread = threading.Thread(target=runner.run, args=([listener],), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        for client in server.clients:
            client.close()
        runner.should_exit = True
        thread.join(timeout=10)
        listener.close()
