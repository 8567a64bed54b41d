"""The Subscriptions of one instance, and what they are told.

A write is told after its commit and off its request's path: what meets the criteria goes into the
queue of the Subscription, from which one task delivers in order. Subscriptions live in memory and
end with the process, as tokens do.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from harness.reference.data.instants import instant
from harness.reference.fhir.outcome import refused
from harness.reference.fhir.reach import Reach
from harness.reference.fhir.stored import Stored
from harness.reference.push import faulty
from harness.reference.push.delivery import notification, undelivered
from harness.reference.push.wanted import Wanted

if TYPE_CHECKING:
    from harness.reference.fhir.context import Served

Json = dict[str, Any]

MOST: Final = 100
"""Subscriptions of one instance; of those that were deleted as many are remembered."""
MOST_WAITING: Final = 1000
"""Notifications of one Subscription that may wait; with more it fails."""


@dataclass(eq=False, slots=True)
class Subscription:
    """One Subscription; it is its client's alone, for its headers are secrets.

    Args:
        id: of the resource.
        client_id: of the client that created it.
        wanted: what it asks for.
        reach: what its client may see of that.
        version: its present state.
        waiting: what it has not been told of yet.
        work: tells it.
    """

    id: str
    client_id: str
    wanted: Wanted
    reach: Reach
    version: Stored
    waiting: asyncio.Queue[Stored] = field(default_factory=lambda: asyncio.Queue(MOST_WAITING))
    work: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def status(self) -> str:
        """requested, active, error or off."""
        return str(self.version.resource["status"])

    def becomes(self, content: Json, now: datetime, *, deleted: bool = False) -> None:
        """Makes the next version."""
        self.version = _version(self.id, int(self.version.version_id) + 1, content, now, deleted)

    def turns(self, status: str, now: datetime, error: str | None = None) -> None:
        """Makes the next version, with another status."""
        content = {name: each for name, each in self.version.resource.items() if name != "error"}
        self.becomes(content | {"status": status} | ({"error": error} if error else {}), now)


class Subscriptions:
    """Keeps them, and tells them of writes.

    Args:
        origins: may be notified, beside loopback.
    """

    def __init__(self, origins: Collection[str] = ()) -> None:
        self.origins = frozenset(origins)
        self._known: dict[str, Subscription] = {}
        self._gone: dict[str, Subscription] = {}
        self._soon: set[asyncio.Task[None]] = set()

    def add(
        self, instance: Served, client_id: str, content: Json, wanted: Wanted, reach: Reach
    ) -> Subscription:
        """Keeps a new one; it becomes active in a moment.

        Raises:
            Refused: 422; there are too many.
        """
        if len(self._known) >= MOST:
            raise refused(422, "too-costly", f"there are {MOST} Subscriptions already")
        identity = str(uuid.uuid4())
        version = _version(identity, 1, content, instance.clock.now())
        made = Subscription(identity, client_id, wanted, reach, version)
        self._known[identity] = made
        made.work = asyncio.create_task(self._tell(instance, made))
        return made

    def find(self, identity: str, client_id: str) -> Subscription | None:
        """The one of an id; None if there is none, or it is another client's."""
        found = self._known.get(identity) or self._gone.get(identity)
        return found if found and found.client_id == client_id else None

    def drop(self, instance: Served, one: Subscription) -> None:
        """Deletes one; that it was there is remembered for a while."""
        one.becomes(one.version.resource, instance.clock.now(), deleted=True)
        if not _hears(instance, one):
            self._gone[one.id] = self._known.pop(one.id)
            self._stop(one)
        if len(self._gone) > MOST:
            del self._gone[next(iter(self._gone))]

    def activate(self, instance: Served, one: Subscription) -> None:
        """Lets a requested one become active, after the answer to the request."""
        if one.status == "requested" and faulty.activates(instance.has):
            task = asyncio.create_task(self._activate(instance, one))
            self._soon.add(task)
            task.add_done_callback(self._soon.discard)

    def committed(self, instance: Served, stored: Stored) -> None:
        """Takes note of a version that is there to stay."""
        now = instance.clock.now()
        for one in [*self._known.values()] if self._known else ():
            self._expire(one, now)
            same = stored.resource_type == one.wanted.query.resource_type and not stored.deleted
            if not same or not _hears(instance, one):
                continue
            met = faulty.meets(instance.has, one.wanted.meets(stored, now))
            if met and one.reach.covers(stored, now):
                self._queue(one, stored, now)

    def close(self) -> None:
        """Ends all work."""
        for task in self._soon:
            task.cancel()
        for one in self._known.values():
            self._stop(one)
        self._known.clear()

    def _stop(self, one: Subscription) -> None:
        if one.work:
            one.work.cancel()

    async def _activate(self, instance: Served, one: Subscription) -> None:
        await asyncio.sleep(0)
        if one.status == "requested" and not one.version.deleted:
            one.turns("active", instance.clock.now())

    def _expire(self, one: Subscription, now: datetime) -> None:
        end = one.version.resource.get("end")
        if end and one.status == "active" and datetime.fromisoformat(end) <= now:
            one.turns("off", now)

    def _queue(self, one: Subscription, stored: Stored, now: datetime) -> None:
        try:
            one.waiting.put_nowait(stored)
        except asyncio.QueueFull:
            one.turns("error", now, f"more than {MOST_WAITING} notifications wait")

    async def _tell(self, instance: Served, one: Subscription) -> None:
        """Delivers, one after the other, until the instance ends."""
        while True:
            stored = await one.waiting.get()
            what = notification(one.wanted, stored)
            if not _hears(instance, one):
                continue
            altered = faulty.sent(instance.has, one.wanted, stored, what)
            if altered is None:
                continue
            reason = await undelivered(altered, faulty.waits(instance.has))
            if reason and one.status == "active" and faulty.says(instance.has):
                one.turns("error", instance.clock.now(), f"a notification was not taken: {reason}")


def _hears(instance: Served, one: Subscription) -> bool:
    """Whether it is told of what meets its criteria."""
    return faulty.told(
        instance.has,
        active=one.status == "active",
        off=one.status == "off",
        deleted=one.version.deleted,
    )


def _version(
    identity: str,
    number: int,
    content: Json,
    now: datetime,
    deleted: bool = False,  # noqa: FBT001, FBT002 - as `Stored` has it
) -> Stored:
    meta = {**content.get("meta", {}), "versionId": str(number), "lastUpdated": instant(now)}
    rest = {k: v for k, v in content.items() if k not in {"resourceType", "id", "meta"}}
    made = {"resourceType": "Subscription", "id": identity, "meta": meta, **rest}
    return Stored("Subscription", identity, str(number), now, made, None, deleted)
