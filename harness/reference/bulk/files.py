"""Handlers of the files: whole, compressed, or in part (RFC 9110 sections 8.4 and 14).

http://hl7.org/fhir/uv/bulkdata/STU2/export.html#bulk-data-output-file-request
"""

from __future__ import annotations

import re
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from harness.reference.bulk.faulty import serving as faulty
from harness.reference.bulk.jobs import Job
from harness.reference.bulk.links import signed_url
from harness.reference.bulk.spool import NdjsonFile
from harness.reference.bulk.status import find
from harness.reference.fhir.context import Context, access_of
from harness.reference.fhir.formats import takes_gzip
from harness.reference.fhir.outcome import refused
from harness.reference.fhir.reach import Reach

NDJSON: Final = "application/fhir+ndjson"
_ACCEPTABLE: Final = {NDJSON, "application/ndjson", "application/*", "*/*"}
_RANGE: Final = re.compile(r"bytes=(\d{1,15})?-(\d{1,15})?", re.ASCII)


async def download(context: Context, request: Request) -> Response:
    """Answers `GET` of a file: for the client that started the export, with equal scopes."""
    has, bulk = context.instance.has, context.instance.bulk
    faulty.require_accept(has, request)
    job = find(context, request)
    faulty.require_time(has, job, context.now)
    file = job.spool.files.get(request.path_params["file"]) if job.told else None
    if file is None:
        raise refused(404, "not-found", "there is no such file")
    if file.kind in job.asked.reaches and faulty.needs_scopes(has):
        base = context.instance.fhir_base
        for permission in "rs":
            Reach.of(access_of(request), file.kind, permission, base)
    if faulty.redirects(has):
        link = signed_url(bulk, job, file, context.now)
        return Response(status_code=307, headers={"Location": link})
    answer = served(
        request,
        job,
        file,
        ranges=bulk.options.ranges,
        wanted=faulty.asked_range(has, request.headers.get("range", "")),
        gzipped=faulty.compresses(has) or takes_gzip(request),
    )
    return faulty.file(has, answer)


def require_ndjson(request: Request) -> None:
    """Checks that the client takes NDJSON.

    Raises:
        Refused: 406.
    """
    accepted = request.headers.get("accept", "*/*").lower().split(",")
    if not {one.partition(";")[0].strip() for one in accepted} & _ACCEPTABLE:
        raise refused(406, "not-supported", f"the file is {NDJSON}, which Accept leaves out")


def served(
    request: Request,
    job: Job,
    file: NdjsonFile,
    *,
    wanted: str,
    ranges: bool = True,
    gzipped: bool = False,
) -> Response:
    """Returns a file, or the part of it that the request wants.

    A part is never compressed, so that what was cut can be gone on with by its bytes.

    Args:
        request: with If-Range.
        job: that made the file.
        file: to be sent.
        wanted: the Range header.
        ranges: whether parts are served.
        gzipped: whether a whole file is compressed.
    """
    tag = f'"{job.id[:8]}-{file.name}"'
    headers = {"Content-Type": NDJSON, "ETag": tag}
    headers["Accept-Ranges"] = "bytes" if ranges else "none"
    headers |= {"Vary": "Accept-Encoding", "Cache-Control": "private, no-store"}
    part = _part(wanted, file.size)
    if part and ranges and request.headers.get("if-range", tag) == tag:
        start, stop = part
        if start >= stop:
            return Response(status_code=416, headers={"Content-Range": f"bytes */{file.size}"})
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{file.size}"
        headers["Content-Length"] = str(stop - start)
        return StreamingResponse(_paced(job.spool.read(file, start, stop)), 206, headers)
    content = job.spool.read(file, 0, file.size)
    if gzipped:
        headers["Content-Encoding"] = "gzip"
        return StreamingResponse(_paced(_compressed(content)), 200, headers)
    headers["Content-Length"] = str(file.size)
    return StreamingResponse(_paced(content), 200, headers)


def _part(header: str, size: int) -> tuple[int, int] | None:
    """Returns where a range begins and ends; None where the whole file is meant."""
    match = _RANGE.fullmatch(header.strip())
    if not match or match[1] is match[2] is None:
        return None
    if match[1] is None:
        return max(size - int(match[2]), 0), size if int(match[2]) else 0
    stop = size if match[2] is None else min(int(match[2]) + 1, size)
    if match[2] is not None and int(match[2]) < int(match[1]):
        return None
    return int(match[1]), stop


def _compressed(content: Iterable[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    for block in content:
        yield packer.compress(block)
    yield packer.flush()


async def _paced(blocks: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Yields blocks one by one, on the loop: each takes less than a thread would cost."""
    for block in blocks:
        if block:
            yield block
