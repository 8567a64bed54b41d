"""The outbox's requests: urgent, under the tenant's grant, and never repeated blindly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from harness.errors import EhrUnreachable, HarnessError, HostileInput, ProtocolError, Throttled
from harness.http.client import FHIR_JSON
from harness.http.clock import Clock
from harness.http.exchange import Exchange, Headers, Request
from harness.http.retry import is_refusal, retry_after
from harness.sync.access.connect import UNAUTHORIZED, Connection
from harness.sync.outbox.deciding import REFUSED_FOR
from harness.sync.outbox.model import Halt
from harness.sync.outbox.verdict import Kind, Verdict, in_codes, of_exchange, said

OK = 200
UNREACHED_FOR = 5.0
"""Seconds to leave a host alone that could not be reached."""
_SERVER_ERROR = 500


class NotTold(Exception):
    """A question about a write got no usable answer; it may get one later.

    Args:
        words: why, on one line.
    """

    def __init__(self, words: str) -> None:
        self.words = words
        super().__init__(words)


class Wire:
    """Sends for one tenant.

    Args:
        way: its grant and sender.
        clock: harness clock.

    Attributes:
        silent: requests in a row, up to the last, that brought no answer.
    """

    def __init__(self, way: Connection, clock: Clock) -> None:
        self.way = way
        self.clock = clock
        self.silent = 0

    async def authorize(self) -> None:
        """Get a token before a write is written down as sent, for that may take long or fail.

        Raises:
            Halt: there is none.
        """
        await self._bearer()

    async def write(self, request: Request, type_: str) -> tuple[Verdict, Exchange | None]:
        """Send a write once; refusals for load are repeated, as nothing was processed then.

        Raises:
            Halt: the grant is worth nothing.
        """
        try:
            exchange = await self._send(request, repeatable=False)
        except EhrUnreachable as error:
            kind = Kind.UNKNOWN if error.sent else Kind.LATER
            return Verdict(kind, error.message, wait=None if error.sent else UNREACHED_FOR), None
        except HostileInput as error:
            return Verdict(Kind.UNKNOWN, str(error)), None
        verdict = of_exchange(exchange, type_, self.clock.now())
        return replace(verdict, words=_hidden(verdict.words, exchange)), exchange

    async def ask(self, url: str) -> Exchange:
        """GET; the exchange whatever its status, as long as it says something about the question.

        Raises:
            NotTold: no answer, or one that is about the server's health.
            Halt: it refuses for load, or the grant is worth nothing.
        """
        fields = Headers((("Accept", FHIR_JSON), ("Cache-Control", "no-cache")))
        try:
            exchange = await self._send(Request("GET", url, fields), repeatable=True)
        except (EhrUnreachable, HostileInput) as error:
            raise NotTold(error.message) from None
        if is_refusal(exchange):
            raise self.halt(exchange)
        if exchange.status >= _SERVER_ERROR:
            raise NotTold(_hidden(said(exchange), exchange))
        return exchange

    def halt(self, exchange: Exchange) -> Halt:
        """What a refusal for load means to all that waits."""
        wait = retry_after(exchange.headers, self.clock.now(), exchange.body)
        return Halt(in_codes(said(exchange)), REFUSED_FOR if wait is None else wait)

    async def _send(self, request: Request, *, repeatable: bool) -> Exchange:
        """With the current token; after a 401 once more with a new one."""
        token = await self._bearer()
        exchange = await self._once(request, token, repeatable)
        session = self.way.session
        if exchange.status != UNAUTHORIZED or session is None:
            return exchange
        try:
            token = await session.renew(token or "")
        except HarnessError as error:
            raise _halted(error) from None
        exchange = await self._once(request, token, repeatable)
        if exchange.status == UNAUTHORIZED:
            lost = ProtocolError(
                f"{exchange.where}: the EHR refuses the access token, also a new one",
                hint="log in again with: harness login",
            )
            raise Halt(lost.message, error=lost)
        return exchange

    async def _once(self, request: Request, token: str | None, repeatable: bool) -> Exchange:  # noqa: FBT001 - passed on
        self.silent += 1
        try:
            exchange = await self.way.fhir.http.send(
                request, bearer=token, urgent=True, repeatable=repeatable
            )
        except Throttled as error:
            raise _halted(error) from None
        self.silent = 0
        return exchange

    async def _bearer(self) -> str | None:
        if self.way.session is None:
            return None
        try:
            return await self.way.session.access_token()
        except HarnessError as error:
            raise _halted(error) from None


def halt(verdict: Verdict) -> Halt:
    """What a write that surely was not processed means to all that wait."""
    reason = verdict.words if verdict.status is None else in_codes(verdict.words)
    return Halt(reason, REFUSED_FOR if verdict.wait is None else verdict.wait)


def json_request(method: str, url: str, body: str, conditions: Mapping[str, str | None]) -> Request:
    """A write whose body is JSON text, sent as it is."""
    fields: dict[str, Any] = {"Accept": FHIR_JSON, "Content-Type": FHIR_JSON}
    fields |= {name: value for name, value in conditions.items() if value is not None}
    return Request(method, url, Headers(tuple(fields.items())), body.encode())


def _hidden(words: str, exchange: Exchange) -> str:
    """The EHR's words without the token that it was sent; some echo what they refuse."""
    token = (exchange.request.headers.get("Authorization") or "").partition(" ")[2]
    return words.replace(token, "[access token]") if token else words


def _halted(error: HarnessError) -> Halt:
    """Nothing can be sent without a token, or beyond the day's budget; no entry is to blame."""
    if isinstance(error, Throttled):
        return Halt(error.message, REFUSED_FOR if error.retry_after is None else error.retry_after)
    if isinstance(error, EhrUnreachable):
        return Halt(error.message, REFUSED_FOR)
    return Halt(str(error), error=error)
