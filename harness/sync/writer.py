"""The one thread in which a pull uses its store.

What waits for that thread goes together, in one transaction: a page is never divided, and a disk
that needs milliseconds for each commit holds back no pull.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, Self, TypeVar

T = TypeVar("T")


class Writer:
    """Runs actions on a store, one after the other; a context manager.

    Args:
        together: makes one transaction of what happens inside.
    """

    def __init__(self, together: Callable[[], AbstractContextManager[None]]) -> None:
        self._together = together
        self._waiting: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._thread: ThreadPoolExecutor | None = None

    def __enter__(self) -> Self:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        return self

    def __exit__(self, *exc: object) -> None:
        if self._thread is not None:
            self._thread.shutdown(wait=True)

    async def do(self, action: Callable[[], T]) -> T:
        """What `action` returns, once that is committed.

        An action that began is finished even when its caller is cancelled.

        Raises:
            Whatever it raised, or one that went together with it: nothing of them is committed.
        """
        if self._thread is None:
            raise RuntimeError("a writer works inside its context only")
        result: Future[T] = Future()
        self._waiting.append((action, result))
        self._thread.submit(self._do_waiting)
        return await asyncio.wrap_future(result)

    def _do_waiting(self) -> None:
        """In the thread: all that waits by now."""
        jobs = []
        while self._waiting:
            action, result = self._waiting.popleft()
            if result.set_running_or_notify_cancel():
                jobs.append((action, result))
        if not jobs:
            return
        try:
            with self._together():
                done = [action() for action, _ in jobs]
        except BaseException as error:  # noqa: BLE001 - it belongs to those who wait for it
            for _, result in jobs:
                result.set_exception(error)
        else:
            for (_, result), value in zip(jobs, done, strict=True):
                result.set_result(value)
