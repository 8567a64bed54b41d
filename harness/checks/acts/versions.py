"""Acts of versions: what was, is told apart from what is; what was deleted is gone.

http://hl7.org/fhir/R4/http.html#vread, http://hl7.org/fhir/R4/http.html#history,
http://hl7.org/fhir/R4/http.html#delete
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.checks.acting import Run, act
from harness.checks.acts.access import SEARCHES, Access, allowed
from harness.checks.acts.observing import id_of, new
from harness.checks.acts.updates import Updated
from harness.checks.acts.write import read, recent, stored
from harness.checks.found import Found, object_, objects
from harness.errors import NotSupported, PrerequisiteFailed, ProtocolError
from harness.fhir.capability import Capability
from harness.fhir.writes import version_in, version_of
from harness.http.exchange import Exchange


@dataclass(frozen=True, slots=True)
class Version:
    """A version read by its own URL: which one was asked for, and how it was read at the time."""

    wanted: str
    then: Exchange
    read: Exchange


@dataclass(frozen=True, slots=True)
class History:
    """The history of one Observation, and the versions that a reader has seen, oldest first."""

    exchange: Exchange
    seen: tuple[str, ...]

    @property
    def entries(self) -> list[Mapping[str, object]]:
        """The entries of the Bundle; none where it is none."""
        try:
            return objects(self.exchange.json_object().get("entry"))
        except ProtocolError:
            return []

    @property
    def versions(self) -> list[str]:
        """The versions that the entries carry, in order; deletions carry none."""
        found = (version_in(object_(each.get("resource"))) for each in self.entries)
        return [each for each in found if each is not None]

    @property
    def methods(self) -> list[str]:
        """What the entries say was done, in order."""
        return [str(object_(each.get("request")).get("method")) for each in self.entries]


@dataclass(frozen=True, slots=True)
class Deleted:
    """An Observation that was deleted.

    Attributes:
        id: its id.
        version: the version that it had.
        delete: the answer.
        read: reading it afterwards.
        search: the search that has to find it no longer.
        again: deleting it a second time.
    """

    id: str
    version: str | None
    delete: Exchange
    read: Exchange
    search: Found
    again: Exchange


def declared(capability: Capability, interaction: str) -> None:
    """Go on where the server declares an interaction on Observation.

    Raises:
        NotSupported: it does not.
    """
    if interaction not in capability.interactions("Observation"):
        raise NotSupported(f"{interaction} is not declared for Observation")


@act
async def versions_read(
    run: Run,
    writable: Access,
    capability: Capability,
    updated: Updated,
    corrections: Mapping[str, Updated],
) -> Mapping[str, Version]:
    """The first version of the heart rate and its newest one, each by its own URL."""
    declared(capability, "vread")
    newest = list(corrections.values())[-1].read
    wanted = {"first": updated.before, "newest": newest}
    found = {}
    for name, then in wanted.items():
        version, id_ = version_of(then), id_of(then)
        if version is None:
            raise PrerequisiteFailed("the server names no version")
        exchange = await writable.client.vread("Observation", id_, version)
        found[name] = Version(version, then, exchange)
    if found["first"].wanted == found["newest"].wanted:
        raise PrerequisiteFailed("the updates made no new version")
    return found


@act
async def unknown_version(
    run: Run, writable: Access, capability: Capability, updated: Updated
) -> Exchange:
    """A version that there never was."""
    declared(capability, "vread")
    return await writable.client.vread("Observation", id_of(updated.read), "99999")


@act
async def history(
    run: Run,
    writable: Access,
    capability: Capability,
    corrections: Mapping[str, Updated],
) -> History:
    """All versions of the heart rate, after it was corrected."""
    declared(capability, "history-instance")
    reads = [corrections["amended"].before, *(each.read for each in corrections.values())]
    seen = dict.fromkeys(version for each in reads if (version := version_of(each)))
    id_ = id_of(reads[0])
    return History(await writable.client.history("Observation", id_), tuple(seen))


@act(after=SEARCHES)
async def deleted(run: Run, writable: Access, capability: Capability, created: Exchange) -> Deleted:
    """A new Observation, deleted and deleted again."""
    declared(capability, "delete")
    done = await stored(run, writable, new(run, writable.patient, "body-weight"))
    done.require_taken()
    if done.id is None or not done.stored:
        raise PrerequisiteFailed("the Observation was not created")
    delete = await run.scratch.delete(writable.client, "Observation", done.id)
    if delete.status in (405, 501):
        raise NotSupported(f"the server deletes no Observations: status {delete.status}")
    return Deleted(
        done.id,
        version_of(done.require_read()),
        delete,
        await read(run, writable, done.id),
        await recent(writable, done.sent),
        await run.scratch.delete(writable.client, "Observation", done.id),
    )


@act
async def deleted_version(
    run: Run, writable: Access, capability: Capability, deleted: Deleted
) -> Exchange:
    """The version that a deleted Observation had, by its own URL."""
    declared(capability, "vread")
    if deleted.version is None:
        raise PrerequisiteFailed("the server names no version")
    return await writable.client.vread("Observation", deleted.id, deleted.version)


@act
async def deleted_history(
    run: Run, writable: Access, capability: Capability, deleted: Deleted
) -> History:
    """The history of a deleted Observation."""
    declared(capability, "history-instance")
    if deleted.delete.status >= 300:
        raise PrerequisiteFailed("it was not deleted")
    exchange = await writable.client.history("Observation", deleted.id)
    allowed(exchange, "the history of what is deleted")
    return History(exchange, tuple(each for each in (deleted.version,) if each))
