"""FHIR R4 interactions: each is one request, and returns its exchange whatever the status.

https://hl7.org/fhir/R4/http.html
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from harness.errors import HostileInput
from harness.fhir.search import Search
from harness.http.client import FHIR_JSON, HttpClient
from harness.http.exchange import Exchange, Headers, Request

FRESH = {"Cache-Control": "no-cache"}
"""Asks for a search that is made now: HAPI answers an equal one within a minute from memory.

RFC 9111 section 5.2.1.4; https://hapifhir.io/hapi-fhir/docs/server_jpa/performance.html
"""

JSON_PATCH = "application/json-patch+json"

AccessToken = Callable[[], Awaitable[str]]
"""Gives a token that is good for the next request; may refresh it."""


class FhirClient:
    """Talks to one FHIR base on behalf of one session.

    Args:
        http: the only sender.
        base: FHIR base, with or without a slash at the end.
        token: an access token, or what gives one, asked before each request; None sends none.
    """

    def __init__(self, http: HttpClient, base: str, token: str | AccessToken | None = None) -> None:
        self.http = http
        self.base = base.rstrip("/")
        self._token = token

    def url(self, kind: str, identity: str | None = None) -> str:
        """The URL of a type, or of one resource; an id that an EHR made up stays one segment.

        Raises:
            HostileInput: the id would leave its segment.
        """
        place = f"{self.base}/{quote(kind, safe='')}"
        return place if identity is None else f"{place}/{_segment(kind, identity)}"

    async def read(self, kind: str, identity: str) -> Exchange:
        """`GET [base]/[type]/[id]`."""
        return await self.page(self.url(kind, identity))

    async def vread(self, kind: str, identity: str, version: str) -> Exchange:
        """`GET [base]/[type]/[id]/_history/[vid]`."""
        return await self.page(f"{self.url(kind, identity)}/_history/{_segment(kind, version)}")

    async def history(self, kind: str | None = None, identity: str | None = None) -> Exchange:
        """The first page of the history: of one resource, of a type, or of the whole server."""
        place = self.base if kind is None else self.url(kind, identity)
        return await self._get(f"{place}/_history", FRESH)

    async def search(self, search: Search, *, post: bool = False) -> Exchange:
        """The first page, by GET, or by POST to `_search`, which is safe to repeat as well."""
        if not post:
            return await self._get(search.url(self.base), FRESH)
        return await self.http.post_form(
            f"{self.url(search.type)}/_search",
            search.parameters,
            headers={"Accept": FHIR_JSON, **FRESH},
            bearer=await self._bearer(),
            repeatable=True,
        )

    async def page(self, url: str) -> Exchange:
        """GET an opaque URL of this server, such as a next link.

        Raises:
            HostileInput: it lies on another origin, which must not see the token.
        """
        return await self._get(url)

    async def create(
        self,
        resource: Mapping[str, Any],
        *,
        if_none_exist: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Exchange:
        """`POST [base]/[type]`, never repeated after a time-out.

        Args:
            resource: JSON of the resource; its `resourceType` names the type.
            if_none_exist: search parameters of a conditional create.
            headers: further header fields, such as `Prefer`.
        """
        fields = _fields(headers, **{"If-None-Exist": if_none_exist})
        url = self.url(resource["resourceType"])
        return await self.http.post_json(url, resource, bearer=await self._bearer(), headers=fields)

    async def post(self, kind: str, body: bytes, content_type: str = FHIR_JSON) -> Exchange:
        """`POST [base]/[type]` with any bytes: what no honest client sends, to see it refused."""
        fields = Headers((("Accept", FHIR_JSON), ("Content-Type", content_type)))
        request = Request("POST", self.url(kind), fields, body)
        return await self.http.send(request, bearer=await self._bearer(), urgent=True)

    async def update(
        self,
        resource: Mapping[str, Any],
        *,
        identity: str | None = None,
        if_match: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Exchange:
        """`PUT [base]/[type]/[id]`.

        Args:
            resource: JSON of the resource.
            identity: of the URL, where it is not the `id` of the resource.
            if_match: what the change is based on, see `etag`.
            headers: further header fields, such as `Prefer`.
        """
        fields = _fields(headers, **{"If-Match": etag(if_match)})
        url = self.url(resource["resourceType"], identity or resource["id"])
        return await self.http.put_json(url, resource, bearer=await self._bearer(), headers=fields)

    async def update_where(self, resource: Mapping[str, Any], search: Search) -> Exchange:
        """`PUT [base]/[type]?[search]`: a conditional update."""
        url = search.url(self.base)
        return await self.http.put_json(url, resource, bearer=await self._bearer())

    async def patch(
        self,
        kind: str,
        identity: str,
        operations: Sequence[Mapping[str, Any]],
        *,
        if_match: str | None = None,
    ) -> Exchange:
        """`PATCH [base]/[type]/[id]` with a JSON Patch (RFC 6902); `if_match` as in `update`."""
        fields = {"Accept": FHIR_JSON, "Content-Type": JSON_PATCH}
        fields = _fields(fields, **{"If-Match": etag(if_match)})
        body = json.dumps(list(operations), separators=(",", ":")).encode()
        request = Request("PATCH", self.url(kind, identity), Headers(tuple(fields.items())), body)
        return await self.http.send(request, bearer=await self._bearer(), urgent=True)

    async def delete(self, kind: str, identity: str, *, if_match: str | None = None) -> Exchange:
        """`DELETE [base]/[type]/[id]`; `if_match` as in `update`."""
        fields = _fields(None, **{"If-Match": etag(if_match)})
        url = self.url(kind, identity)
        return await self.http.delete(url, bearer=await self._bearer(), headers=fields)

    async def bundle(
        self, entries: Sequence[Mapping[str, Any]], *, transaction: bool = False
    ) -> Exchange:
        """`POST [base]` with a batch, or a transaction: all of it or nothing.

        What it searches is not to come from the server's cache either.

        Args:
            entries: Bundle entries, each with its `request`; see `harness.fhir.writes.to_create`.
            transaction: whether one that fails takes the others with it.
        """
        kind = "transaction" if transaction else "batch"
        body = {"resourceType": "Bundle", "type": kind, "entry": list(entries)}
        bearer = await self._bearer()
        return await self.http.post_json(self.base, body, bearer=bearer, headers=FRESH)

    async def _get(self, url: str, headers: Mapping[str, str] | None = None) -> Exchange:
        bearer = await self._bearer()
        return await self.http.get(url, accept=FHIR_JSON, bearer=bearer, headers=headers)

    async def _bearer(self) -> str | None:
        return await self._token() if callable(self._token) else self._token


def etag(version: str | None) -> str | None:
    """A version as `If-Match` carries it: a bare version id as a weak ETag, an ETag as it is."""
    if version is None or version == "*" or version.endswith('"'):
        return version
    return f'W/"{version}"'


def _fields(given: Mapping[str, str] | None, **added: str | None) -> dict[str, str]:
    return {**(given or {}), **{name: value for name, value in added.items() if value is not None}}


def _segment(kind: str, identity: str) -> str:
    if identity in ("", ".", ".."):
        raise HostileInput(f"{kind}: expected an id, got {identity!r}")
    return quote(identity, safe="")
