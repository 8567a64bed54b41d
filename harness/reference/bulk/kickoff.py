"""Handlers that start an export (Bulk Data Access IG 2.0.0, "Bulk Data Kick-off Request").

http://hl7.org/fhir/uv/bulkdata/STU2/export.html#bulk-data-kick-off-request
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from harness.reference.bulk.asked import Level
from harness.reference.bulk.asking import read
from harness.reference.bulk.faulty import asking as faulty
from harness.reference.bulk.jobs import MOST_JOBS
from harness.reference.bulk.links import status_path
from harness.reference.bulk.status import retry_after
from harness.reference.bulk.work import begin
from harness.reference.fhir.context import Context, access_of
from harness.reference.fhir.formats import FHIR_JSON, preferences, respond
from harness.reference.fhir.outcome import refused

BUSY_SECONDS: Final = 60
"""After which a client that was refused may ask again."""


async def of_system(context: Context, request: Request) -> Response:
    """Answers `[base]/$export`: all that the server has."""
    return await _start(context, request, Level.SYSTEM)


async def of_patients(context: Context, request: Request, resource_type: str) -> Response:
    """Answers `[base]/Patient/$export`: the records of all patients."""
    del resource_type
    return await _start(context, request, Level.PATIENT)


async def of_group(context: Context, request: Request, resource_type: str) -> Response:
    """Answers `[base]/Group/[id]/$export`: the records of who is in a group."""
    del resource_type
    return await _start(context, request, Level.GROUP)


async def _start(context: Context, request: Request, level: Level) -> Response:
    _require_start(request)
    bulk, client_id = context.instance.bulk, access_of(request).client_id
    view = context.store.as_of(context.now)
    asked = await read(context, request, level, view)
    has = context.instance.has
    kept = bulk.jobs(context.now)
    busy = bulk.options.one_at_a_time and client_id in {one.client_id for one in kept}
    if busy or len(kept) >= MOST_JOBS:
        text = "delete the export that you started before" if busy else "too many exports"
        raise refused(429, "throttled", text, headers=retry_after(context, BUSY_SECONDS))
    job = bulk.start(client_id, asked, view.moment, context.now)
    begin(context, job, faulty.view(has, view))
    headers = faulty.headers(has, context.url(status_path(job)), bulk.storage)
    return respond(request, None, faulty.status(has), headers)


def _require_start(request: Request) -> None:
    """Wants both headers; without them an export could not have been meant.

    Raises:
        Refused: 400, 405.
    """
    if request.method == "HEAD":
        text = "who looks at the headers alone starts nothing"
        raise refused(405, "not-supported", text, headers={"Allow": "GET, OPTIONS, POST"})
    if "respond-async" not in preferences(request):
        raise refused(400, "required", "an export needs the header Prefer: respond-async")
    accepted = request.headers.get("accept", "")
    if FHIR_JSON not in accepted.lower():
        raise refused(400, "required", f"an export needs the header Accept: {FHIR_JSON}")
