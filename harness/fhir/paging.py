"""Following a search to its end, and saying how it ended.

Next links are opaque (https://hl7.org/fhir/R4/http.html#paging): they are kept as they came,
`+` and `=` included, and followed only where they stay on the origin of the FHIR base.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from enum import StrEnum
from functools import partial
from typing import TypeAlias
from urllib.parse import urljoin

from harness.errors import HostileInput, ProtocolError
from harness.fhir.bundle import Bundle
from harness.fhir.client import FhirClient
from harness.fhir.outcome import one_line
from harness.fhir.search import Search
from harness.http.exchange import Exchange
from harness.http.origin import origin

_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_OK = 200

First: TypeAlias = Callable[[], Awaitable[Exchange]]
"""Asks for a first page."""


class Ending(StrEnum):
    """How paging ended; all but `COMPLETE` mean that rows may be missing."""

    COMPLETE = "complete"
    LOOP = "loop"
    STATUS = "status"
    FOREIGN = "foreign next link"
    UNUSABLE = "unusable page"
    LIMIT = "page limit"


class Pages:
    """The pages of a search, one request each, as they are asked for.

        pages = Pages(client, Search.on("Observation", patient="85"))
        async for exchange in pages:
            ...
        assert pages.ending is Ending.COMPLETE

    Args:
        client: asks.
        search: for what; or what asks for the first page, of a history for example.
        post: first page by POST.
        max_pages: at most so many requests.
        max_empty: at most so many pages without an entry in a row; a single one is normal, where
            a server filters after it cut the page.

    Attributes:
        ending: None while it runs.
        detail: what a person needs to know of an ending that is not complete.
    """

    def __init__(
        self,
        client: FhirClient,
        search: Search | First,
        *,
        post: bool = False,
        max_pages: int = 10_000,
        max_empty: int = 25,
    ) -> None:
        self.ending: Ending | None = None
        self.detail = ""
        self._client = client
        self._first = (
            partial(client.search, search, post=post) if isinstance(search, Search) else search
        )
        self._post = post
        self._max_pages = max_pages
        self._max_empty = max_empty
        self._visited: set[str] = set()
        self._contents: set[int] = set()
        self._empty = 0

    async def __aiter__(self) -> AsyncIterator[Exchange]:
        exchange = await self._first()
        if not self._post:
            self._visited.add(exchange.request.url)
        for number in range(1, self._max_pages + 1):
            following = self._judge(exchange)
            yield exchange
            if following is None:
                return
            if number < self._max_pages:
                exchange = await self._client.page(following)
        self._end(Ending.LIMIT, f"more than {self._max_pages} pages")

    async def collect(self) -> tuple[Exchange, ...]:
        """Every page; `ending` says whether that is all."""
        return tuple([exchange async for exchange in self])

    def _judge(self, exchange: Exchange) -> str | None:
        """The URL of the next page; None when paging has ended."""
        if exchange.status != _OK:
            outcome = one_line(exchange)
            return self._end(Ending.STATUS, f"{exchange.status}" + (f": {outcome}" * bool(outcome)))
        try:
            bundle = Bundle.of(exchange)
        except ProtocolError as error:
            return self._end(Ending.UNUSABLE, str(error))
        if bundle.next_link is None:
            return self._end(Ending.COMPLETE)
        return self._follow(exchange, bundle, bundle.next_link)

    def _follow(self, exchange: Exchange, bundle: Bundle, link: str) -> str | None:
        url = link if _ABSOLUTE.match(link) else urljoin(exchange.request.url, link)
        url = self._client.http.relocated(url)
        try:
            foreign = origin(url) != origin(self._client.base)
        except HostileInput as error:
            return self._end(Ending.FOREIGN, str(error))
        if foreign:
            return self._end(Ending.FOREIGN, f"it points to {origin(url)}")
        content = hash(bundle.fingerprint)
        if url in self._visited or (bundle.entries and content in self._contents):
            return self._end(Ending.LOOP, "the next link leads back to a page already seen")
        self._visited.add(url)
        self._contents.add(content)
        self._empty = 0 if bundle.entries else self._empty + 1
        if self._empty > self._max_empty:
            return self._end(Ending.LIMIT, f"{self._empty} pages in a row without an entry")
        return url

    def _end(self, ending: Ending, detail: str = "") -> str | None:
        """Remember how it ended; always None, as there is no next page then."""
        self.ending = ending
        self.detail = detail
        return None
