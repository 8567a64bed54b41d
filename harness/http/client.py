"""The only sender: every request of the harness goes through `HttpClient`.

It checks where a URL may point, keeps tokens to their origin, waits for the host's limiter, bounds
the answer, keeps every attempt as evidence, and repeats what may be repeated. It returns whatever
status came, and never follows a redirect.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import replace
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

from harness.config.ehr import Tls
from harness.errors import HostileInput
from harness.http.clock import Clock
from harness.http.evidence import Evidence, current_act
from harness.http.exchange import Exchange, Headers, Request
from harness.http.inflow import Receive
from harness.http.limiter import HostLimiters
from harness.http.origin import check_url, host_of, origin, relocated
from harness.http.retry import (
    SAFE_METHODS,
    Policy,
)
from harness.http.sending import Sending
from harness.http.streaming import Receiving
from harness.http.transport import Bounds, Transport, WireTransport

FHIR_JSON = "application/fhir+json"
_BREAK = re.compile(r"[\r\n\0]")
SMALL = 1024 * 1024
"""`max_bytes` for discovery, tokens and key sets."""


class HttpClient:
    """Sends requests to one EHR; an async context manager.

    Args:
        base: FHIR base; its origin is the only one that sees bearer tokens and `headers`.
        evidence: keeps every attempt.
        limiter: one limiter per host, shared by all clients of a run.
        clock: time and waiting.
        tls: further trust, client certificate, proxy.
        headers: sent with each request to the base's origin (`Epic-Client-ID`).
        extra_origins: may be asked though they look private or are plain http.
        moved_from: a base that `base` replaces; what the EHR names below it is asked below `base`.
        bounds: time-outs, and the cap of bodies.
        policy: how often and how long to retry; by default as the limiter's limits allow.
        transport: what to send through; the wire by default.
    """

    def __init__(  # noqa: PLR0913 - each is a decision of the EHR file
        self,
        *,
        base: str,
        evidence: Evidence,
        limiter: HostLimiters,
        clock: Clock,
        tls: Tls = Tls(),  # noqa: B008 - frozen
        headers: Mapping[str, str] | None = None,
        extra_origins: frozenset[str] = frozenset(),
        moved_from: str | None = None,
        bounds: Bounds = Bounds(),  # noqa: B008 - frozen
        policy: Policy | None = None,
        transport: Transport | None = None,
    ) -> None:
        self.base = base
        self.token_origin = origin(base)
        self.evidence = evidence
        self.limiter = limiter
        self.clock = clock
        self._own_headers = dict(headers or {})
        self._extra_origins = frozenset(origin(each) for each in extra_origins)
        self._moved_from = moved_from
        self._bounds = bounds
        self._policy = policy or Policy(max_retry_after=limiter.limits.max_retry_after)
        self._transport = transport or WireTransport(tls, bounds, clock)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close connections."""
        await self._transport.aclose()

    def relocated(self, url: str) -> str:
        """Where `url` is asked: below `base`, if it lies below the base that was replaced."""
        return relocated(url, self._moved_from, self.base)

    def with_limiter(self, limiter: HostLimiters) -> HttpClient:
        """A client that shares everything with this one but its pace."""
        sibling = copy(self)
        sibling.limiter = limiter
        return sibling

    async def send(
        self,
        request: Request,
        *,
        bearer: str | None = None,
        act: str | None = None,
        retry: bool = True,
        repeatable: bool | None = None,
        urgent: bool = False,
        max_bytes: int | None = None,
    ) -> Exchange:
        """Send, and return the last attempt whatever its status.

        Args:
            request: absolute URL, own headers and body.
            bearer: access token; goes to `token_origin` only.
            act: whose evidence it is; defaults to `current_act`.
            retry: False sends exactly once.
            repeatable: whether it may be processed twice; by default only safe methods may.
                True is right for a search by POST.
            urgent: overtakes waiting requests to this host (token refresh, writes).
            max_bytes: cap of the decoded body; defaults to `Bounds.max_bytes`.

        Raises:
            EhrUnreachable: no answer, after the retries that are allowed.
            HostileInput: the URL points where it must not, or the body exceeds its cap.
        """
        sending = Sending(
            self._prepare(request, bearer),
            act or current_act.get(),
            self.limiter.of(host_of(request.url)),
            self._policy if retry else Policy(attempts=1, attempts_unanswered=1),
            request.method.upper() in SAFE_METHODS if repeatable is None else repeatable,
            urgent,
            max_bytes or self._bounds.max_bytes,
        )
        return await sending.run(self._transport, self.evidence, self.clock)

    async def stream(
        self,
        request: Request,
        receive: Receive,
        *,
        bearer: str | None = None,
        act: str | None = None,
        max_bytes: int,
    ) -> Exchange:
        """Send, and hand the body of the answer on as it comes; as `send` in all else.

        A refusal for load is repeated, an answer that broke off is not: what came of it may be
        worth keeping, and the rest can be asked for.

        Args:
            request: a safe one.
            receive: told of each answer before its body; see `harness.http.inflow.Receive`.
            bearer: as for `send`.
            act: as for `send`.
            max_bytes: cap of the decoded body.

        Raises:
            EhrUnreachable: no answer, or one that broke off in the middle.
            HostileInput: the URL points where it must not, or the body exceeds its cap.
        """
        sending = Sending(
            self._prepare(request, bearer),
            act or current_act.get(),
            self.limiter.of(host_of(request.url)),
            replace(self._policy, attempts_unanswered=1),
            repeatable=True,
            urgent=False,
            max_bytes=max_bytes,
        )
        return await sending.run(Receiving(self._transport, receive), self.evidence, self.clock)

    async def get(
        self,
        url: str,
        *,
        accept: str = "application/json",
        bearer: str | None = None,
        headers: Mapping[str, str] | None = None,
        max_bytes: int | None = None,
        retry: bool = True,
    ) -> Exchange:
        """GET `url`."""
        fields = _headers({"Accept": accept}, headers)
        return await self.send(
            Request("GET", url, fields), bearer=bearer, max_bytes=max_bytes, retry=retry
        )

    async def post_form(  # noqa: PLR0913 - as `send`
        self,
        url: str,
        fields: Mapping[str, str] | Iterable[tuple[str, str]],
        *,
        headers: Mapping[str, str] | None = None,
        bearer: str | None = None,
        repeatable: bool = False,
        urgent: bool = False,
        max_bytes: int | None = None,
        retry: bool = True,
    ) -> Exchange:
        """POST `fields` as `application/x-www-form-urlencoded`."""
        pairs = fields.items() if isinstance(fields, Mapping) else fields
        form = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        request = Request("POST", url, _headers(form, headers), urlencode(list(pairs)).encode())
        return await self.send(
            request,
            bearer=bearer,
            repeatable=repeatable,
            urgent=urgent,
            max_bytes=max_bytes,
            retry=retry,
        )

    async def post_json(
        self,
        url: str,
        value: Any,
        *,
        bearer: str | None = None,
        headers: Mapping[str, str] | None = None,
        content_type: str = FHIR_JSON,
    ) -> Exchange:
        """POST `value` as JSON; urgent, never repeated unless refused."""
        return await self._json("POST", url, value, bearer, {"Content-Type": content_type}, headers)

    async def put_json(
        self,
        url: str,
        value: Any,
        *,
        bearer: str | None = None,
        headers: Mapping[str, str] | None = None,
        content_type: str = FHIR_JSON,
    ) -> Exchange:
        """PUT `value` as JSON; urgent, never repeated unless refused."""
        return await self._json("PUT", url, value, bearer, {"Content-Type": content_type}, headers)

    async def delete(
        self, url: str, *, bearer: str | None = None, headers: Mapping[str, str] | None = None
    ) -> Exchange:
        """DELETE `url`; never repeated unless refused."""
        fields = _headers({"Accept": FHIR_JSON}, headers)
        return await self.send(Request("DELETE", url, fields), bearer=bearer)

    async def _json(
        self,
        method: str,
        url: str,
        value: Any,
        bearer: str | None,
        content: Mapping[str, str],
        headers: Mapping[str, str] | None,
    ) -> Exchange:
        fields = _headers({"Accept": FHIR_JSON, **content}, headers)
        body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        return await self.send(Request(method, url, fields, body), bearer=bearer, urgent=True)

    def _prepare(self, request: Request, bearer: str | None) -> Request:
        """The request as it goes out: checked, with the headers that its origin may see."""
        asked = self.relocated(request.url)
        target = check_url(asked, self.base, self._extra_origins)
        headers = request.headers
        if bearer is not None:
            if target != self.token_origin:
                raise HostileInput(
                    f"{target}: an access token goes to {self.token_origin} only, not elsewhere"
                )
            if request.old_tls:
                raise HostileInput(f"{target}: an access token never goes over old TLS")
            headers = headers.with_("Authorization", f"Bearer {bearer}")
        if target == self.token_origin and not request.old_tls:
            for name, value in self._own_headers.items():
                headers = headers.with_(name, value)
        if "User-Agent" not in headers:
            headers = headers.with_("User-Agent", "fhir-harness")
        for name, value in headers:
            if _BREAK.search(name) or _BREAK.search(value):
                raise HostileInput(f"{target}: a line break in the value of header {name!r}")
        url = asked.partition("#")[0]
        return Request(request.method.upper(), url, headers, request.body, request.old_tls)


def _headers(defaults: Mapping[str, str], given: Mapping[str, str] | None) -> Headers:
    headers = Headers(tuple(defaults.items()))
    for name, value in (given or {}).items():
        headers = headers.with_(name, value)
    return headers
