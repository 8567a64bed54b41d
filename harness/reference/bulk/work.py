"""Makes the files of an export, between the other requests."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from harness.reference.bulk.faulty import making as faulty
from harness.reference.bulk.gathering import gather, line, warnings
from harness.reference.bulk.jobs import Job
from harness.reference.fhir.asof import AsOf
from harness.reference.fhir.context import Context

log = logging.getLogger("harness.reference")

_AT_ONCE: Final = 200
"""Resources after which others have their turn."""


def begin(context: Context, job: Job, view: AsOf) -> None:
    """Begins to make the files of a job, from the store as the view shows it."""
    job.work = asyncio.create_task(_make(context, job, view))


async def _make(context: Context, job: Job, view: AsOf) -> None:
    try:
        await _write(context, job, view)
    except Exception:
        log.exception("a defect of the reference EHR")
        raise
    job.spool.finish()
    faulty.finished(context.instance.has, job.spool)
    job.done = True


async def _write(context: Context, job: Job, view: AsOf) -> None:
    has = context.instance.has
    base = faulty.base(has, context.instance.fhir_base)
    for notice in faulty.notices(has, warnings(job.asked)):
        job.spool.add(*notice)
    resources = faulty.found(has, view, job.asked, gather(view, job.asked, context.now))
    for number, one in enumerate(resources):
        for each in faulty.written(has, line(one, job.asked, base), number):
            job.spool.add(*each)
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)
