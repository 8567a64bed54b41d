"""The requests of an export: kick off, poll, download, delete. Tokens go to their own origin only.

https://hl7.org/fhir/uv/bulkdata/STU2/export.html
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from harness.errors import EhrUnreachable
from harness.fhir.bulk.kickoff import Kickoff
from harness.fhir.bulk.landing import OK, PARTIAL, Landing
from harness.fhir.bulk.refusal import named_url, said
from harness.http.client import FHIR_JSON, HttpClient
from harness.http.exchange import Exchange, Headers, Request
from harness.http.origin import origin
from harness.http.retry import is_refusal

ACCEPTS = (
    "application/fhir+ndjson",
    "application/ndjson, application/x-ndjson;q=0.9, */*;q=0.1",
)
"""What files are asked for as: some servers refuse the first with 406."""

MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_UNAUTHORIZED, _NOT_ACCEPTABLE, _UNSATISFIABLE = 401, 406, 416
_NO_MORE = frozenset({403, 404, 410})
"""How a link that expired is answered: by storage services with 403."""


class Grant(Protocol):
    """Where access tokens come from, such as `harness.smart.session.TokenSession`."""

    async def access_token(self) -> str:
        """One that is good for the next request."""
        ...

    async def renew(self, rejected: str) -> Any:
        """Get another than the one that was rejected."""
        ...


@dataclass(frozen=True, slots=True)
class Arrived:
    """The whole file lies on disk."""


@dataclass(frozen=True, slots=True)
class Broken:
    """It broke off; what came lies on disk. `reason` is one line without ids."""

    reason: str


@dataclass(frozen=True, slots=True)
class LinkGone:
    """The link expired; the manifest may have new ones."""

    status: int


@dataclass(frozen=True, slots=True)
class NotGiven:
    """The server does not give the file. `busy` says that it is for load."""

    reason: str
    busy: bool = False


Fetched = Arrived | Broken | LinkGone | NotGiven


@dataclass(frozen=True, slots=True)
class BulkClient:
    """Talks to one FHIR base about exports.

    Args:
        http: the only sender.
        base: FHIR base.
        grant: gives tokens; None at an EHR that asks for none.
    """

    http: HttpClient
    base: str
    grant: Grant | None = None

    async def kick_off(self, kickoff: Kickoff) -> Exchange:
        """Start an export; sent once, because each that arrives may start one."""
        headers = Headers((("Accept", FHIR_JSON), ("Prefer", "respond-async")))
        request = Request("GET", kickoff.url(self.base), headers)
        return await self._with_token(
            request.url, lambda bearer: self.http.send(request, bearer=bearer, retry=False)
        )

    async def poll(self, url: str) -> Exchange:
        """Ask how an export stands, or for a page of its manifest."""
        exchange = await self._get(url, "application/json")
        if exchange.status == _NOT_ACCEPTABLE:
            return await self._get(url, f"{FHIR_JSON}, */*;q=0.1")
        return exchange

    async def delete(self, url: str) -> Exchange:
        """Let the server forget an export."""
        request = Request("DELETE", url, Headers((("Accept", FHIR_JSON),)))
        return await self._with_token(
            url, lambda bearer: self.http.send(request, bearer=bearer, repeatable=True)
        )

    async def download(self, url: str, landing: Landing, *, with_token: bool) -> Fetched:
        """Bring the rest of a file onto the disk, in one go.

        Redirects are followed, and leave the token behind where they lead elsewhere.

        Args:
            url: of the file.
            landing: where it goes; closed afterwards.
            with_token: whether the manifest demands a token.

        Raises:
            HostileInput: a URL that must not be asked, or a file beyond its cap.
            DiskFull: no room.
            HarnessError: no token.
        """
        try:
            return await self._follow(url, landing, with_token=with_token)
        finally:
            landing.close()

    async def _follow(self, url: str, landing: Landing, *, with_token: bool) -> Fetched:
        accept = iter(ACCEPTS)
        field = next(accept)
        for _ in range(MOST_REDIRECTS + len(ACCEPTS) + 2):
            with_token = with_token and self._at_home(url)
            try:
                exchange = await self._stream(url, landing, field, with_token=with_token)
            except EhrUnreachable as error:
                return Broken(error.message)
            target = named_url(exchange, "Location")
            if exchange.status in _REDIRECTS and target is not None:
                url = target
            elif exchange.status == _NOT_ACCEPTABLE and (other := next(accept, None)):
                field = other
            elif exchange.status == _UNAUTHORIZED and not with_token and self._at_home(url):
                with_token = True
            elif exchange.status in (PARTIAL, _UNSATISFIABLE) and not self._landed(
                exchange, landing
            ):
                landing.forget()
            else:
                return _fetched(exchange, landing)
        return NotGiven("redirects, or parts that were not asked for, without end")

    def _at_home(self, url: str) -> bool:
        """Whether a token may go there."""
        return self.grant is not None and origin(self.http.relocated(url)) == self.http.token_origin

    def _landed(self, exchange: Exchange, landing: Landing) -> bool:
        return landing.whole or (exchange.status == PARTIAL and landing.is_open)

    async def _get(self, url: str, accept: str) -> Exchange:
        request = Request("GET", url, Headers((("Accept", accept),)))
        return await self._with_token(url, lambda bearer: self.http.send(request, bearer=bearer))

    async def _stream(
        self, url: str, landing: Landing, accept: str, *, with_token: bool
    ) -> Exchange:
        async def send(bearer: str | None) -> Exchange:
            request = Request("GET", url, landing.headers(accept))
            return await self.http.stream(
                request, landing.receive, bearer=bearer, max_bytes=landing.caps.max_bytes
            )

        return await self._with_token(url, send) if with_token else await send(None)

    async def _with_token(
        self, url: str, send: Callable[[str | None], Awaitable[Exchange]]
    ) -> Exchange:
        """Send with a token where one may go; after a 401 once more with a new one."""
        if self.grant is None or not self._at_home(url):
            return await send(None)
        token = await self.grant.access_token()
        exchange = await send(token)
        if exchange.status != _UNAUTHORIZED:
            return exchange
        await self.grant.renew(token)
        return await send(await self.grant.access_token())


def _fetched(exchange: Exchange, landing: Landing) -> Fetched:
    if landing.whole or exchange.status in (OK, PARTIAL):
        landing.close(whole=True)
        return Arrived()
    if exchange.status in _NO_MORE and not is_refusal(exchange):
        return LinkGone(exchange.status)
    return NotGiven(said(exchange), busy=is_refusal(exchange))
