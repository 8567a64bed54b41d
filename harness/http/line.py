"""Who is next: requests that wait for their turn at one host, urgent ones first. For one loop."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count


@dataclass(order=True, slots=True)
class Waiter:
    """One that waits."""

    rank: tuple[int, int]
    woken: asyncio.Event = field(compare=False)
    gone: bool = field(default=False, compare=False)

    async def wait(self) -> None:
        """Until it may be its turn."""
        self.woken = asyncio.Event()
        await self.woken.wait()


class Line:
    """In order of coming, but for those who overtake."""

    def __init__(self) -> None:
        self._waiters: list[Waiter] = []
        self._order = count()

    def join(self, *, urgent: bool) -> Waiter:
        """Stand at the end; at the end of the urgent ones if `urgent`."""
        waiter = Waiter((0 if urgent else 1, next(self._order)), asyncio.Event())
        heappush(self._waiters, waiter)
        return waiter

    def leave(self, waiter: Waiter) -> None:
        """Go, with or without having had one's turn."""
        waiter.gone = True
        self.wake_first()

    def first(self) -> Waiter | None:
        """Whose turn it is."""
        while self._waiters and self._waiters[0].gone:
            heappop(self._waiters)
        return self._waiters[0] if self._waiters else None

    def wake_first(self) -> None:
        """Let the first look whether it may go."""
        if first := self.first():
            first.woken.set()
