"""The answer of an export that is complete: which files there are, and up to when they reach.

https://hl7.org/fhir/uv/bulkdata/STU2/export.html#response---output-manifest
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from harness.errors import ProtocolError
from harness.fhir.bulk.refusal import absolute
from harness.fhir.dates import parse
from harness.http.exchange import kind_of

MOST_FILES = 200_000
_LONGEST_TYPE = 64


class Kind(StrEnum):
    """What a file holds."""

    OUTPUT = "output"
    """Resources."""
    DELETED = "deleted"
    """Bundles that name what was deleted."""
    ERROR = "error"
    """OperationOutcomes about the export."""


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """One file.

    Attributes:
        kind: what it holds.
        type: the resource type that it is said to hold; empty where that is not said.
        url: absolute.
        count: lines that it is said to have; None where that is not said.
    """

    kind: Kind
    type: str
    url: str
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest, or one page of it.

    Attributes:
        transaction_time: the earliest instant that it can mean, in UTC; None if it means none.
        requires_access_token: whether files are to be asked for with a token; None if unsaid.
        files: output, deleted, error, in this order.
        next: absolute URL of the next page; None on the last.
        lost: entries that name data without saying where it is, one line each.
        problems: what is wrong otherwise, one line each.
    """

    transaction_time: datetime | None
    requires_access_token: bool | None = None
    files: tuple[ManifestFile, ...] = ()
    next: str | None = None
    lost: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(slots=True)
class _Notes:
    lost: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read_manifest(value: object, url: str) -> Manifest:
    """Read tolerantly, and say what is wrong.

    Args:
        value: the parsed body.
        url: where it came from; relative URLs start there.

    Raises:
        ProtocolError: no object, no list `output`, or more than `MOST_FILES` files. An export
            without data says so by an empty list.
    """
    if not isinstance(value, dict):
        raise ProtocolError(f"expected a manifest, got {kind_of(value)}")
    if not isinstance(value.get("output"), list):
        raise ProtocolError("expected a manifest with a list 'output', got none")
    notes = _Notes()
    files = tuple(_files(value, url, notes))
    return Manifest(
        _instant(value.get("transactionTime"), notes),
        _flag(value.get("requiresAccessToken"), notes),
        files,
        _next(value.get("link"), url, notes),
        tuple(notes.lost),
        tuple(notes.problems),
    )


def _instant(value: object, notes: _Notes) -> datetime | None:
    read = parse(value)
    if read is None:
        notes.problems.append("transactionTime is missing or no instant")
        return None
    if read.lacks_zone or read.precision in ("year", "month", "day"):
        notes.problems.append("transactionTime has no zone or no time of day")
    return read.widened().low.astimezone(UTC)


def _flag(value: object, notes: _Notes) -> bool | None:
    if isinstance(value, bool):
        return value
    notes.problems.append("requiresAccessToken is missing or no boolean")
    return {"true": True, "false": False}.get(value.lower()) if isinstance(value, str) else None


def _files(value: dict[str, Any], url: str, notes: _Notes) -> Iterator[ManifestFile]:
    seen: set[str] = set()
    number = 0
    for kind in Kind:
        listed = value.get(kind.value)
        if listed is not None and not isinstance(listed, list):
            notes.lost.append(f"{kind.value} is no list")
            continue
        for number, entry in enumerate(listed or (), number + 1):  # noqa: B020 - goes on counting
            if number > MOST_FILES:
                raise ProtocolError(f"a manifest with more than {MOST_FILES} files")
            file = _file(kind, entry, url, f"{kind.value} entry {number}", notes)
            if file is not None and file.url not in seen:
                seen.add(file.url)
                yield file
            elif file is not None:
                notes.problems.append(f"{kind.value} entry {number} repeats a file")


def _file(kind: Kind, entry: object, url: str, where: str, notes: _Notes) -> ManifestFile | None:
    place = entry.get("url") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(place, str) or not place.strip():
        notes.lost.append(f"{where} has no url")
        return None
    target = absolute(url, place)
    if target is None:
        notes.lost.append(f"{where} has no url that can be read")
        return None
    type_ = entry.get("type")
    if not isinstance(type_, str) or not type_.isalnum() or len(type_) > _LONGEST_TYPE:
        notes.problems.append(f"{where} has no type")
        type_ = ""
    return ManifestFile(kind, type_, target, _count(entry.get("count"), where, notes))


def _count(value: object, where: str, notes: _Notes) -> int | None:
    if value is None:
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 18:  # noqa: PLR2004 - fits the store
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 10**18:
        notes.problems.append(f"{where} has a count that is no number")
        return None
    return value


def _next(links: object, url: str, notes: _Notes) -> str | None:
    """The next page of a manifest that has several (Bulk Data 3.0, `link`)."""
    for link in links if isinstance(links, list) else []:
        if isinstance(link, dict) and link.get("relation") == "next":
            target = link.get("url")
            place = absolute(url, target) if isinstance(target, str) else None
            if place is None:
                notes.lost.append("the link to the next page has no url")
            return place
    return None
