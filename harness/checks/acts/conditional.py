"""Acts of writing on a condition: create unless it is there, update what a search finds, patch.

http://hl7.org/fhir/R4/http.html#ccreate, http://hl7.org/fhir/R4/http.html#cond-update,
http://hl7.org/fhir/R4/http.html#patch
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from harness.checks.acting import Run, act
from harness.checks.acts.access import IDENTIFIERS, SEARCHES, Access, allowed
from harness.checks.acts.observing import (
    Resource,
    Written,
    current_version,
    having,
    identifier_of,
    new,
    observation_of,
    of_kind,
    place_of,
)
from harness.checks.acts.updates import Updated
from harness.checks.acts.versions import declared
from harness.checks.acts.write import read, recent, stored
from harness.checks.scratch import Send
from harness.errors import NotSupported, PrerequisiteFailed
from harness.fhir.capability import Capability
from harness.fhir.client import JSON_PATCH
from harness.fhir.search import Search
from harness.fhir.writes import Place
from harness.http.exchange import Exchange

UNSUPPORTED_MEDIA_TYPE = 415
KIND = "body-weight"
"""What is written; nothing is judged by it where the server does not take it at all."""


class Case(StrEnum):
    """How many resources match a condition."""

    NONE = "none"
    ONE = "one"
    MANY = "many"


@dataclass(frozen=True, slots=True)
class Conditional:
    """One conditional write, and how many resources carry its identifier afterwards."""

    exchange: Exchange
    there: int
    id: str | None = None
    expected_id: str | None = None


def _criterion(resource: Resource) -> str:
    return f"{IDENTIFIERS}|{identifier_of(resource)}"


async def _there(run: Run, access: Access, resource: Resource, place: Place | None) -> int:
    """How many carry the identifier: found, or else read, as an index may lag behind."""
    found = having((await recent(access, resource)).matches, identifier_of(resource))
    ids = {str(each.get("id")) for each in found}
    if place is not None and place.id not in ids:
        ids |= {place.id} if (await read(run, access, place.id)).status == 200 else set()
    return len(ids)


async def _in_turn(
    run: Run, access: Access, sent: Resource, attempt: Callable[[Case], tuple[Resource, Send]]
) -> Mapping[str, Conditional]:
    """One attempt after the other, with so many resources there that carry the identifier.

    Raises:
        NotSupported: this token may not.
    """
    done: dict[str, Conditional] = {}
    first: str | None = None
    for case in Case:
        if case is Case.MANY:
            await run.scratch.create(access.client, sent)
        resource, send = attempt(case)
        exchange = await run.scratch.created(access.client, resource, send)
        if case is Case.NONE:
            allowed(exchange, "a write on a condition")
        place = place_of(exchange)
        there = await _there(run, access, sent, place)
        first = first or (place.id if place else None)
        done[case] = Conditional(exchange, there, place.id if place else None, first)
    return done


@act(after=SEARCHES)
async def conditional_creates(
    run: Run,
    writable: Access,
    capability: Capability,
    created: Exchange,
    written: Mapping[str, Written],
) -> Mapping[str, Conditional]:
    """A create with If-None-Exist where nothing, one thing and two things match."""
    if not capability.flag("Observation", "conditionalCreate"):
        raise NotSupported("conditionalCreate is not declared for Observation")
    of_kind(written, KIND).require_taken()
    client, sent = writable.client, new(run, writable.patient, KIND)
    send = partial(client.create, sent, if_none_exist=f"identifier={_criterion(sent)}")
    return await _in_turn(run, writable, sent, lambda _: (sent, send))


@act(after=SEARCHES)
async def conditional_updates(
    run: Run,
    writable: Access,
    capability: Capability,
    created: Exchange,
    written: Mapping[str, Written],
) -> Mapping[str, Conditional]:
    """An update by search where nothing, one thing and two things match."""
    if not capability.flag("Observation", "conditionalUpdate"):
        raise NotSupported("conditionalUpdate is not declared for Observation")
    of_kind(written, KIND).require_taken()
    client, sent = writable.client, new(run, writable.patient, KIND)
    search = Search("Observation", (("identifier", _criterion(sent)),))

    def attempt(case: Case) -> tuple[Resource, Send]:
        changed = sent if case is Case.NONE else copy.deepcopy(sent) | {"status": "amended"}
        return changed, partial(client.update_where, changed, search)

    return await _in_turn(run, writable, sent, attempt)


@act(after=SEARCHES)
async def patches(
    run: Run,
    writable: Access,
    capability: Capability,
    created: Exchange,
    written: Mapping[str, Written],
) -> Mapping[str, Updated]:
    """A JSON Patch that can be applied, one whose test does not hold, one of an older version."""
    declared(capability, "patch")
    said = capability.patch_formats
    if said and not {JSON_PATCH, "json"} & set(said):
        raise NotSupported(f"patchFormat lists no {JSON_PATCH}")
    of_kind(written, KIND).require_taken()
    done = await stored(run, writable, new(run, writable.patient, KIND))
    if done.id is None or not done.stored:
        raise PrerequisiteFailed("the Observation was not created")
    replace_status: dict[str, object] = {"op": "replace", "path": "/status", "value": "amended"}
    replace_value: dict[str, object] = {
        "op": "replace",
        "path": "/valueQuantity/value",
        "value": 99,
    }
    failing: list[dict[str, object]] = [
        replace_value,
        {"op": "test", "path": "/status", "value": "cancelled"},
    ]
    found = {}
    first = current_version(done.require_read())
    tried = ("applied", [replace_status]), ("failing", failing), ("stale", [replace_value])
    for name, operations in tried:
        before = await read(run, writable, done.id)
        expected = observation_of(before) | ({"status": "amended"} if name == "applied" else {})
        version = first if name == "stale" else current_version(before)
        send = partial(writable.client.patch, "Observation", done.id, operations, if_match=version)
        answer = await run.scratch.updated(writable.client, expected, send, identity=done.id)
        if answer.status == UNSUPPORTED_MEDIA_TYPE and not said:
            raise NotSupported("the server takes no JSON Patch, and declares no patchFormat")
        found[name] = Updated(before, expected, answer, await read(run, writable, done.id))
    return found
