"""What is asked next: fairly, and without holding all that there is to ask."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.sync.model import Cursor, Query
from harness.sync.pull.frontier import CHUNK, Frontier
from harness.sync.pull.steps import Step
from harness.tests.unit.sync.conftest import NOON

PATIENTS = 500
TYPES = ("Patient", "Observation")
PAGES = 3


class Asker:
    """Asks whatever a frontier gives, and remembers the order; each query has three pages."""

    def __init__(self, batch_size: int = 10) -> None:
        self.made = 0
        self.pages: dict[Query, int] = {}
        self.order: list[tuple[str, int]] = []
        self.recalled = 0
        self.frontier = Frontier(self.fresh(), self.load, self.recall, batch_size)

    def fresh(self) -> Iterator[Query]:
        for type_ in TYPES:
            for number in range(PATIENTS):
                self.made += 1
                yield Query(f"p{number}", type_)

    async def load(self, queries: Sequence[Query]) -> Sequence[Step]:
        return [Step(query, None, None) for query in queries]

    async def recall(self, queries: Sequence[Query]) -> Sequence[Step]:
        self.recalled += len(queries)
        return [Step(query, None, cursor(query)) for query in queries]

    async def work(self, until: int = 1_000_000) -> None:
        while len(self.order) < until and (step := await self.frontier.take()) is not None:
            page = self.pages[step.query] = self.pages.get(step.query, 0) + 1
            self.order.append((step.query.patient, page))
            await asyncio.sleep(0)
            more = page < PAGES
            self.frontier.done([replace(step, cursor=cursor(step.query))] if more else [])


def cursor(query: Query) -> Cursor:
    return Cursor(f"https://ehr.example/{query.patient}", None, NOON, None, 1, 1)


async def together(asker: Asker, workers: int) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(asker.work())


def test_all_first_pages_come_before_any_second_one() -> None:
    asker = Asker()
    asyncio.run(together(asker, 1))
    firsts = [page for _, page in asker.order[: PATIENTS * len(TYPES)]]
    assert set(firsts) == {1}
    assert set(asker.pages.values()) == {PAGES}


def test_further_pages_go_by_patients_and_round_robin() -> None:
    asker = Asker(batch_size=2)
    asyncio.run(together(asker, 1))
    further = asker.order[PATIENTS * len(TYPES) :]
    assert further[:8] == [
        *[("p0", 2), ("p0", 2), ("p1", 2), ("p1", 2)],
        *[("p0", 3), ("p0", 3), ("p1", 3), ("p1", 3)],
    ]


def test_many_workers_leave_nothing_out_and_end() -> None:
    asker = Asker()
    asyncio.run(asyncio.wait_for(together(asker, 16), 20))
    assert len(asker.order) == PATIENTS * len(TYPES) * PAGES
    assert list(asker.frontier.rest()) == []


def test_queries_are_made_when_their_turn_comes_and_wait_as_their_names_alone() -> None:
    asker = Asker()
    asyncio.run(asker.work(until=10))
    assert asker.made == CHUNK
    asker = Asker()
    asyncio.run(together(asker, 1))
    assert asker.recalled == PATIENTS * len(TYPES)


def test_what_the_store_does_not_know_of_a_query_is_kept() -> None:
    asker = Asker()

    async def flawed() -> Step | None:
        while (step := await asker.frontier.take()) is not None and step.cursor is None:
            asker.frontier.done([replace(step, cursor=cursor(step.query), flaw="a flaw")])
        return step

    step = asyncio.run(flawed())
    assert step is not None
    assert (step.flaw, asker.recalled) == ("a flaw", 0)


def test_what_was_not_asked_to_its_end_is_named() -> None:
    asker = Asker()
    asyncio.run(asker.work(until=700))
    asker.frontier.close()
    rest = list(asker.frontier.rest())
    assert len(rest) == len(set(rest)) == PATIENTS * len(TYPES)
