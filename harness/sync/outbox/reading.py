"""What a file asks to be written: one resource, a Bundle, or NDJSON. Pure.

http://hl7.org/fhir/R4/bundle.html, https://github.com/ndjson/ndjson-spec
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.errors import UsageError
from harness.sync.outbox.drafting import of_resource, to_create
from harness.sync.outbox.model import Draft
from harness.sync.outbox.text import loads

MOST_BYTES = 64 * 1024 * 1024
_WRITTEN = frozenset({"POST", "PUT"})


def drafts_in(content: bytes, tenant: str, where: str) -> list[Draft]:
    """The writes that a file asks for, in its order; all of them are valid.

    A resource with an id and a version was read from the EHR, so it is changed; others are created.
    In a Bundle the method of the request decides, where there is one.

    Args:
        content: of the file.
        tenant: its name.
        where: how messages name the file.

    Raises:
        UsageError: it holds something else, or too much; nothing is to be queued then.
    """
    if len(content) > MOST_BYTES:
        raise UsageError(f"{where}: expected at most {MOST_BYTES} bytes, got {len(content)}")
    found = []
    for place, value in _values(content, where):
        try:
            found += _drafts(value, tenant)
        except UsageError as error:
            raise UsageError(f"{where}: {place}{error}") from None
    if not found:
        raise UsageError(f"{where}: expected a resource, a Bundle or NDJSON, got nothing to write")
    return found


def _values(content: bytes, where: str) -> list[tuple[str, Any]]:
    """The JSON values of a file, each with where it stands."""
    try:
        return [("", loads(content.decode("utf-8-sig")))]
    except UnicodeDecodeError:
        raise UsageError(f"{where}: expected UTF-8") from None
    except (ValueError, RecursionError):
        lines = content.decode("utf-8-sig").splitlines()
    found = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                found.append((f"line {number}: ", loads(line)))
            except (ValueError, RecursionError):
                raise UsageError(f"{where}: line {number}: expected JSON") from None
    return found


def _drafts(value: Any, tenant: str) -> list[Draft]:
    if not isinstance(value, Mapping) or value.get("resourceType") != "Bundle":
        return [of_resource(tenant, value)]
    entries = value.get("entry")
    return [
        _of_entry(number, each, tenant)
        for number, each in enumerate(entries if isinstance(entries, list) else [])
    ]


def _of_entry(number: int, entry: Any, tenant: str) -> Draft:
    resource = entry.get("resource") if isinstance(entry, Mapping) else None
    request = entry.get("request") if isinstance(entry, Mapping) else None
    method = request.get("method") if isinstance(request, Mapping) else None
    if method not in (None, *_WRITTEN):
        raise UsageError(f"entry[{number}]: expected POST or PUT, got {str(method)[:20]!r}")
    try:
        return to_create(tenant, resource) if method == "POST" else of_resource(tenant, resource)
    except UsageError as error:
        raise UsageError(f"entry[{number}]: {error}") from None
