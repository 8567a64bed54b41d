"""The layer around an EHR that has variants: each alters requests and answers in its turn."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Receive, Scope, Send

from harness.reference.instance import Instance
from harness.reference.varied import discovery, launch, resources, search, token, wire, writing
from harness.reference.varied.exchange import Answer, Asked, Collected, send_answer

_REQUESTS = (search.request, resources.request, writing.request)
_ANSWERS = (
    discovery.answer,
    launch.answer,
    token.answer,
    search.answer,
    writing.answer,
    resources.answer,
    wire.answer,
)


class Varied:
    """An ASGI application that does otherwise what another one does.

    Args:
        app: of one EHR; paths are relative to its issuer.
        instance: whose variants count.
    """

    def __init__(self, app: ASGIApp, instance: Instance) -> None:
        self.app = app
        self.instance = instance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request."""
        asked = discovery.request(Asked.of(scope))
        if delay := wire.slow(self.instance, asked):
            await asyncio.sleep(delay)
        given = writing.refusal(self.instance, asked) or await self._given(asked, scope, receive)
        for alter in _ANSWERS:
            given = alter(self.instance, asked, given)
        chunked = self.instance.has("bodies-in-chunks") and len(given.body) > 1
        await send_answer(given, send, length=not chunked)

    async def _given(self, asked: Asked, scope: Scope, receive: Receive) -> Answer:
        """What the application answers, uncompressed."""
        inner = asked.with_header("accept-encoding", None)
        for alter in _REQUESTS:
            inner = alter(self.instance, inner)
        collected, altered = Collected(), inner.scope(scope)
        await self.app(altered, receive, collected.send)
        if "route" in altered:
            scope["route"] = altered["route"]
        return collected.answer
