"""Listens for what an EHR sends of its own accord, such as the notifications of a Subscription.

Whatever comes is hostile: bounded in size, number and time, kept only where its path holds the
secret of an endpoint, and looked at by nobody here. A replay is told what came before.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import anyio
import h11

from harness.errors import ConfigError
from harness.http.clock import Clock
from harness.http.evidence import Evidence, current_act
from harness.http.exchange import Exchange, Headers, Request, Response
from harness.http.redaction import Redactor

MAX_HEAD = 64 * 1024
MAX_BODY = 1024 * 1024
MOST_KEPT = 200
MOST_AT_ONCE = 16
WITHIN = 10.0
"""Seconds that one request may take to arrive."""

NOT_HERE, TOO_LONG, TOO_MANY = 404, 413, 503
_NOWHERE = "http://127.0.0.1:9"
"""Where a replay listens."""

Reading = tuple[str, Mapping[str, Any]]
"""An act, and what it was told: `arrived` since it was told before, and `strays` so far."""


@dataclass(slots=True)
class Endpoint:
    """A URL that only who was told of it knows.

    Attributes:
        url: absolute, as the EHR reaches it.
        answers: the status of each answer; the last one for all that follow.
    """

    url: str
    answers: tuple[int, ...] = (204,)

    @property
    def path(self) -> str:
        """The path of its URL."""
        return urlsplit(self.url).path

    def holds(self, url: str) -> bool:
        """Whether a URL is its own, or one below it."""
        return url == self.url or url.startswith(f"{self.url}/")

    def answer(self) -> int:
        """The status of the next answer."""
        status, *rest = self.answers
        self.answers = tuple(rest) or (status,)
        return status


@dataclass(slots=True, eq=False)
class Hook:
    """One listener of one act.

    Attributes:
        base: URL by which the EHR reaches it.
        arrived: what came to its endpoints, in order.
        strays: how many requests came to no endpoint.
    """

    base: str
    act: str
    _hooks: Hooks = field(repr=False)
    arrived: list[Exchange] = field(default_factory=list)
    strays: int = 0
    _endpoints: list[Endpoint] = field(default_factory=list)
    _told: int = 0
    _open: int = 0
    _news: anyio.Event = field(default_factory=anyio.Event)

    def endpoint(self, name: str, secret: str, answers: tuple[int, ...] = (204,)) -> Endpoint:
        """A URL of its own; `secret` is what nobody guesses."""
        made = Endpoint(f"{self.base.rstrip('/')}/{name}/{secret}", answers)
        self._endpoints.append(made)
        return made

    def at(self, endpoint: Endpoint) -> tuple[Exchange, ...]:
        """What came to an endpoint, or below it."""
        # By its path, for a replay listens elsewhere than the run that was recorded.
        known = ((e, self._url(urlsplit(e.request.url).path)) for e in self.arrived)
        return tuple(each for each, url in known if endpoint.holds(url))

    async def gather(self, enough: Callable[[], bool], seconds: float) -> None:
        """Wait until enough has arrived, `seconds` at most; a replay is told at once."""
        if self._hooks.replays:
            self._recall()
            return
        with anyio.move_on_after(seconds):
            while not enough():
                await self._news.wait()
                self._news = anyio.Event()
        self._hooks.note(self.act, self.arrived[self._told :], self.strays)
        self._told = len(self.arrived)

    def _url(self, path: str) -> str:
        """The URL of a path, from which a tunnel may have taken off that of its own."""
        below = urlsplit(self.base).path.rstrip("/")
        return f"{self.base.rstrip('/')}{path.removeprefix(below)}"

    def _recall(self) -> None:
        reading = self._hooks.recall(self.act)
        self.strays = int(reading.get("strays", 0))
        self.arrived += [self._hooks.keep(self.act, *_read(e)) for e in reading.get("arrived", ())]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request of one visitor."""
        self._open += 1
        try:
            if self._open <= MOST_AT_ONCE:
                async with asyncio.timeout(WITHIN):
                    await self._answer(reader, writer)
        except (TimeoutError, OSError, ValueError, h11.ProtocolError):
            pass  # a visitor that speaks no HTTP tells nothing
        finally:
            self._open -= 1
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        began = self._hooks.now()
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        head, body = None, bytearray()
        while len(body) <= MAX_BODY:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                if connection.they_are_waiting_for_100_continue:
                    go_on = h11.InformationalResponse(status_code=100, headers=[])
                    writer.write(connection.send(go_on) or b"")
                connection.receive_data(await reader.read(MAX_HEAD))
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                break
            else:
                return
        if head is None:
            return
        status = self._take(head, bytes(body), began)
        fields = [("Content-Length", "0"), ("Connection", "close")]
        reply = connection.send(h11.Response(status_code=status, headers=fields)) or b""
        writer.write(reply + (connection.send(h11.EndOfMessage()) or b""))
        await writer.drain()
        self._news.set()

    def _take(self, head: h11.Request, body: bytes, began: datetime) -> int:
        url = self._url(urlsplit(head.target.decode("latin-1")).path)
        endpoint = next((each for each in self._endpoints if each.holds(url)), None)
        if endpoint is None:
            self.strays += 1
            return NOT_HERE
        if len(body) > MAX_BODY:
            return TOO_LONG
        if len(self.arrived) >= MOST_KEPT:
            return TOO_MANY
        status = endpoint.answer()
        named = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers)
        request = Request(head.method.decode("ascii"), url, Headers(tuple(named)), body)
        seconds = (self._hooks.now() - began).total_seconds()
        self.arrived.append(self._hooks.keep(self.act, request, status, began, seconds))
        return status


