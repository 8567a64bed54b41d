"""Connections that wait for their next request, of which the one that was used last goes first.

A pool of many asks the system about each idle connection twice a request. With one connection to a
pool, only the one that is about to be used is looked at, and few are used however many there are.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Generic, Protocol, TypeVar


class Closable(Protocol):
    """Something that holds a connection."""

    async def aclose(self) -> None:
        """Close it."""
        ...


T = TypeVar("T", bound=Closable)


class Spares(Generic[T]):
    """Lends connections; how many are lent at a time is for the borrowers to bound.

    Args:
        make: makes one that leads nowhere yet.
        most: how many may wait; of more the one that waited longest is closed.
    """

    def __init__(self, make: Callable[[], T], most: int = 16) -> None:
        self._make = make
        self._most = most
        self._waiting: list[tuple[str, T]] = []

    @asynccontextmanager
    async def one(self, host: str) -> AsyncIterator[T]:
        """Lend one that led to `host` before, or a new one."""
        spare = self._taken(host)
        try:
            yield spare
        finally:
            self._waiting.append((host, spare))
            if len(self._waiting) > self._most:
                await self._waiting.pop(0)[1].aclose()

    async def aclose(self) -> None:
        """Close all that wait."""
        while self._waiting:
            await self._waiting.pop()[1].aclose()

    def _taken(self, host: str) -> T:
        for index in range(len(self._waiting) - 1, -1, -1):
            if self._waiting[index][0] == host:
                return self._waiting.pop(index)[1]
        return self._make()
