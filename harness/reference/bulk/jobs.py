"""The exports of one instance: who started them, how far they are, and when they end."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from harness.reference.bulk.asked import Asked
from harness.reference.bulk.options import BulkOptions
from harness.reference.bulk.spool import Spool

MOST_JOBS: Final = 100
"""How many exports an instance keeps."""


@dataclass(eq=False, slots=True)
class Job:
    """One export.

    Args:
        id: 128 random bits.
        client_id: of the client that started it; no other is told of it.
        asked: what it exports.
        transaction_time: as of when, in UTC.
        started: by the clock of the instance, in UTC.
        spool: its files.
        polls: how often its status was asked for and told.
        polled: when it was asked for last, in UTC.
        work: writes the files.
        done: the files are whole.
        deleted: it was deleted, and a fault keeps a part of it.
        told: the manifest was handed out; before that there are no files for anybody.
    """

    id: str
    client_id: str
    asked: Asked
    transaction_time: datetime
    started: datetime
    spool: Spool
    polls: int = 0
    polled: datetime | None = None
    work: asyncio.Task[None] | None = field(default=None, repr=False)
    done: bool = False
    told: bool = False
    deleted: bool = False

    def end(self) -> None:
        """Stops what still goes on; the files go with the last who reads them."""
        if self.work:
            self.work.cancel()


class Bulk:
    """The Bulk Data export of one instance.

    Args:
        options: how it behaves.
        storage: URL below which signed links lead; None where there is no such listener.
    """

    def __init__(self, options: BulkOptions | None = None, storage: str | None = None) -> None:
        self.options = options or BulkOptions()
        self.storage = storage
        self.signing_key = secrets.token_bytes(32)
        self._jobs: dict[str, Job] = {}

    def jobs(self, now: datetime) -> list[Job]:
        """Returns the jobs that are kept, the first started first."""
        for job in [one for one in self._jobs.values() if self.expires(one) <= now]:
            self.drop(job)
        return list(self._jobs.values())

    def expires(self, job: Job) -> datetime:
        """Until when a job is kept, in UTC."""
        return job.started + timedelta(seconds=self.options.seconds + self.options.expiry)

    def find(self, job_id: str, now: datetime) -> Job | None:
        """Returns a job; None if there is no such, or none any more."""
        return next((one for one in self.jobs(now) if one.id == job_id), None)

    def start(self, client_id: str, asked: Asked, moment: datetime, now: datetime) -> Job:
        """Begins an export without files.

        Args:
            client_id: who asked.
            asked: for what.
            moment: the transaction time, in UTC.
            now: by the clock of the instance, in UTC.
        """
        spool = Spool(self.options.file_size)
        job = Job(secrets.token_urlsafe(16), client_id, asked, moment, now, spool)
        self._jobs[job.id] = job
        return job

    def drop(self, job: Job) -> None:
        """Ends a job and forgets it."""
        job.end()
        del self._jobs[job.id]

    def close(self) -> None:
        """Ends all jobs."""
        for job in list(self._jobs.values()):
            self.drop(job)
