"""The one thread in which a pull uses its store.

What waits for that thread goes together, in one transaction: a page is never divided, and a disk
that needs milliseconds for each commit holds back no pull.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from typing import Any, Self, TypeAlias, TypeVar

T = TypeVar("T")
_Job: TypeAlias = tuple[Callable[[], Any], asyncio.Future[Any]]


class Writer:
    """Runs actions on a store, one after the other; a context manager, for one event loop.

    Args:
        together: makes one transaction of what happens inside.
    """

    def __init__(self, together: Callable[[], AbstractContextManager[None]]) -> None:
        self._together = together
        self._waiting: deque[_Job] = deque()
        self._thread: ThreadPoolExecutor | None = None
        self._at_work = False

    def __enter__(self) -> Self:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        return self

    def __exit__(self, *exc: object) -> None:
        if self._thread is not None:
            self._thread.shutdown(wait=True)
            self._thread = None

    async def do(self, action: Callable[[], T]) -> T:
        """What `action` returns, once that is committed.

        An action that began is finished even when its caller is cancelled.

        Raises:
            Whatever it raised, or one that went together with it: nothing of them is committed.
        """
        loop = asyncio.get_running_loop()
        result: asyncio.Future[T] = loop.create_future()
        if self._thread is None:
            raise RuntimeError("a writer works inside its context only")
        self._waiting.append((action, result))
        self._go_on(loop)
        return await result

    def _go_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """In the loop: hand the thread what waits, if it is not at work."""
        if self._waiting and not self._at_work and self._thread is not None:
            self._at_work = True
            self._thread.submit(self._do_waiting, loop)

    def _do_waiting(self, loop: asyncio.AbstractEventLoop) -> None:
        """In the thread: all that waits by now; then one word to the loop for all of it."""
        jobs: list[_Job] = []
        while self._waiting:
            job = self._waiting.popleft()
            if not job[1].cancelled():
                jobs.append(job)
        done: list[Any] | BaseException = []
        try:
            if jobs:
                with self._together():
                    done = [action() for action, _ in jobs]
        except BaseException as error:  # noqa: BLE001 - it belongs to those who wait for it
            done = error
        with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
            loop.call_soon_threadsafe(self._tell, loop, jobs, done)

    def _tell(
        self, loop: asyncio.AbstractEventLoop, jobs: list[_Job], done: list[Any] | BaseException
    ) -> None:
        """In the loop: what came of it."""
        self._at_work = False
        self._go_on(loop)
        for number, (_, result) in enumerate(jobs):
            if result.done():
                continue
            if isinstance(done, BaseException):
                result.set_exception(done)
            else:
                result.set_result(done[number])
