"""Which connection is lent next, and which are closed."""

from __future__ import annotations

from contextlib import AsyncExitStack

import anyio
import pytest

from harness.http.spares import Spares


class Connection:
    def __init__(self) -> None:
        self.closed = False

    async def aclose(self) -> None:
        self.closed = True


class Made(list[Connection]):
    def __call__(self) -> Connection:
        self.append(Connection())
        return self[-1]


def test_the_connection_that_was_used_last_goes_first() -> None:
    async def scenario() -> None:
        made = Made()
        spares = Spares(made)
        async with spares.one("ehr.example") as first, spares.one("ehr.example") as second:
            assert first is not second
        async with spares.one("ehr.example") as again:
            assert again is first
        assert len(made) == 2

    anyio.run(scenario)


def test_a_connection_to_another_host_is_left_open() -> None:
    async def scenario() -> None:
        spares = Spares(Made())
        async with spares.one("ehr.example") as ehr:
            pass
        async with spares.one("auth.example") as auth:
            assert auth is not ehr
        async with spares.one("ehr.example") as again:
            assert again is ehr

    anyio.run(scenario)


def test_of_too_many_the_one_that_waited_longest_is_closed() -> None:
    async def scenario() -> None:
        made = Made()
        spares = Spares(made, most=2)
        async with AsyncExitStack() as stack:
            lent = [await stack.enter_async_context(spares.one(f"h{n}")) for n in range(3)]
            assert not any(each.closed for each in lent)
        assert [each.closed for each in lent] == [False, False, True]
        async with spares.one("h3"):
            pass
        assert [each.closed for each in made] == [False, True, True, False]
        await spares.aclose()
        assert all(each.closed for each in made)

    anyio.run(scenario)


def test_a_request_that_fails_gives_its_connection_back() -> None:
    async def scenario() -> None:
        made = Made()
        spares = Spares(made)
        with pytest.raises(OSError, match="reset"):
            async with spares.one("ehr.example"):
                raise OSError("reset")
        async with spares.one("ehr.example") as again:
            assert again is made[0]

    anyio.run(scenario)
