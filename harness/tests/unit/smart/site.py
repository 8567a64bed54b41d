"""A client whose wire is an application in this process, and what logins are tried with."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
from starlette.applications import Starlette
from starlette.requests import Request as Asked
from starlette.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response as Answered
from starlette.routing import Route

from harness.config.ehr import Limits
from harness.http.client import HttpClient
from harness.http.clock import ManualClock
from harness.http.evidence import Evidence
from harness.http.exchange import Headers, Request, Response
from harness.http.limiter import HostLimiters
from harness.http.transport import Answer
from harness.smart.authorize import AuthorizationRequest

BASE = "https://ehr.example.org/fhir"
AUTHORIZE = "https://ehr.example.org/auth/authorize"
REDIRECT = "https://app.example.org/callback"
Handler = Callable[[Asked], Awaitable[Answered]]


class AppTransport:
    """Sends to an ASGI application; counts what was sent."""

    def __init__(self, app: Any, clock: ManualClock) -> None:
        self.wire = httpx.ASGITransport(app=app)
        self.clock = clock
        self.sent: list[Request] = []

    async def send(self, request: Request, *, max_bytes: int) -> Answer:
        self.sent.append(request)
        outgoing = httpx.Request(
            request.method, request.url, headers=list(request.headers), content=request.body
        )
        answer = await self.wire.handle_async_request(outgoing)
        body = await answer.aread()
        headers = Headers(tuple((k.decode(), v.decode()) for k, v in answer.headers.raw))
        return Answer(Response(answer.status_code, headers, body), self.clock.now(), 0.0)

    async def aclose(self) -> None:
        await self.wire.aclose()


def client_of(
    app: Any, clock: ManualClock | None = None, base: str = BASE, **more: Any
) -> HttpClient:
    """A client of `app`, whatever host a request names."""
    clock = clock or ManualClock()
    return HttpClient(
        base=base,
        evidence=Evidence(),
        limiter=HostLimiters(Limits(), clock),
        clock=clock,
        transport=AppTransport(app, clock),
        **more,
    )


def app_of(**handlers: Handler) -> Starlette:
    """An application whose routes are the names of `handlers`, with `__` for a slash."""
    routes = [
        Route(f"/{name.replace('__', '/')}", handler, methods=["GET", "POST"])
        for name, handler in handlers.items()
    ]
    return Starlette(routes=routes)


async def fields_of(asked: Asked) -> dict[str, str]:
    """The fields of a posted form."""
    return dict(parse_qsl((await asked.body()).decode(), keep_blank_values=True))


def page(body: str, status: int = 200, title: str = "Sign in", **headers: str) -> HTMLResponse:
    """A page."""
    html = f"<!doctype html><html><head><title>{title}</title></head><body>{body}</body></html>"
    return HTMLResponse(html, status, headers)


def back(asked_state: str, to: str = REDIRECT, **parameters: str) -> RedirectResponse:
    """The redirect that ends a login."""
    query = urlencode({"state": asked_state, **parameters})
    return RedirectResponse(f"{to}?{query}", 302)


def authorization_request(
    *scopes: str, redirect_uri: str = REDIRECT, post: bool = False, endpoint: str = AUTHORIZE
) -> AuthorizationRequest:
    """A request with fresh secrets."""
    return AuthorizationRequest.build(
        endpoint,
        client_id="app",
        redirect_uri=redirect_uri,
        scopes=scopes or ("openid", "launch/patient", "patient/Observation.rs"),
        aud=BASE,
        entropy=secrets.token_bytes,
        post=post,
    )
