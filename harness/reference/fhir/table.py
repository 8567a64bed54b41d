"""Finding a route by the first part of its path, since there are hundreds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

ROUTE: Final = "route"
"""Member of a scope that holds the route that answers, as Starlette calls it."""


class Table(BaseRoute):
    """Routes, of which the first that matches answers.

    Args:
        below: returns the routes whose paths begin with a part, in the order in which they are
            tried; it is asked once for each part that has any.
        rest: answers what none of them matches.
    """

    def __init__(self, below: Callable[[str], Sequence[Route]], rest: Route) -> None:
        self._below = below
        self._rest = rest
        self._made: dict[str, Sequence[Route]] = {}

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Returns what the route that answers says of a request, with the route itself."""
        for route in (*self._routes(scope["path"].split("/", 2)[1]), self._rest):
            match, found = route.matches(scope)
            if match is Match.FULL:
                return match, {**found, ROUTE: route}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request that was matched."""
        await scope[ROUTE].handle(scope, receive, send)

    def _routes(self, first: str) -> Sequence[Route]:
        if first in self._made:
            return self._made[first]
        routes = self._below(first)
        if routes:
            self._made[first] = routes
        return routes