class Hooks:
    """Makes listeners, and knows what they were told.

    Args:
        evidence: keeps what arrives.
        clock: tells when it did.
        recalled: what was told when the run was recorded; None listens.
    """

    def __init__(
        self, evidence: Evidence, clock: Clock, recalled: Iterable[Reading] | None = None
    ) -> None:
        self.replays = recalled is not None
        self._evidence = evidence
        self._clock = clock
        self._noted: list[tuple[str, list[Exchange], int]] = []
        self._recalled: dict[str, deque[Mapping[str, Any]]] = defaultdict(deque)
        for act, reading in recalled or ():
            self._recalled[act].append(reading)

    @asynccontextmanager
    async def open(self, listen: str, url: str | None) -> AsyncIterator[Hook]:
        """Listen while the context is open.

        Args:
            listen: address and port, such as `127.0.0.1:0`.
            url: by which the EHR gets there; None: what is listened on.

        Raises:
            ConfigError: it cannot be listened on.
        """
        if self.replays:
            yield Hook(url or _NOWHERE, current_act.get(), self)
            return
        hook = Hook(url or "", current_act.get(), self)
        host, _, port = listen.rpartition(":")
        try:
            server = await asyncio.start_server(
                hook.serve, host.strip("[]"), int(port), limit=MAX_HEAD
            )
        except (OSError, OverflowError) as error:
            raise ConfigError(
                f"push.listen: cannot listen on {listen}: {error}", hint="name another port"
            ) from None
        hook.base = url or f"http://{host}:{server.sockets[0].getsockname()[1]}"
        try:
            yield hook
        finally:
            server.close()

    def now(self) -> datetime:
        """The present, UTC."""
        return self._clock.now()

    def keep(
        self, act: str, request: Request, status: int, began: datetime, seconds: float
    ) -> Exchange:
        """What arrived, as evidence: a request of the EHR, and our answer."""
        response = Response(status)
        return self._evidence.add(
            request, response, started_at=began, seconds=seconds, act=act, arrived=True
        )

    def note(self, act: str, arrived: Sequence[Exchange], strays: int) -> None:
        """Remember what an act was told."""
        self._noted.append((act, [*arrived], strays))

    def recall(self, act: str) -> Mapping[str, Any]:
        """What an act was told at this point of the recorded run."""
        queue = self._recalled[act]
        return queue.popleft() if queue else {}

    def noted(self, redactor: Redactor) -> list[Reading]:
        """What acts were told, redacted, for a recording."""
        return [
            (act, {"arrived": [_line(redactor.exchange(e)) for e in arrived], "strays": strays})
            for act, arrived, strays in self._noted
        ]


def _line(exchange: Exchange) -> dict[str, Any]:
    return {
        "method": exchange.request.method,
        "url": exchange.request.url,
        "headers": [list(each) for each in exchange.request.headers],
        "body": exchange.request.body.decode("utf-8", "replace"),
        "status": exchange.status,
        "started_at": exchange.started_at.isoformat(),
        "seconds": exchange.seconds,
    }


def _read(line: Mapping[str, Any]) -> tuple[Request, int, datetime, float]:
    headers = Headers(tuple((str(name), str(value)) for name, value in line["headers"]))
    request = Request(line["method"], line["url"], headers, line["body"].encode())
    return request, line["status"], datetime.fromisoformat(line["started_at"]), line["seconds"]
