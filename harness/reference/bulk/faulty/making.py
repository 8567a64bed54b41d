"""Faults of the files as they are made: what is found, and how it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from typing import Any, Final

from harness.reference.bulk.asked import Asked
from harness.reference.bulk.spool import Spool
from harness.reference.fhir.asof import AsOf
from harness.reference.fhir.dates import Interval
from harness.reference.fhir.json import dumps
from harness.reference.fhir.matching import search_values
from harness.reference.fhir.outcome import Issue, operation_outcome
from harness.reference.fhir.parameters import PARAMETERS
from harness.reference.fhir.stored import Stored

Json = dict[str, Any]
Has = Callable[[str], bool]
Line = tuple[str, str, bytes]

UNLUCKY: Final = "Condition"
"""The type that some faults fail at."""
HUGE: Final = 3 * 1024 * 1024
"""Quarters of the bytes in the longest line."""
EVERY: Final = 7
CUT: Final = 20


def found(has: Has, view: AsOf, asked: Asked, resources: Iterator[Stored]) -> Iterator[Stored]:
    """Alters which resources and deletions belong to an export."""
    if has("bulk-output-empty"):
        return iter(())
    if has("bulk-deletions-untold"):
        resources = (one for one in resources if not one.deleted)
    if has("bulk-deleted-exported"):
        resources = (replace(one, deleted=False) for one in resources)
    if has("bulk-since-by-clinical-date") and asked.since:
        resources = (one for one in resources if not _before(one, asked))
    if has("bulk-type-lost") or has("bulk-type-fails"):
        resources = (one for one in resources if one.resource_type != UNLUCKY)
    if has("bulk-versions-exported"):
        resources = chain.from_iterable(_versions(view, one) for one in resources)
    if has("bulk-line-huge"):
        resources = _inlined(resources)
    if has("bulk-duplicates"):
        resources = chain.from_iterable(_twice(resources))
    return resources


def _before(stored: Stored, asked: Asked) -> bool:
    date = PARAMETERS[stored.resource_type].get("date")
    values = search_values(stored, date) if date else ()
    return any(
        isinstance(one, Interval) and asked.since is not None and one.start <= asked.since
        for one in values
    )


def _versions(view: AsOf, stored: Stored) -> Iterator[Stored]:
    if stored.deleted:
        yield stored
    else:
        versions = view.versions(stored.resource_type, stored.id)
        yield from (one for one in versions if not one.deleted)


def _inlined(resources: Iterator[Stored]) -> Iterator[Stored]:
    """Yields the resources, the first document with all that is attached to it."""
    for one in resources:
        if one.resource_type == "DocumentReference":
            content = [{"attachment": {"contentType": "image/tiff", "data": "QUJD" * HUGE}}]
            yield replace(one, parsed={**one.resource, "content": content}, raw=None)
            break
        yield one
    yield from resources


def _twice(resources: Iterator[Stored]) -> Iterator[tuple[Stored, ...]]:
    for number, one in enumerate(resources):
        yield (one,) if number % EVERY else (one, one)


def notices(has: Has, lines: Iterator[Line]) -> Iterator[Line]:
    """Alters what is told beside the resources."""
    yield from lines
    if has("bulk-type-fails"):
        issue = Issue("exception", f"{UNLUCKY}: the resources could not be read")
        yield "error", "OperationOutcome", dumps(operation_outcome((issue,)))


def written(has: Has, line: Line, number: int) -> Iterator[Line]:
    """Alters a line; `number` counts the lines of the export from 0."""
    section, kind, text = line
    if number % EVERY == 0 and kind != "Patient" and has("bulk-line-of-another-type"):
        yield section, kind, b'{"resourceType":"Patient","id":"stray"}'
    if number % EVERY == 0 and has("bulk-line-broken"):
        text = text[:-1]
    if number == 0 and has("bulk-byte-order-mark"):
        text = b"\xef\xbb\xbf" + text
    if has("bulk-lines-end-in-crlf"):
        text += b"\r"
    if has("bulk-blank-lines"):
        text += b"\n"
    yield section, kind, text


def finished(has: Has, spool: Spool) -> None:
    """Alters the files when they are whole."""
    for file in spool.files.values():
        if has("bulk-last-line-cut"):
            file.size -= min(CUT, file.size)
        if has("bulk-final-newline-missing"):
            file.size -= 1
        if has("bulk-count-wrong"):
            file.count += 1


def base(has: Has, known: str) -> str | None:
    """Returns the base for URLs of attachments; None leaves them relative."""
    return None if has("bulk-attachment-urls-relative") else known
