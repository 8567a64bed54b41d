"""Faults of the files as they are handed out, and of the end of an export."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from harness.reference.bulk.jobs import Job
from harness.reference.fhir.outcome import refused

Has = Callable[[str], bool]

EARLY: Final = timedelta(minutes=10)
_NDJSON: Final = "application/fhir+ndjson"


def needs_token(has: Has, path: str) -> bool:
    """Whether a path below the FHIR base is for bearers of a token alone."""
    return not (path.startswith("/$bulk-files/") and has("bulk-files-open-to-anybody"))


def needs_scopes(has: Has) -> bool:
    """Whether the token of a download must cover the type of the file."""
    return not has("bulk-file-scopes-ignored")


def require_accept(has: Has, request: Request) -> None:
    """Wants the one media type, and no range of them.

    Raises:
        Refused: 406.
    """
    if has("bulk-file-accept-by-name-only") and request.headers.get("accept") != _NDJSON:
        raise refused(406, "not-supported", f"Accept must be {_NDJSON}")


def require_time(has: Has, job: Job, now: datetime) -> None:
    """Forgets files long before they expire.

    Raises:
        Refused: 404.
    """
    if has("bulk-files-gone-early") and now >= job.started + EARLY:
        raise refused(404, "not-found", "the file is gone")


def redirects(has: Has) -> bool:
    """Whether a download leads on to the storage."""
    return has("bulk-files-redirect-to-storage")


def compresses(has: Has) -> bool:
    """Whether a file is compressed for everybody."""
    return has("bulk-files-compressed-unasked")


def asked_range(has: Has, header: str) -> str:
    """Alters the Range header."""
    if not has("bulk-parts-begin-late"):
        return header
    return re.sub(r"=(\d+)", lambda found: f"={int(found[1]) + 1}", header, count=1)


def file(has: Has, answer: Response) -> Response:
    """Alters the answer to a download."""
    if has("bulk-files-as-octet-stream"):
        answer.headers["content-type"] = "application/octet-stream"
    if has("bulk-files-answer-404-with-content") and isinstance(answer, StreamingResponse):
        answer.status_code = 404
    return answer


def require_delete(has: Has) -> None:
    """Refuses to end an export.

    Raises:
        Refused: 405.
    """
    if has("bulk-delete-refused"):
        raise refused(405, "not-supported", "an export cannot be deleted")


def lives_on(has: Has, job: Job) -> bool:
    """Whether a job, or a part of it, is still there after it was deleted."""
    job.deleted = has("bulk-files-outlive-delete") or has("bulk-status-202-after-delete")
    return job.deleted or has("bulk-delete-ignored")


def checks_links(has: Has) -> bool:
    """Whether a link must be signed, alive, and without a token beside it."""
    return not has("bulk-links-refuse-nothing")


def links_expire(has: Has) -> bool:
    """Whether a link dies when it says."""
    return not has("bulk-links-never-expire")
