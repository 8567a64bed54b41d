"""FHIR R4 interactions: each is one request, and returns its exchange whatever the status.

https://hl7.org/fhir/R4/http.html
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote

from harness.errors import HostileInput
from harness.fhir.search import Search
from harness.http.client import FHIR_JSON, HttpClient
from harness.http.exchange import Exchange

FRESH = {"Cache-Control": "no-cache"}
"""Asks for a search that is made now: HAPI answers an equal one within a minute from memory.

RFC 9111 section 5.2.1.4; https://hapifhir.io/hapi-fhir/docs/server_jpa/performance.html
"""

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
        if identity is None:
            return f"{self.base}/{quote(kind, safe='')}"
        if identity in ("", ".", ".."):
            raise HostileInput(f"{kind}: expected an id, got {identity!r}")
        return f"{self.base}/{quote(kind, safe='')}/{quote(identity, safe='')}"

    async def read(self, kind: str, identity: str) -> Exchange:
        """`GET [base]/[type]/[id]`."""
        return await self.page(self.url(kind, identity))

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
        fields = dict(headers or {})
        if if_none_exist is not None:
            fields["If-None-Exist"] = if_none_exist
        url = self.url(resource["resourceType"])
        return await self.http.post_json(url, resource, bearer=await self._bearer(), headers=fields)

    async def update(
        self,
        resource: Mapping[str, Any],
        *,
        if_match: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Exchange:
        """`PUT [base]/[type]/[id]`; `if_match` is a version id, sent as a weak ETag."""
        fields = dict(headers or {})
        if if_match is not None:
            fields["If-Match"] = f'W/"{if_match}"'
        url = self.url(resource["resourceType"], resource["id"])
        return await self.http.put_json(url, resource, bearer=await self._bearer(), headers=fields)

    async def delete(self, kind: str, identity: str) -> Exchange:
        """`DELETE [base]/[type]/[id]`."""
        return await self.http.delete(self.url(kind, identity), bearer=await self._bearer())

    async def _get(self, url: str, headers: Mapping[str, str] | None = None) -> Exchange:
        bearer = await self._bearer()
        return await self.http.get(url, accept=FHIR_JSON, bearer=bearer, headers=headers)

    async def _bearer(self) -> str | None:
        return await self._token() if callable(self._token) else self._token
