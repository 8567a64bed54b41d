"""Faults of the status: what is said of an export, and to whom."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from harness.reference.bulk.jobs import Job
from harness.reference.data.instants import instant
from harness.reference.fhir.outcome import refused

Json = dict[str, Any]
Has = Callable[[str], bool]

DAY: Final = timedelta(days=1)
ANONYMOUS: Final = "anonymous"
PROGRESS: Final = "150 %"


def is_for(has: Has, job: Job, client_id: str) -> bool:
    """Whether a client is told of a job."""
    if client_id == ANONYMOUS and has("bulk-files-open-to-anybody"):
        return True
    return job.client_id == client_id or has("bulk-other-clients-admitted")


def require_success(has: Has, job: Job) -> None:
    """Fails at a status.

    Raises:
        Refused: 500 or 503.
    """
    if has("bulk-status-fails"):
        raise refused(500, "exception", "the export ended with an internal error")
    if job.polls == 1 and has("bulk-status-fails-once"):
        raise refused(503, "transient", "the server is busy", headers={"Retry-After": "1"})


def require_known(has: Has, job: Job) -> None:
    """Knows nothing of a job any more.

    Raises:
        Refused: 404.
    """
    told = job.told and has("bulk-manifest-told-once")
    if told or (job.deleted and not has("bulk-status-202-after-delete")):
        raise refused(404, "not-found", "there is no such export, or none any more")


def is_ready(has: Has, known: bool, job: Job) -> bool:  # noqa: FBT001 - the value to alter
    """Alters whether an export is ready.

    Raises:
        Refused: 404; it was, and is forgotten.
    """
    if known and has("bulk-forgotten-when-ready"):
        raise refused(404, "not-found", "there is no such export, or none any more")
    return known and not job.deleted and not has("bulk-never-ready")


def progress(has: Has, text: str) -> str:
    """Alters what X-Progress says."""
    return PROGRESS if has("bulk-progress-absurd") else text


def headers(has: Has, known: dict[str, str], past: str) -> dict[str, str]:
    """Alters the headers of a manifest; `past` is an HTTP-date that is over."""
    if has("bulk-expires-past"):
        return known | {"Expires": past}
    if has("bulk-expires-missing"):
        return {name: value for name, value in known.items() if name != "Expires"}
    if has("bulk-manifest-as-fhir-json"):
        return known | {"Content-Type": "application/fhir+json"}
    return known


def transaction_time(has: Has, job: Job, now: datetime) -> str:
    """Returns what the manifest says of the transaction time."""
    told = instant(job.transaction_time)
    if has("bulk-time-without-zone"):
        return told.removesuffix("Z")
    if has("bulk-time-not-an-instant"):
        return job.transaction_time.strftime("%d.%m.%Y %H:%M")
    if has("bulk-time-in-the-future"):
        return instant(job.transaction_time + DAY)
    if has("bulk-time-before-since"):
        return instant((job.asked.since or job.transaction_time) - DAY)
    if has("bulk-time-of-the-end"):
        return instant(now)
    return told


def manifest(has: Has, known: Json, storage: str | None) -> Json:
    """Alters the manifest; `storage` is another origin, if there is one."""
    _need_for_a_token(has, known)
    if has("bulk-request-not-said"):
        del known["request"]
    if has("bulk-error-not-listed"):
        del known["error"]
    if storage and has("bulk-next-page-elsewhere"):
        for link in known.get("link", []):
            parts = urlsplit(link["url"])
            link["url"] = f"{storage}{parts.path}?{parts.query}"
    _files(has, known["output"])
    return known


def _need_for_a_token(has: Has, known: Json) -> None:
    if has("bulk-token-wanted-elsewhere"):
        known["requiresAccessToken"] = True
    if has("bulk-token-need-denied"):
        known["requiresAccessToken"] = False
    if has("bulk-token-need-not-said"):
        del known["requiresAccessToken"]


def _files(has: Has, files: list[Json]) -> None:
    for one in files:
        if has("bulk-file-urls-relative"):
            one["url"] = urlsplit(one["url"]).path
        if has("bulk-file-types-wrong"):
            one["type"] = "Basic"
    if files and has("bulk-file-listed-that-is-not-there"):
        url = files[0]["url"].replace("-1.ndjson", "-0.ndjson")
        files.append({**files[0], "url": url})
