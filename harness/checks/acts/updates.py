"""Acts of change: corrections, updates that know too little or too much, two clients at once.

http://hl7.org/fhir/R4/http.html#update, http://hl7.org/fhir/R4/http.html#concurrency
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import anyio

from harness.checks.acting import Run, act
from harness.checks.acts.access import SEARCHES, Access
from harness.checks.acts.observing import (
    Resource,
    Written,
    compared,
    current_version,
    id_of,
    meta_of,
    new,
    observation_of,
    resource_of,
)
from harness.checks.acts.write import by_code_of, first_accepted, read, stored
from harness.checks.found import Found
from harness.errors import NotApplicable, NotSupported, PrerequisiteFailed
from harness.fhir.capability import Capability
from harness.fhir.writes import tag_version, version_of
from harness.http.exchange import Exchange

CORRECTIONS = ("amended", "corrected", "entered-in-error")
UNMATCHED = "never-issued-0000"


@dataclass(frozen=True, slots=True)
class Updated:
    """An Observation before and after an update."""

    before: Exchange
    sent: Resource
    update: Exchange
    read: Exchange

    @property
    def accepted(self) -> bool:
        """Whether the update was answered with success."""
        return self.update.status < 300

    def unchanged_meta(self) -> list[str]:
        """Which of versionId and lastUpdated stayed as they were, though they had to change.

        Versions need not be kept, and two writes may be of the same second where an instant is
        precise to no more than that.
        """
        old, new_ = meta_of(self.before), meta_of(self.read)
        fine = "." in str(old.get("lastUpdated"))
        telling = ("versionId", "lastUpdated") if fine else ("versionId",)
        return [name for name in telling if name in old and old[name] == new_.get(name)]

    def changes(self) -> list[str]:
        """What is different in what was read back."""
        return [str(each) for each in compared(self.sent, self.read).differences]

    @property
    def done(self) -> bool:
        """Whether the value that was sent is the one that is stored."""
        return self.read.status == 200 and value_of(resource_of(self.read)) == value_of(self.sent)

    @property
    def untouched(self) -> bool:
        """Whether what is stored is what was stored before."""
        if self.read.status != 200:
            return False
        return not compared(resource_of(self.before), self.read).differences


@dataclass(frozen=True, slots=True)
class Raced:
    """Two updates at once, both based on the same version, and what was read afterwards."""

    sent: tuple[Resource, Resource]
    updates: tuple[Exchange, Exchange]
    read: Exchange

    @property
    def winners(self) -> tuple[int, ...]:
        """Which of the two were accepted."""
        return tuple(number for number, each in enumerate(self.updates) if each.status < 300)

    @property
    def lost(self) -> bool:
        """Whether the value of an accepted update is not the one that was read."""
        read = value_of(resource_of(self.read))
        return any(value_of(self.sent[each]) != read for each in self.winners)

    @property
    def outcome(self) -> str:
        """How both were answered, and what became of them."""
        statuses = " and ".join(str(each.status) for each in self.updates)
        return f"status {statuses}" + (", and an accepted update is lost" if self.lost else "")


def correction(corrections: Mapping[str, Updated], status: str) -> Updated:
    """The update that set a status.

    Raises:
        PrerequisiteFailed: it could not be tried.
    """
    if status not in corrections:
        raise PrerequisiteFailed("the Observation could not be corrected")
    return corrections[status]


async def change(
    run: Run,
    writable: Access,
    before: Exchange,
    changed: Resource,
    *,
    if_match: str | None,
) -> Updated:
    """Update an Observation, and read it back."""
    client, id_ = writable.client, id_of(before)
    update = await run.scratch.updated(
        client, changed, partial(client.update, changed, if_match=if_match), identity=id_
    )
    return Updated(before, changed, update, await read(run, writable, id_))


def edited(before: Exchange, value: float, status: str | None = None) -> Resource:
    """What was read, with another value, and another status if one is named."""
    resource = copy.deepcopy(observation_of(before))
    if isinstance(quantity := resource.get("valueQuantity"), dict):
        quantity["value"] = value
    return resource | ({"status": status} if status else {})


def value_of(resource: Resource) -> object:
    """The number of a single measurement."""
    quantity = resource.get("valueQuantity")
    return quantity.get("value") if isinstance(quantity, dict) else None


@act(after=("indexed", "new_by_category"))
async def updated(
    run: Run, writable: Access, capability: Capability, written: dict[str, Written]
) -> Updated:
    """The heart rate, amended: what was read, with another value."""
    if "update" not in capability.interactions("Observation"):
        raise NotSupported("update is not declared for Observation")
    first = first_accepted(written, "heart-rate")
    before = first.require_read()
    if before.status != 200 or first.id is None:
        raise PrerequisiteFailed("the Observation could not be read")
    sent = edited(before, 71, "amended")
    done = await change(run, writable, before, sent, if_match=current_version(before))
    if done.update.status in (404, 405, 501):
        raise NotSupported(f"the server does not update Observations: {done.update.status}")
    return done


def older_version(updated: Updated, capability: Capability) -> str:
    """The version before the update, where the server has to know it from the current one.

    Raises:
        NotSupported: the server does not claim to keep versions.
        PrerequisiteFailed: the update made none.
    """
    if capability.versioning("Observation") in (None, "no-version"):
        raise NotSupported("versioning is not declared for Observation")
    if updated.update.status >= 300:
        raise PrerequisiteFailed("the first update was not accepted")
    older, newer = version_of(updated.before), version_of(updated.read)
    if older is None or older == newer:
        raise PrerequisiteFailed("the update made no new version")
    return older


@act
async def stale_update(
    run: Run, writable: Access, capability: Capability, updated: Updated
) -> Updated:
    """An update that knows only the version before the last one."""
    older = older_version(updated, capability)
    sent = edited(updated.read, 91)
    return await change(run, writable, updated.read, sent, if_match=older)


@act(after=("stale_update",))
async def stale_strong_update(
    run: Run, writable: Access, capability: Capability, updated: Updated
) -> Updated:
    """The same with a strong ETag, which some clients and gateways make of a weak one."""
    older = older_version(updated, capability)
    before = await read(run, writable, id_of(updated.read))
    sent = edited(before, 92)
    return await change(run, writable, before, sent, if_match=f'"{older}"')


@act(after=("stale_update", "stale_strong_update"))
async def strong_update(
    run: Run, writable: Access, capability: Capability, updated: Updated
) -> Updated:
    """An update with the current version as a strong ETag."""
    older_version(updated, capability)
    before = await read(run, writable, id_of(updated.read))
    version = tag_version(current_version(before)) or version_of(before)
    return await change(run, writable, before, edited(before, 73), if_match=f'"{version}"')


@act(after=("stale_update", "stale_strong_update", "strong_update"))
async def blind_update(run: Run, writable: Access, updated: Updated) -> Updated:
    """An update without If-Match."""
    before = await read(run, writable, id_of(updated.read))
    return await change(run, writable, before, edited(before, 74), if_match=None)


@act(after=("blind_update",))
async def mismatched_update(run: Run, writable: Access, updated: Updated) -> Updated:
    """An update whose resource names another id than the URL."""
    id_ = id_of(updated.read)
    before = await read(run, writable, id_)
    sent = edited(before, 93) | {"id": UNMATCHED}
    client, version = writable.client, current_version(before)
    update = await run.scratch.updated(
        client,
        sent,
        partial(client.update, sent, identity=id_, if_match=version),
        identity=id_,
    )
    return Updated(before, sent, update, await read(run, writable, id_))


@act(after=SEARCHES)
async def unknown_update(run: Run, writable: Access, updated: Updated) -> Exchange:
    """An update of an Observation that does not exist."""
    sent = new(run, writable.patient, "heart-rate")
    sent |= {"id": f"unknown-{sent['identifier'][0]['value']}"}
    client = writable.client
    return await run.scratch.updated(client, sent, partial(client.update, sent))


@act(after=SEARCHES)
async def stale_delete(
    run: Run, writable: Access, capability: Capability, updated: Updated
) -> Updated:
    """A delete of a new Observation that was changed since the version in If-Match."""
    older_version(updated, capability)
    if "delete" not in capability.interactions("Observation"):
        raise NotSupported("delete is not declared for Observation")
    done = await stored(run, writable, new(run, writable.patient, "heart-rate"))
    before = done.require_read()
    version, sent = current_version(before), edited(before, 77)
    changed = await change(run, writable, before, sent, if_match=version)
    if not changed.accepted:
        raise PrerequisiteFailed("the update was not accepted")
    client, id_ = writable.client, str(done.id)
    delete = await client.delete("Observation", id_, if_match=version)
    return Updated(changed.read, sent, delete, await read(run, writable, id_))


@act(after=("blind_update", "mismatched_update"))
async def corrections(run: Run, writable: Access, updated: Updated) -> Mapping[str, Updated]:
    """The heart rate again: corrected, and at last marked as entered in error."""
    id_ = id_of(updated.read)
    done = {"amended": updated}
    for number, status in enumerate(CORRECTIONS[1:]):
        before = await read(run, writable, id_)
        sent = edited(before, 80 + number, status)
        version = current_version(before)
        done[status] = await change(run, writable, before, sent, if_match=version)
    return done


@act
async def search_after_update(
    run: Run, writable: Access, corrections: Mapping[str, Updated], indexed: Written
) -> Found:
    """The search that found the heart rate, after it was changed."""
    if not indexed.visible:
        raise PrerequisiteFailed("the new Observation was not found before it was changed")
    if indexed.id != resource_of(corrections["amended"].read).get("id"):
        raise NotApplicable("another Observation was searched for than was changed")
    return await by_code_of(writable, indexed)


@act(after=SEARCHES)
async def raced(run: Run, writable: Access, capability: Capability, updated: Updated) -> Raced:
    """Two updates of a new Observation at once, both based on its first version."""
    older_version(updated, capability)
    done = await stored(run, writable, new(run, writable.patient, "heart-rate"))
    before = done.require_read()
    version = current_version(before)
    sent = edited(before, 75), edited(before, 76)
    answers: dict[int, Exchange] = {}

    async def put(number: int) -> None:
        client, resource = writable.client, sent[number]
        send = partial(client.update, resource, if_match=version)
        answers[number] = await run.scratch.updated(client, resource, send)

    async with anyio.create_task_group() as tasks:
        for number in range(2):
            tasks.start_soon(put, number)
    return Raced(sent, (answers[0], answers[1]), await read(run, writable, str(done.id)))
