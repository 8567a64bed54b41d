"""From when on an export is asked for, and up to when it reaches: pure, time is an argument."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from harness.config.bulk import Backfill
from harness.sync.asking.marks import SKEW, advance
from harness.sync.bulk.job import Job
from harness.sync.model import Query, Watermark

MANY = 4
"""From one patient in so many that has no watermark yet, everything is exported instead."""


@dataclass(frozen=True, slots=True)
class Span:
    """What to ask an export for.

    Attributes:
        since: lower bound; None for everything.
        covered: patients whose watermarks it will move.
        newcomers: patients whose history `since` would hide, to be searched for.
    """

    since: datetime | None
    covered: tuple[str, ...]
    newcomers: tuple[str, ...] = ()


def span(
    patients: Sequence[str],
    types: Sequence[str],
    marks: Iterable[Watermark],
    *,
    overlap: timedelta,
    backfill: Backfill,
    full_every: timedelta | None,
    now: datetime,
) -> Span:
    """What to ask for, so that nothing since the watermarks is missed.

    Args:
        patients: of the tenant.
        types: that it syncs.
        marks: how far each (patient, type) is complete.
        overlap: how far before the oldest watermark the export starts again.
        backfill: how patients without a watermark get their history.
        full_every: after how long everything is exported again; None for never.
        now: harness clock.
    """
    known = {each.query: each for each in marks if not each.query.part}
    whole = {
        patient: tuple(known[query] for type_ in types if (query := Query(patient, type_)) in known)
        for patient in patients
    }
    covered = tuple(patient for patient in patients if len(whole[patient]) == len(types))
    newcomers = tuple(patient for patient in patients if len(whole[patient]) < len(types))
    reached = [each for patient in covered for each in whole[patient]]
    everything = (
        not reached
        or (newcomers and backfill is Backfill.EXPORT)
        or len(newcomers) * MANY > len(patients)
        or _full_due(reached, full_every, now)
    )
    if everything:
        return Span(None, tuple(patients))
    since = min(each.mark for each in reached) - overlap
    return Span(since.replace(microsecond=0), covered, newcomers)


def newcomers(
    patients: Iterable[str], types: Collection[str], marks: Iterable[Watermark]
) -> tuple[str, ...]:
    """Patients that lack a watermark for one of these types."""
    known = {each.query for each in marks if not each.query.part}
    return tuple(p for p in patients if any(Query(p, type_) not in known for type_ in types))


def flaw(job: Job) -> str | None:
    """Why `transactionTime` does not tell up to when an export reaches; None if it does."""
    reaches = job.transaction_time
    if reaches is None:
        return "transactionTime is missing or no instant"
    if job.ready is not None and reaches > job.ready + SKEW:
        return "transactionTime lies in the future"
    if job.since is not None and reaches < job.since:
        return "transactionTime lies before _since"
    return None


def reached(job: Job, mark: datetime | None, overlap: timedelta) -> datetime:
    """The watermark of a (patient, type) that an export holds completely; it never goes back.

    Where `transactionTime` does not tell, what the export surely holds is taken: what was there a
    while before it was asked for, and no more than a day beyond the newest resource in it.

    Args:
        job: all of its files are loaded.
        mark: the watermark before.
        overlap: the while.
    """
    if flaw(job) is None and job.transaction_time is not None:
        return job.transaction_time if mark is None else max(mark, job.transaction_time)
    return advance(mark, job.started - overlap, job.newest)


def watermarks(
    job: Job, types: Iterable[str], before: Iterable[Watermark], overlap: timedelta
) -> list[Watermark]:
    """The watermarks after an export of which these types are loaded completely."""
    known = {each.query: each for each in before}
    moved = []
    for type_ in types:
        for patient in job.patients:
            query = Query(patient, type_)
            old = known.get(query)
            mark = reached(job, old.mark if old else None, overlap)
            full = job.started if job.since is None else old.full if old else None
            moved.append(Watermark(query, mark, job.ready or job.started, full))
    return moved


def _full_due(marks: Iterable[Watermark], every: timedelta | None, now: datetime) -> bool:
    if every is None:
        return False
    return any(each.full is None or now - each.full >= every for each in marks)
