"""Fetching from a registry: through redirects, within bounds, with a token that stays at home."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urljoin

from harness.config.ehr import Limits, Tls
from harness.config.secrets import Secret
from harness.errors import HarnessError, HostileInput, ProtocolError, UsageError
from harness.http.client import HttpClient
from harness.http.clock import SystemClock
from harness.http.evidence import Evidence
from harness.http.exchange import Exchange, Headers, Request, Response
from harness.http.inflow import Receive, Take
from harness.http.limiter import HostLimiters
from harness.http.origin import origin
from harness.http.retry import Policy
from harness.http.transport import Bounds
from harness.profiles import archive

MAX_BYTES = 512 * 1024 * 1024
_LISTING = 32 * 1024 * 1024
_HOPS = 5
_OK, _NOT_FOUND = 200, 404
_MOVED = frozenset({301, 302, 303, 307, 308})

Told = Callable[[int], None]
"""Gets how many bytes have come."""


class NotThere(HarnessError):
    """A registry that answers, and has no such package or version."""


def client_of(base: str, tls: Tls) -> HttpClient:
    """The HTTP client for a registry."""
    clock = SystemClock()
    return HttpClient(
        base=base,
        evidence=Evidence(),
        limiter=HostLimiters(Limits(), clock),
        clock=clock,
        tls=tls,
        bounds=Bounds(connect=10.0, read=30.0, total=120.0),
        policy=Policy(attempts=3, max_retry_after=20.0),
    )


@dataclass(frozen=True, slots=True)
class Fetching:
    """One conversation.

    Attributes:
        http: the client; its origin is the only one that sees the token.
        token: of the registry, or None.
    """

    http: HttpClient
    token: Secret | None = None

    async def listing(self, url: str) -> dict[str, Any]:
        """What a registry says of a package.

        Raises:
            NotThere: 404.
            ProtocolError: some other answer, or no JSON object.
            EhrUnreachable: no answer.
            HostileInput: more than such a listing can be.
        """
        parts: list[bytes] = []

        def receive(head: Response) -> Take | None:
            return parts.append if head.status == _OK else None

        exchange = await self._follow(url, receive, "application/json", _LISTING)
        whole = replace(exchange.response, body=b"".join(parts))
        return replace(exchange, response=whole).json_object()

    async def save(self, url: str, into: Path, told: Told) -> None:
        """Write the archive at a URL to a file.

        Raises:
            UsageError: the file cannot be written.
            NotThere, ProtocolError, EhrUnreachable, HostileInput: as `listing`; or no archive.
        """
        try:
            with into.open("wb") as file:
                exchange = await self._follow(url, _Saving(file, told).receive, "*/*", MAX_BYTES)
            with into.open("rb") as file:
                head = file.read(archive.HEAD)
        except OSError as error:
            raise UsageError(f"{into}: cannot be written: {error.strerror}") from None
        if not archive.begins(head):
            kind = exchange.media_type or "something else"
            raise ProtocolError(f"{exchange.where}: expected an archive, got {kind[:60]}")

    async def _follow(self, url: str, receive: Receive, accept: str, most: int) -> Exchange:
        """GET, through redirects."""
        exchange = await self._ask(url, receive, accept, most)
        for _ in range(_HOPS):
            target = exchange.headers.get("Location")
            if exchange.status not in _MOVED or not target:
                return _good(exchange)
            url = urljoin(url, target)
            try:
                exchange = await self._ask(url, receive, accept, most)
            except HostileInput:
                raise ProtocolError(
                    f"{exchange.where}: a redirect to a place where nothing is fetched from"
                ) from None
        raise ProtocolError(f"{exchange.where}: more than {_HOPS} redirects")

    async def _ask(self, url: str, receive: Receive, accept: str, most: int) -> Exchange:
        headers = Headers((("Accept", accept), ("Accept-Encoding", "identity")))
        at_home = self.token is not None and origin(url) == self.http.token_origin
        bearer = self.token.reveal() if self.token is not None and at_home else None
        request = Request("GET", url, headers)
        return await self.http.stream(request, receive, bearer=bearer, max_bytes=most)


def _good(exchange: Exchange) -> Exchange:
    if exchange.status == _OK:
        return exchange
    if exchange.status == _NOT_FOUND:
        raise NotThere(f"{exchange.where}: 404, not there")
    raise ProtocolError(f"{exchange.where}: expected 200, got {exchange.status}")


@dataclass(slots=True)
class _Saving:
    """A body on its way into a file."""

    file: BinaryIO
    told: Told
    size: int = 0

    def receive(self, head: Response) -> Take | None:
        """As `harness.http.inflow.Receive`."""
        return self._take if head.status == _OK else None

    def _take(self, piece: bytes) -> None:
        self.file.write(piece)
        self.size += len(piece)
        self.told(self.size)
