"""Finds what belongs to an export, and turns it into lines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from harness.reference.bulk.asked import Asked
from harness.reference.data.instants import instant
from harness.reference.fhir.asof import AsOf
from harness.reference.fhir.json import dumps
from harness.reference.fhir.outcome import operation_outcome
from harness.reference.fhir.stored import Stored
from harness.reference.fhir.summary import part

DELETED: Final = "deleted"
ERROR: Final = "error"
_RELATIVE: Final = b'"url":"Binary/'


def gather(view: AsOf, asked: Asked, now: datetime) -> Iterator[Stored]:
    """Yields the resources of an export, and the deletions that it tells of.

    Args:
        view: the store at the transaction time.
        asked: what is wanted.
        now: the present of the instance, in UTC.
    """
    kinds = tuple(asked.reaches)
    everything = asked.since is None or asked.since < view.made_until
    if everything:
        for kind in kinds:
            yield from (one for one in view.of_nobody(kind) if asked.takes(one, now))
    everybody = view.synthetic_ids() if asked.patients is None else sorted(asked.patients)
    for patient in everybody if everything else sorted(asked.newcomers):
        yield from (one for one in view.of_patient(patient, kinds) if asked.takes(one, now))
    for kind in kinds:
        yield from (one for one in view.written(kind) if asked.takes(one, now))


def line(stored: Stored, asked: Asked, base: str | None) -> tuple[str, str, bytes]:
    """Returns the section, the resource type and the text of a line.

    Args:
        stored: a resource or a deletion.
        asked: the export that it belongs to.
        base: the FHIR base, for URLs of attachments, which have to be absolute; None leaves them.
    """
    if stored.deleted:
        return DELETED, "Bundle", dumps(_deletion(stored))
    elements = asked.elements.get(stored.resource_type)
    body = stored.body if elements is None else dumps(part(stored.resource, None, set(elements)))
    if base is None:
        return stored.resource_type, stored.resource_type, body
    body = body.replace(_RELATIVE, b'"url":"%s/Binary/' % base.encode())
    return stored.resource_type, stored.resource_type, body


def warnings(asked: Asked) -> Iterator[tuple[str, str, bytes]]:
    """Yields lines that say what of a request was left out, like `line`."""
    for issue in asked.warnings:
        yield ERROR, "OperationOutcome", dumps(operation_outcome((issue,)))


def _deletion(stored: Stored) -> dict[str, object]:
    """Returns the Bundle that tells of a deletion (Bulk Data Access IG 2.0.0, `deleted`)."""
    return {
        "resourceType": "Bundle",
        "meta": {"lastUpdated": instant(stored.last_updated)},
        "type": "transaction",
        "entry": [{"request": {"method": "DELETE", "url": stored.reference}}],
    }
