"""Writes that are journalled before they are sent, and undone in reverse order at the end.

A journal is JSON lines. Each write is one `sent` line before the request and one `done` line after
it; undoing adds `undone` or `left`. A line holds method, type, identifiers and URL, never a body,
so that a run that was killed can be cleaned up from its journal alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import anyio
from anyio.lowlevel import checkpoint_if_cancelled

from harness.checks.undoing import GONE, Resource, Writer, Written, current, identifiers, undo
from harness.config.ehr import EhrFile, Permit
from harness.errors import HarnessError, NotPermitted
from harness.fhir.writes import answers, written_place
from harness.http.exchange import Exchange

Send = Callable[[], Awaitable[Exchange]]
"""Sends one write, once."""


@dataclass(slots=True)
class Journal:
    """An append-only file of JSON lines; those that announce a write are on disk before it is sent.

    Args:
        path: the file; None keeps nothing, as in a replay.
    """

    path: Path | None

    def write(self, **line: object) -> None:
        """Append one line; it outlives this process, not yet a loss of power."""
        if self.path is None:
            return
        text = json.dumps(line, ensure_ascii=False, default=str)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")

    async def secure(self) -> None:
        """Wait until every line is on the disk."""
        if self.path is not None:
            await anyio.to_thread.run_sync(_synchronised, self.path)


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
        return await self.created(writer, resource, partial(writer.create, resource))

    async def created(self, writer: Writer, resource: Resource, send: Send) -> Exchange:
        """Send anything that may create a resource; it is deleted at the end of the run.

        Args:
            writer: undoes it.
            resource: what may come into being, with its business identifiers.
            send: the request. Where it is answered with 200 the resource may have been there
                before, so it is deleted only if it carries the identifiers of `resource`.

        Raises:
            NotPermitted: as `create`.
        """
        await checkpoint_if_cancelled()
        entry = self._begin("POST", writer, resource)
        with _whole(entry):
            await self.journal.secure()
            exchange = await send()
            entry.id = created_id(exchange, entry.type)
            entry.doubtful = exchange.status == 200  # noqa: PLR2004
            if exchange.status >= 400 and entry.id is None:  # noqa: PLR2004
                entry.gone = True
            self._done(entry, exchange)
        return exchange

    async def bundle(
        self, writer: Writer, resources: Sequence[Resource], send: Send, *, skip: int = 0
    ) -> Exchange:
        """Send a batch or transaction that may create resources, one per entry and in its order.

        Args:
            writer: undoes it.
            resources: what may come into being.
            send: the request.
            skip: how many entries before them create nothing.

        Raises:
            NotPermitted: as `create`.
        """
        await checkpoint_if_cancelled()
        with ExitStack() as stack:
            entries = []
            for each in resources:
                entries.append(self._begin("POST", writer, each))
                stack.enter_context(_whole(entries[-1]))
            await self.journal.secure()
            exchange = await send()
            places = _places(exchange)[skip:]
            for number, entry in enumerate(entries):
                entry.id = places[number] if number < len(places) else None
                entry.gone = entry.id is None
                self._done(entry, exchange)
        return exchange

    def adopt(self, writer: Writer, resource: Resource) -> None:
        """Undo what a search has shown: this run's own resource, stored though it was refused."""
        if any(each.id == resource.get("id") and not each.gone for each in self.written):
            return
        entry = self._begin("POST", writer, resource)
        entry.id = str(resource.get("id"))
        entry.over.set()

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
        send = partial(writer.update, resource, if_match=if_match)
        return await self.updated(writer, resource, send)

    async def updated(
        self, writer: Writer, resource: Resource, send: Send, *, identity: str | None = None
    ) -> Exchange:
        """Send anything that may change a resource; what it was before is put back at the end.

        Args:
            writer: undoes it.
            resource: as it may become; its type counts.
            send: the request.
            identity: of what may change, where it is not the `id` of the resource.

        Raises:
            NotPermitted: as `create`.
        """
        await checkpoint_if_cancelled()
        entry = self._begin("PUT", writer, resource)
        entry.id = identity or str(resource.get("id"))
        ours = any(
            each.type == entry.type and each.id == entry.id for each in self._standing(entry)
        )
        with _whole(entry):
            if not ours:
                entry.before = await current(writer, entry.type, entry.id)
            await self.journal.secure()
            exchange = await send()
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
        await self.journal.secure()
        exchange = await writer.delete(resource_type, resource_id)
        for each in own:
            each.gone = exchange.status in GONE
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
            reason = await undo(entry)
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
        self.journal.write(
            event="sent",
            number=entry.number,
            method=method,
            type=entry.type,
            id=resource.get("id"),
            identifier=identifiers(resource),
        )
        # Last, for the undoing waits until everything that stands there is over.
        self.written.append(entry)
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


def _synchronised(path: Path) -> None:
    with path.open("a", encoding="utf-8") as file:
        os.fsync(file.fileno())


@contextmanager
def _whole(entry: Written) -> Iterator[None]:
    """Let a write that was begun end, even in a run that is cut off: without its id no undo.

    Whoever writes one after the other is told nowhere else that the run is cut off: it is asked
    before each.
    """
    try:
        with anyio.CancelScope(shield=True):
            yield
    finally:
        entry.over.set()


def created_id(exchange: Exchange, resource_type: str) -> str | None:
    """The logical id of a created resource: from Location, else from the body."""
    place = written_place(exchange, resource_type)
    return place.id if place else None


def _places(exchange: Exchange) -> list[str | None]:
    """The id that each entry of a batch answer names."""
    try:
        return [each.place.id if each.place else None for each in answers(exchange)]
    except HarnessError:
        return []
