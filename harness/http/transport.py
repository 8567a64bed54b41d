"""One request on the wire, one response off it. With `tls` the only importer of the HTTP library.

Whatever goes wrong below becomes `NoAnswerError` with a kind and one line that says what to do.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Protocol, Self

import httpx

from harness.config.ehr import Limits, Tls
from harness.errors import HostileInput
from harness.http.clock import Clock
from harness.http.decoding import ACCEPTED, Body, UndecodableError
from harness.http.exchange import Headers, Request, Response
from harness.http.inflow import ASIDE, SLOWEST, Inflow, Receive
from harness.http.origin import host_of
from harness.http.tls import old_tls_context, tls_context
from harness.http.wire import Wire

# The library logs URLs, headers and cookies as they are, so pytest's --log-cli-level=DEBUG would
# print live tokens. What went over the wire stands, redacted, in the evidence.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long and how large; seconds and bytes.

    `total` runs round the whole exchange: a server that drips one byte a second never trips `read`.
    """

    connect: float = 10.0
    read: float = 60.0
    write: float = 30.0
    pool: float = 60.0
    total: float = 300.0
    max_bytes: int = 32 * 1024 * 1024

    @classmethod
    def of(cls, limits: Limits) -> Bounds:
        """The time-outs of an EHR file; no part may take longer than the whole."""
        total = limits.total_timeout
        read = min(limits.read_timeout, total)
        return cls(connect=min(limits.connect_timeout, total), read=read, total=total)


@dataclass(frozen=True, slots=True)
class Answer:
    """A response and when it came; `seconds` from the first byte sent to the last byte read."""

    response: Response
    started_at: datetime
    seconds: float


class NoAnswerError(Exception):
    """No answer came.

    Args:
        kind: `dns`, `refused`, `tls`, `timeout` or `protocol`.
        reason: what happened, without the request.
        hint: what to do next.
    """

    def __init__(self, kind: str, reason: str, hint: str | None = None) -> None:
        self.kind = kind
        self.reason = reason
        self.hint = hint
        super().__init__(reason)


class Transport(Protocol):
    """What an `HttpClient` sends through: the wire, a recording, or a fake in a test."""

    async def send(self, request: Request, *, max_bytes: int) -> Answer:
        """One attempt; redirects are not followed.

        Raises:
            NoAnswerError: nothing usable came back.
            HostileInput: the body exceeds `max_bytes`.
        """
        ...

    async def aclose(self) -> None:
        """Give connections back."""
        ...


