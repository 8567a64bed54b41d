from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from harness.sync.store.writer import Writer


class Transactions:
    """What was done in each, and how it ended."""

    def __init__(self) -> None:
        self.log: list[str] = []

    @contextmanager
    def __call__(self) -> Iterator[None]:
        self.log.append("begin")
        try:
            yield
        except BaseException:
            self.log.append("rollback")
            raise
        self.log.append("commit")

    def action(self, name: str) -> Callable[[], str]:
        def act() -> str:
            self.log.append(name)
            return name

        return act


def blocked(gate: threading.Event) -> Callable[[], bool]:
    return lambda: gate.wait(10)


async def meanwhile(writer: Writer, *actions: Callable[[], object]) -> list[object]:
    """What these come to, asked for while the thread was busy."""
    gate = threading.Event()
    first = asyncio.create_task(writer.do(blocked(gate)))
    await asyncio.sleep(0)
    rest = [asyncio.create_task(writer.do(each)) for each in actions]
    await asyncio.sleep(0)
    gate.set()
    await first
    return await asyncio.gather(*rest, return_exceptions=True)


def test_what_waits_goes_together_and_in_order() -> None:
    together = Transactions()

    async def run() -> list[object]:
        with Writer(together) as writer:
            return await meanwhile(writer, *map(together.action, "abc"))

    assert asyncio.run(run()) == ["a", "b", "c"]
    assert together.log[-5:] == ["begin", "a", "b", "c", "commit"]
    assert together.log.count("begin") <= 2


def test_nothing_is_done_before_it_is_committed() -> None:
    class Refuses(Transactions):
        @contextmanager
        def __call__(self) -> Iterator[None]:
            yield
            raise OSError("the disk is full")

    async def run() -> str:
        with Writer(Refuses()) as writer:
            return await writer.do(lambda: "a")

    with pytest.raises(OSError, match="full"):
        asyncio.run(run())


def test_what_goes_together_fails_together() -> None:
    together = Transactions()

    def fail() -> None:
        raise ValueError("no")

    async def run() -> list[object]:
        with Writer(together) as writer:
            found = await meanwhile(writer, together.action("a"), fail, together.action("b"))
            return [*found, await writer.do(together.action("c"))]

    *failed, later = asyncio.run(run())
    assert [type(each) for each in failed] == [ValueError] * 3
    assert later == "c"
    assert together.log[-4:] == ["rollback", "begin", "c", "commit"]


def test_who_is_cancelled_while_waiting_is_left_out() -> None:
    together = Transactions()

    async def run() -> None:
        gate = threading.Event()
        with Writer(together) as writer:
            first = asyncio.create_task(writer.do(blocked(gate)))
            await asyncio.sleep(0)
            given_up = asyncio.create_task(writer.do(together.action("a")))
            await asyncio.sleep(0)
            given_up.cancel()
            await asyncio.sleep(0)
            gate.set()
            await first
            await writer.do(together.action("b"))

    asyncio.run(run())
    assert "a" not in together.log
    assert "b" in together.log


def test_what_has_begun_is_finished_though_its_caller_is_cancelled() -> None:
    together, begun, gate = Transactions(), threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        gate.wait(10)
        together.log.append("slow")

    async def run() -> None:
        with Writer(together) as writer:
            task = asyncio.create_task(writer.do(slow))
            await asyncio.to_thread(begun.wait, 10)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            gate.set()

    asyncio.run(run())
    assert together.log == ["begin", "slow", "commit"]
