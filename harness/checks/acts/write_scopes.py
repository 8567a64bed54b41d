"""Acts of writing with a token that must not: read-only, of another patient, of another category.

https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from harness.checks.acting import Run, act
from harness.checks.acts.access import (
    SEARCHES,
    Access,
    fhir_client,
    launch_narrowed,
)
from harness.checks.acts.lone_permissions import lone_permission
from harness.checks.acts.observing import (
    Resource,
    Written,
    compared,
    current_version,
    having,
    identifier_of,
    new,
    of_kind,
    resource_of,
)
from harness.checks.acts.search import CATEGORY
from harness.checks.acts.updates import edited
from harness.checks.acts.write import read, recent, stored
from harness.checks.launching import Launch
from harness.errors import NotApplicable, NotSupported, PrerequisiteFailed
from harness.http.exchange import Exchange
from harness.smart.discovery import Discovery
from harness.smart.scopes import Scope


@dataclass(frozen=True, slots=True)
class Forbidden:
    """A write that a token must not do, and whether it was done all the same."""

    exchange: Exchange
    done: bool


@act(after=SEARCHES)
async def limited_changes(
    run: Run, writable: Access, read_only_launch: Launch, created: Exchange
) -> dict[str, Forbidden]:
    """An Observation of this run, changed and deleted with a token that may only read."""
    return await _changed(run, writable, read_only_launch)


@act(after=SEARCHES)
async def lone_create(
    run: Run, discovery: Discovery, launch: Launch, writable: Access, created: Exchange
) -> dict[str, Forbidden]:
    """An Observation of this run, changed and deleted with a token that may only create."""
    return await _changed(run, writable, await lone_permission(run, discovery, launch, "c"))


async def _changed(run: Run, writable: Access, other: Launch) -> dict[str, Forbidden]:
    """An Observation of this run, changed and deleted with the token of another launch."""
    done = await stored(run, writable, new(run, writable.patient, "heart-rate"))
    before = done.require_read()
    if before.status != 200 or done.id is None:
        raise PrerequisiteFailed("the Observation could not be read")
    reader = fhir_client(run, other.token.access_token)
    changed, id_ = edited(before, 99), done.id
    update = await run.scratch.updated(
        writable.client,
        changed,
        partial(reader.update, changed, if_match=current_version(before)),
        identity=id_,
    )
    updated = await read(run, writable, id_)
    changed_all_the_same = bool(compared(resource_of(before), updated).differences)
    delete = await reader.delete("Observation", id_)
    left = await read(run, writable, id_)
    return {
        "update": Forbidden(update, changed_all_the_same),
        "delete": Forbidden(delete, left.status != 200),
    }


@act(after=SEARCHES)
async def other_patient_create(
    run: Run, writable: Access, other_patient: str, created: Exchange
) -> Forbidden:
    """An Observation about another patient, with a token that is bound to one."""
    sent = new(run, other_patient, "heart-rate")
    exchange = await run.scratch.create(writable.client, sent)
    return Forbidden(exchange, exchange.status < 300)


@act
async def vital_signs_launch(run: Run, discovery: Discovery, launch: Launch) -> Launch:
    """A launch that may write vital signs and nothing else."""
    plan = launch.authorization.plan
    writing = [scope for scope in launch.granted.resources if scope.type == "Observation"]
    writing = [scope for scope in writing if "c" in scope.permissions and not scope.conditions]
    if not writing:
        raise NotApplicable("the launch has no scope to write any Observation")
    context = [each for each in plan.spec.scopes if each.startswith("launch")]
    narrow = f"{writing[0].level}/Observation.crs?category={CATEGORY}|vital-signs"
    what = replace(plan, spec=replace(plan.spec, scopes=(*context, narrow)))
    narrowed = await launch_narrowed(run, discovery, what)
    said = narrowed.token.scope
    wide = Scope.parse(f"{writing[0].level}/Observation.c")
    if (
        said is None
        or said.covers(wide)
        or not said.allows(str(writing[0].level), "Observation", "c", partly=True)
    ):
        raise NotSupported("the server grants no scope that is narrowed to a category")
    return narrowed


@act(after=SEARCHES)
async def granular_writes(
    run: Run,
    writable: Access,
    vital_signs_launch: Launch,
    created: Exchange,
    written: dict[str, Written],
) -> dict[str, Forbidden]:
    """A vital sign and a laboratory result, with a token for vital signs."""
    of_kind(written, "heart-rate").require_taken()
    client = fhir_client(run, vital_signs_launch.token.access_token)
    done = {}
    for name, kind in (("vital-sign", "heart-rate"), ("laboratory", "glucose")):
        sent: Resource = new(run, writable.patient, kind)
        send = partial(client.create, sent)
        exchange = await run.scratch.created(writable.client, sent, send)
        found = having((await recent(writable, sent)).matches, identifier_of(sent))
        for each in found:
            run.scratch.adopt(writable.client, dict(each))
        done[name] = Forbidden(exchange, exchange.status < 300 or bool(found))
    return done
