"""Writes that are journalled before they are sent, and undone in reverse order at the end.

A journal is JSON lines. Each write is one `sent` line before the request and one `done` line after
it; undoing adds `undone` or `left`. A line holds method, type, identifiers and URL, never a body,
so that a run that was killed can be cleaned up from its journal alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import anyio

from harness.config.ehr import EhrFile, Permit
from harness.errors import HarnessError, NotPermitted
from harness.http.exchange import Exchange

Resource = dict[str, Any]

_GONE = frozenset({200, 202, 204, 404, 410})


class Writer(Protocol):
    """What writes resources: `harness.fhir.client.FhirClient`."""

    async def read(self, resource_type: str, resource_id: str) -> Exchange:
        """GET [base]/[type]/[id]."""
        ...

    async def create(self, resource: Resource) -> Exchange:
        """POST [base]/[type]."""
        ...

    async def update(self, resource: Resource, *, if_match: str | None = None) -> Exchange:
        """PUT [base]/[type]/[id], based on the version `if_match`."""
        ...

    async def delete(self, resource_type: str, resource_id: str) -> Exchange:
        """DELETE [base]/[type]/[id]."""
        ...


@dataclass(slots=True)
class Written:
    """One resource that a run put on the server.

    Attributes:
        number: position in the journal.
        type: the resource type.
        resource: as sent.
        writer: what sent it, and undoes it.
        id: the logical id, once known.
        before: what an update replaced; None of a create.
        over: set when its answer came, or will not come.
    """

    number: int
    type: str
    resource: Resource
    writer: Writer
    id: str | None = None
    before: Resource | None = None
    gone: bool = False
    over: anyio.Event = field(default_factory=anyio.Event, repr=False, compare=False)

    @property
    def place(self) -> str:
        """`Type/id`, or the type with what is known of it."""
        return f"{self.type}/{self.id}" if self.id else f"{self.type} (its id is unknown)"


@dataclass(slots=True)
class Journal:
    """An append-only file of JSON lines, on disk before the caller goes on.

    Args:
        path: the file; None keeps nothing, as in a replay.
    """

    path: Path | None

    def write(self, **line: object) -> None:
        """Append one line and wait until it is on the disk."""
        if self.path is None:
            return
        text = json.dumps(line, ensure_ascii=False, default=str)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")
            file.flush()
            os.fsync(file.fileno())


@dataclass(slots=True)
class Scratch:
    """Creates, updates and deletes where the EHR file permits it, and undoes it.

    Args:
        ehr: says whether writing is permitted.
        journal: where writes are noted before they are sent.
    """

    ehr: EhrFile
    journal: Journal
    written: list[Written] = field(default_factory=list)

    async def create(self, writer: Writer, resource: Resource) -> Exchange:
        """Create a resource; it is deleted at the end of the run.

        Raises:
            NotPermitted: the EHR file has no `write` among its permits.
        """
        entry = self._begin("POST", writer, resource)
        with _whole(entry):
            exchange = await writer.create(resource)
            entry.id = created_id(exchange, entry.type)
            if exchange.status >= 400 and entry.id is None:  # noqa: PLR2004
                entry.gone = True
            self._done(entry, exchange)
        return exchange

    async def update(
        self, writer: Writer, resource: Resource, *, if_match: str | None = None
    ) -> Exchange:
        """Update a resource; what it was before is put back at the end of the run.

        Args:
            writer: what sends it.
            resource: with its id.
            if_match: the version id that the update is based on.

        Raises:
            NotPermitted: as `create`.
        """
        entry = self._begin("PUT", writer, resource)
        entry.id = str(resource.get("id"))
        ours = any(
            each.type == entry.type and each.id == entry.id for each in self._standing(entry)
        )
        with _whole(entry):
            if not ours:
                entry.before = await _current(writer, entry.type, entry.id)
            exchange = await writer.update(resource, if_match=if_match)
            entry.gone = ours or exchange.status >= 400  # noqa: PLR2004
            self._done(entry, exchange)
        return exchange

    async def delete(self, writer: Writer, resource_type: str, resource_id: str) -> Exchange:
        """Delete a resource that this run created.

        Raises:
            NotPermitted: as `create`; or the resource is not this run's own.
        """
        self._permitted()
        own = [
            each
            for each in self.written
            if each.type == resource_type and each.id == resource_id and each.before is None
        ]
        if not own:
            raise NotPermitted(f"{resource_type}/{resource_id} was not created by this run")
        self.journal.write(
            event="sent", number=own[0].number, method="DELETE", type=resource_type, id=resource_id
        )
        exchange = await writer.delete(resource_type, resource_id)
        for each in own:
            each.gone = exchange.status in _GONE
        self.journal.write(event="done", number=own[0].number, status=exchange.status)
        return exchange

    async def undo(self) -> list[str]:
        """Undo everything in reverse order, whatever fails on the way.

        Returns:
            One line per resource that was left behind.
        """
        left = []
        for entry in list(self.written):
            await entry.over.wait()
        for entry in reversed(self.written):
            if entry.gone:
                continue
            reason = await _undo(entry)
            entry.gone = reason is None
            event = "undone" if reason is None else "left"
            self.journal.write(event=event, number=entry.number, place=entry.place, reason=reason)
            if reason is not None:
                left.append(f"{entry.place}: {reason}")
        return left

    def _permitted(self) -> None:
        if not self.ehr.permits(Permit.WRITE):
            raise NotPermitted("permit has no write")

    def _begin(self, method: str, writer: Writer, resource: Resource) -> Written:
        self._permitted()
        entry = Written(len(self.written) + 1, str(resource["resourceType"]), resource, writer)
        self.written.append(entry)
        self.journal.write(
            event="sent",
            number=entry.number,
            method=method,
            type=entry.type,
            id=resource.get("id"),
            identifier=identifiers(resource),
        )
        return entry

    def _done(self, entry: Written, exchange: Exchange) -> None:
        self.journal.write(
            event="done",
            number=entry.number,
            status=exchange.status,
            id=entry.id,
            url=f"{entry.type}/{entry.id}" if entry.id else None,
        )

    def _standing(self, but: Written) -> list[Written]:
        return [each for each in self.written if each is not but and not each.gone]


@contextmanager
def _whole(entry: Written) -> Iterator[None]:
    """Let a write that was begun end, even in a run that is cut off: without its id no undo."""
    try:
        with anyio.CancelScope(shield=True):
            yield
    finally:
        entry.over.set()


def identifiers(resource: Mapping[str, Any]) -> list[dict[str, str]]:
    """System and value of each business identifier, by which a lost create can be found again."""
    found = resource.get("identifier") or []
    return [
        {key: str(each[key]) for key in ("system", "value") if key in each}
        for each in (found if isinstance(found, list) else [found])
    ]


def created_id(exchange: Exchange, resource_type: str) -> str | None:
    """The logical id of a created resource: from Location, else from the body."""
    for name in ("Location", "Content-Location"):
        parts = urlsplit(exchange.headers.get(name) or "").path.split("/")
        if resource_type in parts:
            position = len(parts) - 1 - parts[::-1].index(resource_type)
            if position + 1 < len(parts) and parts[position + 1]:
                return parts[position + 1]
    try:
        body = exchange.json_object()
    except HarnessError:
        return None
    found = body.get("id") if body.get("resourceType") == resource_type else None
    return found if isinstance(found, str) else None


async def _current(writer: Writer, resource_type: str, resource_id: str) -> Resource | None:
    exchange = await writer.read(resource_type, resource_id)
    return exchange.json_object() if exchange.status == 200 else None  # noqa: PLR2004


async def _undo(entry: Written) -> str | None:
    """Undo one write; None when it worked, else why not."""
    if entry.id is None:
        return "the server did not say where it put it"
    try:
        if entry.before is not None:
            exchange = await entry.writer.update(entry.before)
            return None if exchange.status < 300 else f"restoring it: {exchange.status}"  # noqa: PLR2004
        exchange = await entry.writer.delete(entry.type, entry.id)
        if exchange.status in _GONE:
            return None
        wrong = entry.resource | {"id": entry.id, "status": "entered-in-error"}
        second = await entry.writer.update(wrong)
    except HarnessError as error:
        return str(error)
    if second.status < 300:  # noqa: PLR2004
        return None
    return f"DELETE: {exchange.status}, entered-in-error: {second.status}"
