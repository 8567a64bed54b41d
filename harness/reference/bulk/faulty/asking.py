"""Faults of the kick-off: what of the request is heard, and what is answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from harness.reference.access import Access
from harness.reference.bulk.asked import Asked, Level
from harness.reference.bulk.lenience import Lenience
from harness.reference.fhir.asof import AsOf
from harness.reference.fhir.outcome import refused

Has = Callable[[str], bool]

LAG: Final = timedelta(minutes=1)


def access(has: Has, known: Access) -> Access:
    """Alters what the token may do."""
    if has("bulk-scopes-ignored"):
        return replace(known, scopes=("system/*.rs",))
    return known


def lenience(has: Has, asked: Lenience) -> Lenience:
    """Alters what is done about parts of the request that are not supported."""
    return Lenience(lenient=True) if has("bulk-parameters-passed-over") else asked


def require_types(has: Has, values: Sequence[str]) -> None:
    """Refuses a `_type` that stands twice.

    Raises:
        Refused: 400.
    """
    if len(values) > 1 and has("bulk-repeated-type-refused"):
        raise refused(400, "multiple-matches", "_type was given more than once")


def types(has: Has, wanted: set[str], served: set[str]) -> set[str]:
    """Alters which types are exported."""
    return served if has("bulk-type-ignored") else wanted


def formats(has: Has, known: set[str]) -> set[str]:
    """Alters which names of the format are known."""
    return {"application/fhir+ndjson"} if has("bulk-format-by-full-name-only") else known


def heard(has: Has, asked: Asked, members: frozenset[str] | None) -> Asked:
    """Alters what of the request counts.

    Args:
        has: tells the faults.
        asked: as it was read.
        members: of the Group; None where there is none.
    """
    if has("bulk-since-ignored"):
        asked = replace(asked, since=None)
    if has("bulk-type-filter-ignored"):
        asked = replace(asked, filters={})
    if has("bulk-patient-ignored"):
        asked = replace(asked, patients=members)
    if asked.level is Level.GROUP and has("bulk-group-ignored"):
        asked = replace(asked, patients=None)
    if has("bulk-lenience-untold") or has("bulk-parameters-passed-over"):
        asked = replace(asked, warnings=())
    return asked


def view(has: Has, known: AsOf) -> AsOf:
    """Alters as of when resources are looked at."""
    return known.earlier(LAG) if has("bulk-snapshot-lags") else known


def status(has: Has) -> int:
    """Returns the status of the answer."""
    return 200 if has("bulk-kickoff-answers-200") else 202


def headers(has: Has, url: str, storage: str | None) -> dict[str, str]:
    """Returns the headers of the answer.

    Args:
        has: tells the faults.
        url: where the status is.
        storage: another origin, if there is one.
    """
    if storage and has("bulk-location-elsewhere"):
        return {"Content-Location": f"{storage}{urlsplit(url).path}"}
    if has("bulk-location-missing"):
        return {}
    if has("bulk-location-relative"):
        return {"Content-Location": urlsplit(url).path}
    return {"Content-Location": url}
