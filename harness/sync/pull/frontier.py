"""What a pull asks next: one page of everything for everyone, then the rest.

Every patient gets something before any gets everything: first each query is asked for one page,
type by type; then what goes on is read to its end, so many patients at a time and round robin by
pages. Queries are made when their turn comes, and of those that wait for their second page no more
than their names is kept: the store has the rest.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import islice

from harness.sync.model import Query
from harness.sync.pull.steps import Step

CHUNK = 64
"""Queries that are looked up in the store at a time."""

Load = Callable[[Sequence[Query]], Awaitable[Sequence[Step]]]


class Frontier:
    """Steps in the order to take them. Belongs to one event loop.

    Args:
        fresh: every query, in the order of their first pages.
        load: where each query stands before its first page.
        recall: where each query stands after it.
        batch_size: patients whose further pages are read at a time.
    """

    def __init__(self, fresh: Iterator[Query], load: Load, recall: Load, batch_size: int) -> None:
        self._fresh = fresh
        self._load = load
        self._recall = recall
        self._batch_size = batch_size
        self._first_pages = True
        self._ready: deque[Step] = deque()
        self._aside: dict[str, list[Query | Step]] = {}
        self._under_way = 0
        self._closed = False
        self._news = asyncio.Event()
        self._filling = asyncio.Lock()

    async def take(self) -> Step | None:
        """The next step, to be given back with `done`; None when there is nothing more to do."""
        while not self._closed:
            if not self._ready:
                async with self._filling:
                    if not self._ready and not self._closed:
                        await self._fill()
            if self._ready and not self._closed:
                self._under_way += 1
                return self._ready.popleft()
            if not self._under_way:
                break
            self._news.clear()
            await self._news.wait()
        self.close()
        return None

    def done(self, again: Sequence[Step]) -> None:
        """A step that was taken is over; `again` are those that follow from it."""
        self._under_way -= 1
        for step in again:
            if self._first_pages and step.cursor is not None:
                kept = step.query if step.is_plain else step
                self._aside.setdefault(step.query.patient, []).append(kept)
            else:
                self._ready.append(step)
        self._news.set()

    def close(self) -> None:
        """Give out no more."""
        self._closed = True
        self._news.set()

    def rest(self) -> Iterator[Query]:
        """What was not asked to its end; to be called once, after the last step is over."""
        yield from (step.query for step in self._ready)
        for kept in self._aside.values():
            yield from (each if isinstance(each, Query) else each.query for each in kept)
        yield from self._fresh

    async def _fill(self) -> None:
        """First pages while there are any, else the further pages of the next patients."""
        while self._first_pages and not self._ready:
            if chunk := list(islice(self._fresh, CHUNK)):
                self._ready.extend(await self._load(chunk))
            else:
                self._first_pages = False
        if not self._ready and self._aside:
            whose = list(islice(self._aside, self._batch_size))
            kept = [each for patient in whose for each in self._aside[patient]]
            self._ready.extend(each for each in kept if isinstance(each, Step))
            queries = [each for each in kept if isinstance(each, Query)]
            self._ready.extend(await self._recall(queries))
            for patient in whose:
                del self._aside[patient]
