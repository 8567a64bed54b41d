"""One write, and how it is undone: deleted, put back, or marked as entered in error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import anyio

from harness.errors import HarnessError
from harness.http.exchange import Exchange

Resource = dict[str, Any]

WRONG = {"Subscription": "off"}
"""The status of what cannot be deleted, by type; of all others `entered-in-error`."""

GONE = frozenset({200, 202, 204, 404, 410})
"""Statuses of a delete after which nothing is there."""


class Writer(Protocol):
    """What writes resources: `harness.fhir.client.FhirClient`, which can do more."""

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
        doubtful: it may be somebody else's, so that it is undone only where it has our identifiers.
        over: set when its answer came, or will not come.
    """

    number: int
    type: str
    resource: Resource
    writer: Writer
    id: str | None = None
    before: Resource | None = None
    gone: bool = False
    doubtful: bool = False
    over: anyio.Event = field(default_factory=anyio.Event, repr=False, compare=False)

    @property
    def place(self) -> str:
        """`Type/id`, or the type with what is known of it."""
        return f"{self.type}/{self.id}" if self.id else f"{self.type} (its id is unknown)"


def identifiers(resource: Mapping[str, Any]) -> list[dict[str, str]]:
    """System and value of each business identifier, by which a lost create can be found again."""
    found = resource.get("identifier")
    return [
        {key: str(each[key]) for key in ("system", "value") if key in each}
        for each in (found if isinstance(found, list) else [found])
        if isinstance(each, Mapping)
    ]


async def _is_own(entry: Written) -> bool:
    """Whether what is there carries an identifier that this run gave it."""
    found = await current(entry.writer, entry.type, str(entry.id))
    given = {tuple(sorted(each.items())) for each in identifiers(entry.resource)}
    return found is not None and any(
        tuple(sorted(each.items())) in given for each in identifiers(found)
    )


async def current(writer: Writer, resource_type: str, resource_id: str) -> Resource | None:
    """What is stored now; None where nothing is."""
    exchange = await writer.read(resource_type, resource_id)
    return exchange.json_object() if exchange.status == 200 else None  # noqa: PLR2004


async def undo(entry: Written) -> str | None:
    """Undo one write; None when it worked, else why not."""
    if entry.id is None:
        return "the server did not say where it put it"
    try:
        if entry.doubtful and not await _is_own(entry):
            return None
        if entry.before is not None:
            restored = await entry.writer.update(entry.before)
            return None if restored.status < 300 else f"restoring it: {restored.status}"  # noqa: PLR2004
        return await _deleted(entry, entry.id)
    except HarnessError as error:
        return str(error)


async def _deleted(entry: Written, identity: str) -> str | None:
    """Delete it, or mark it as wrong, or as over, where the server deletes nothing."""
    exchange = await entry.writer.delete(entry.type, identity)
    if exchange.status in GONE:
        return None
    status = WRONG.get(entry.type, "entered-in-error")
    second = await entry.writer.update(entry.resource | {"id": identity, "status": status})
    if second.status < 300:  # noqa: PLR2004
        return None
    return f"DELETE: {exchange.status}, {status}: {second.status}"
