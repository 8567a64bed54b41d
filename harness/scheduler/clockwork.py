"""The clock of the scheduler: APScheduler ticks, and nothing more; its only importer.

Its stores and misfire rules are not used: two processes on one of its stores run every job twice,
and a firing that is a second late is dropped. What is due is decided from the tenants' stores at
each tick, and a leased row keeps two processes apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger


@contextmanager
def ticking(tick: Callable[[], None], seconds: float) -> Iterator[None]:
    """Call `tick` on the running loop every so many seconds, as long as the context lasts."""
    scheduler = AsyncIOScheduler(timezone=UTC)

    async def on_loop() -> None:
        tick()

    scheduler.add_job(
        on_loop,
        IntervalTrigger(seconds=seconds, timezone=UTC),
        id="tick",
        misfire_grace_time=None,
        coalesce=True,
        max_instances=1,
    )
    scheduler.start()
    try:
        yield
    finally:
        scheduler.shutdown(wait=False)
