"""Where jobs and their files are: at the FHIR base, or behind signed links at another origin."""

from __future__ import annotations

import hashlib
import hmac
import math
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from harness.reference.bulk.jobs import Bulk, Job
from harness.reference.bulk.spool import NdjsonFile

STATUS: Final = "$bulk-status"
FILES: Final = "$bulk-files"


def status_path(job: Job) -> str:
    """Returns where the status is, below the FHIR base."""
    return f"{STATUS}/{job.id}"


def file_path(job: Job, file: NdjsonFile) -> str:
    """Returns where a file is, below the FHIR base."""
    return f"{FILES}/{job.id}/{file.name}"


def signed_url(bulk: Bulk, job: Job, file: NdjsonFile, now: datetime) -> str:
    """Returns a link that opens a file without a token, until it expires.

    Args:
        bulk: of the instance.
        job: that made the file.
        file: to be opened.
        now: by the clock of the instance, in UTC.
    """
    seconds = bulk.options.link_seconds
    until = min(now + timedelta(seconds=seconds), bulk.expires(job)) if seconds else None
    expires = math.floor((until or bulk.expires(job)).timestamp())
    place = f"{job.id}/{file.name}"
    query = urlencode({"expires": expires, "signature": _signature(bulk, place, expires)})
    return f"{bulk.storage}/{place}?{query}"


def is_signed(bulk: Bulk, place: str, expires: str, signature: str) -> bool:
    """Whether a link is one that this instance made; not, whether it has expired."""
    known = expires.isascii() and expires.isdecimal() and len(expires) <= len("253402300799")
    return known and hmac.compare_digest(
        _signature(bulk, place, int(expires)).encode(), signature.encode()
    )


def _signature(bulk: Bulk, place: str, expires: int) -> str:
    message = f"{place}\n{expires}".encode()
    return hmac.new(bulk.signing_key, message, hashlib.sha256).hexdigest()