class WireTransport:
    """HTTP/1.1 over sockets, TLS always verified, nothing taken from the environment.

    Args:
        tls: further trust, client certificate, proxy.
        bounds: time-outs.
        clock: for `Answer.started_at` and its seconds.
    """

    def __init__(self, tls: Tls, bounds: Bounds, clock: Clock) -> None:
        self._bounds = bounds
        self._clock = clock
        self._tls = tls
        self._timeouts = {
            "connect": bounds.connect,
            "read": bounds.read,
            "write": bounds.write,
            "pool": bounds.pool,
        }
        if tls != Tls():
            tls_context(tls)  # a file that cannot be used is told now, not with the first request
        self._wire = self._of(tls_context)
        self._old: httpx.AsyncBaseTransport | None = None

    def _of(self, trusting: Callable[[Tls], ssl.SSLContext]) -> httpx.AsyncBaseTransport:
        """Connections with one kind of TLS.

        The library's client would add redirects, cookies and headers of its own: none is wanted.
        """
        if self._tls.proxy is None:
            return Wire(partial(trusting, self._tls))
        context = trusting(self._tls)
        return httpx.AsyncHTTPTransport(verify=context, proxy=self._tls.proxy, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def send(self, request: Request, *, max_bytes: int) -> Answer:
        """One attempt on the wire; see `Transport.send`."""
        return await self._attempt(request, None, max_bytes)

    async def download(self, request: Request, receive: Receive, *, max_bytes: int) -> Answer:
        """One attempt on the wire whose body goes to what `receive` answers.

        It may take longer than the total of the bounds, by as long as what came takes at `SLOWEST`.

        Raises:
            NoAnswerError, HostileInput: as `send`; some of the body may have been given away then.
        """
        return await self._attempt(request, receive, max_bytes)

    async def _attempt(self, request: Request, receive: Receive | None, max_bytes: int) -> Answer:
        host = host_of(request.url)
        where = f"{request.method} {host}"
        started_at, started = self._clock.now(), self._clock.monotonic()
        try:
            async with asyncio.timeout(self._bounds.total) as scope:
                answer = await self._asked(request)
                try:
                    if receive is None:
                        response = await _whole(answer, max_bytes, where)
                    else:
                        response = await _given(answer, receive, max_bytes, where, scope)
                finally:
                    await answer.aclose()
        except TimeoutError:
            raise NoAnswerError(
                "timeout", f"no complete answer within {self._bounds.total:g} s"
            ) from None
        except UndecodableError as error:
            raise NoAnswerError("protocol", f"the answer could not be read: {error}") from None
        except httpx.HTTPError as error:
            raise _explain(error, self._bounds) from None
        except httpx.InvalidURL:
            raise HostileInput(f"{where}: a URL that cannot be asked") from None
        return Answer(response, started_at, self._clock.monotonic() - started)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._wire.aclose()
        if self._old is not None:
            await self._old.aclose()

    def _wire_of(self, request: Request) -> httpx.AsyncBaseTransport:
        if not request.old_tls:
            return self._wire
        self._old = self._old or self._of(old_tls_context)
        return self._old

    async def _asked(self, request: Request) -> httpx.Response:
        """Status and headers; the body is still to be read, and the answer to be closed."""
        # The rest of a file is counted in bytes of the file: whoever asks for it wants no coding.
        coding = () if "Accept-Encoding" in request.headers else (("Accept-Encoding", ACCEPTED),)
        message = httpx.Request(
            request.method,
            request.url,
            headers=[*request.headers, *coding],
            content=request.body or None,
            extensions={"timeout": self._timeouts},
        )
        return await self._wire_of(request).handle_async_request(message)


def _head(answer: httpx.Response) -> Response:
    """An answer without its body."""
    raw = ((name.decode("ascii"), value.decode("latin-1")) for name, value in answer.headers.raw)
    return Response(answer.status_code, Headers(tuple(raw)), b"", answer.http_version)


def _raw(answer: httpx.Response) -> httpx.AsyncByteStream:
    """The body as it comes; the library's own iterator takes as long again as the wire."""
    if not isinstance(answer.stream, httpx.AsyncByteStream):
        raise TypeError("an answer of an asynchronous transport has an asynchronous body")
    return answer.stream


async def _whole(answer: httpx.Response, max_bytes: int, where: str) -> Response:
    """An answer with its body in memory."""
    head = _head(answer)
    body = Body(head.headers.get("Content-Encoding"), max_bytes=max_bytes, where=where)
    async for chunk in _raw(answer):
        body.feed(chunk)
    return Response(head.status, head.headers, body.content(), head.http_version)


async def _given(
    answer: httpx.Response,
    receive: Receive,
    max_bytes: int,
    where: str,
    scope: asyncio.Timeout,
) -> Response:
    """An answer whose body was given away, unless nobody took it."""
    head = _head(answer)
    take = receive(head)
    if take is None:
        return await _whole(answer, min(max_bytes, ASIDE), where)
    inflow = Inflow(head.headers.get("Content-Encoding"), max_bytes=max_bytes, where=where)
    async for chunk in _raw(answer):
        scope.reschedule((scope.when() or 0.0) + len(chunk) / SLOWEST)
        for piece in inflow.pieces(chunk):
            take(piece)
    inflow.end()
    return head


def _explain(error: httpx.HTTPError, bounds: Bounds) -> NoAnswerError:
    """Tell apart what the library folds into a few classes."""
    if below := _explain_cause(error):
        return below
    if isinstance(error, httpx.TimeoutException):
        phase = type(error).__name__.removesuffix("Timeout").lower()
        seconds = getattr(bounds, phase, bounds.total)
        return NoAnswerError("timeout", f"{phase} timed out after {seconds:g} s")
    if isinstance(error, httpx.ProxyError):
        return NoAnswerError("refused", f"the proxy refused: {error}", "check tls.proxy")
    if isinstance(error, httpx.ConnectError):
        return NoAnswerError("refused", "connection refused", "is it up, is the port right?")
    detail = str(error) or type(error).__name__
    return NoAnswerError("protocol", f"the connection broke or did not speak HTTP: {detail}")


def _explain_cause(error: BaseException) -> NoAnswerError | None:
    """What the system said, where the chain of causes has it."""
    for cause in _chain(error):
        if isinstance(cause, socket.gaierror):
            return NoAnswerError(
                "dns", "the host name is unknown", "check the name and the network"
            )
        if isinstance(cause, ssl.SSLCertVerificationError):
            return NoAnswerError(
                "tls",
                f"the TLS certificate is not trusted: {cause.verify_message}",
                "if it is right, name its issuer under tls.ca_file of the EHR file",
            )
        # Those two say that the library was waiting when something else went wrong.
        waited = isinstance(cause, ssl.SSLWantReadError | ssl.SSLWantWriteError)
        if isinstance(cause, ssl.SSLError) and not waited:
            # OpenSSL's words for bytes that are no TLS record, such as an answer in plain http.
            plain = cause.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")
            hint = "does it speak plain http there?" if plain else None
            return NoAnswerError("tls", f"TLS failed: {cause.reason or cause}", hint)
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    pending, seen = [error], set[int]()
    while pending:
        each = pending.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        if isinstance(each, BaseExceptionGroup):
            pending.extend(each.exceptions)
        pending.extend(cause for cause in (each.__cause__, each.__context__) if cause)
