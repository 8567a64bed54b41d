"""Handlers of a job: how far it is, what it made, its end (Bulk Data Access IG 2.0.0).

http://hl7.org/fhir/uv/bulkdata/STU2/export.html#bulk-data-status-request
"""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from harness.reference.bulk.faulty import serving
from harness.reference.bulk.faulty import telling as faulty
from harness.reference.bulk.gathering import DELETED, ERROR
from harness.reference.bulk.jobs import Job
from harness.reference.bulk.links import file_path, signed_url, status_path
from harness.reference.bulk.options import BulkOptions
from harness.reference.fhir.context import Context, access_of
from harness.reference.fhir.formats import http_date, respond
from harness.reference.fhir.outcome import refused
from harness.reference.throttle import RetryAfter

Json = dict[str, Any]

PATIENCE: Final = 5.0
"""Real seconds that a status waits for files that should be there by now."""


async def status(context: Context, request: Request) -> Response:
    """Answers `GET` of the URL in Content-Location: 202 while under way, then 200."""
    job = find(context, request)
    bulk, now, has = context.instance.bulk, context.now, context.instance.has
    faulty.require_known(has, job)
    options = bulk.options
    since = (now - job.polled).total_seconds() if job.polled else math.inf
    job.polled = now
    if since < options.poll_seconds:
        headers = retry_after(context, options.poll_seconds)
        raise refused(429, "throttled", "the status was asked for too soon again", headers=headers)
    job.polls += 1
    faulty.require_success(has, job)
    left = (job.started + timedelta(seconds=options.seconds) - now).total_seconds()
    if left <= 0 and job.polls > options.polls and job.work:
        await asyncio.wait({job.work}, timeout=PATIENCE)
        if job.work.done() and not job.done:
            raise refused(500, "exception", "the export failed")
    ready = left <= 0 and job.polls > options.polls and job.done
    if not faulty.is_ready(has, ready, job):
        wait = max(left, options.poll_seconds, 1)
        headers = retry_after(context, wait) | {
            "X-Progress": faulty.progress(has, _progress(options, job, now))
        }
        return respond(request, None, 202, headers)
    job.told = True
    headers = {"Content-Type": "application/json", "Expires": http_date(bulk.expires(job))}
    headers = faulty.headers(has, headers, http_date(job.started))
    return respond(request, _manifest(context, job, _page(request)), headers=headers)


async def cancel(context: Context, request: Request) -> Response:
    """Answers `DELETE` of it: the job ends, and its files are gone."""
    serving.require_delete(context.instance.has)
    job = find(context, request)
    if not serving.lives_on(context.instance.has, job):
        context.instance.bulk.drop(job)
    return respond(request, None, 202)


def find(context: Context, request: Request) -> Job:
    """Returns the job in the URL.

    Raises:
        Refused: 404; it never was, is over, or is another client's.
    """
    job = context.instance.bulk.find(request.path_params["job"], context.now)
    client_id = access_of(request).client_id
    if job is None or not faulty.is_for(context.instance.has, job, client_id):
        raise refused(404, "not-found", "there is no such export, or none any more")
    return job


def retry_after(context: Context, seconds: float) -> dict[str, str]:
    """Returns the header that says when to come back, in the way of this instance."""
    match context.instance.bulk.options.retry_after:
        case RetryAfter.SECONDS:
            return {"Retry-After": str(math.ceil(seconds))}
        case RetryAfter.DATE:
            # Compared with the Date header, so it is of the machine's clock; never too early.
            moment = datetime.now(UTC) + timedelta(seconds=seconds + 1)
            return {"Retry-After": http_date(moment)}
        case RetryAfter.NONE:
            return {}


def _progress(options: BulkOptions, job: Job, now: datetime) -> str:
    by_time = (now - job.started).total_seconds() / options.seconds if options.seconds else 1.0
    done = min(by_time, job.polls / (options.polls + 1))
    return f"{min(99, math.floor(100 * done))}% complete"


def _page(request: Request) -> int:
    text = request.query_params.get("page", "1")
    if not (text.isascii() and text.isdecimal() and int(text[:6]) >= 1):
        raise refused(400, "value", f"page={text[:20]}: a whole number above 0 expected")
    return int(text[:6])


def _manifest(context: Context, job: Job, page: int) -> Json:
    bulk = context.instance.bulk
    files = list(job.spool.files.values())
    size = bulk.options.page_size or max(len(files), 1)
    if page > 1 and (page - 1) * size >= len(files):
        raise refused(404, "not-found", f"the manifest has no page {page}")
    output: list[Json] = []
    sections: dict[str, list[Json]] = {DELETED: [], ERROR: []}
    for one in files[(page - 1) * size : page * size]:
        section = sections.get(one.name.rpartition("-")[0], output)
        url = context.url(file_path(job, one))
        if bulk.options.presigned:
            url = signed_url(bulk, job, one, context.now)
        section.append({"type": one.kind, "url": url, "count": one.count})
    manifest: Json = {
        "transactionTime": faulty.transaction_time(context.instance.has, job, context.now),
        "request": job.asked.url,
        "requiresAccessToken": not bulk.options.presigned,
        "output": output,
        "deleted": sections[DELETED],
        "error": sections[ERROR],
    }
    if page * size < len(files):
        url = f"{context.url(status_path(job))}?page={page + 1}"
        manifest["link"] = [{"relation": "next", "url": url}]
    return faulty.manifest(context.instance.has, manifest, bulk.storage)
