"""Acts of writing: what a remote-monitoring application creates and updates, and reads back.

Everything goes through `run.scratch`, which journals it before it is sent and undoes it afterwards.
http://hl7.org/fhir/R4/http.html#create
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta, timezone
from typing import Any

from harness.checks.acting import Run, act
from harness.checks.acts.access import IDENTIFIERS, SEARCHES, Access, fhir_get, new_identifier
from harness.checks.acts.search import find
from harness.checks.found import Found
from harness.checks.scratch import created_id
from harness.config.ehr import Permit
from harness.errors import NotApplicable, NotPermitted, PrerequisiteFailed, ProtocolError
from harness.fhir import observations
from harness.fhir.fidelity import same
from harness.fhir.observations import Measured
from harness.http.exchange import Exchange

Resource = dict[str, Any]
OFFSET = timezone(timedelta(hours=-5))
"""A zone that is not UTC, so that a server which drops it is found out."""

BUILDERS: dict[str, Callable[[Measured], Resource]] = {
    "blood-pressure": lambda measured: observations.blood_pressure(measured, 128, 83),
    "glucose": lambda measured: observations.glucose(measured, 104),
    "body-weight": lambda measured: observations.body_weight(measured, 81.35),
    "heart-rate": lambda measured: observations.heart_rate(measured, 67),
}
KINDS = tuple(BUILDERS)


@dataclass(frozen=True, slots=True)
class Written:
    """One Observation: sent, answered, read back and searched for; None where that was not done."""

    sent: Resource
    create: Exchange
    id: str | None = None
    read: Exchange | None = None
    search: Found | None = None

    @property
    def stored(self) -> bool:
        """Whether it can be read."""
        return self.read is not None and self.read.status == 200

    @property
    def visible(self) -> bool:
        """Whether a search finds it."""
        return self.search is not None and self.id in self.search.ids

    def require_read(self) -> Exchange:
        """The exchange of reading it back.

        Raises:
            PrerequisiteFailed: it was not created, or the answer does not say where.
        """
        if self.read is None:
            raise PrerequisiteFailed("the Observation was not created, or nobody knows where")
        return self.read

    def changes(self) -> list[str]:
        """What is different in what was read back.

        Raises:
            PrerequisiteFailed: nothing was read back.
        """
        return differences(self.sent, self.require_read())

    def changes_of(self, element: str) -> list[str]:
        """What is different in one element of what was read back.

        Raises:
            PrerequisiteFailed: nothing was read back.
        """
        return [each for each in self.changes() if each.startswith(element)]


@dataclass(frozen=True, slots=True)
class Refused:
    """An invalid Observation: how it was answered, and whether it is there all the same."""

    create: Exchange
    found_stored: bool


@dataclass(frozen=True, slots=True)
class Updated:
    """An Observation before and after an update."""

    before: Exchange
    sent: Resource
    update: Exchange
    read: Exchange

    def unchanged_meta(self) -> list[str]:
        """Which of versionId and lastUpdated stayed as they were."""
        old, new = _meta(self.before), _meta(self.read)
        return [name for name in ("versionId", "lastUpdated") if old.get(name) == new.get(name)]

    def changes(self) -> list[str]:
        """What is different in what was read back."""
        return differences(self.sent, self.read)


def differences(sent: Resource, read: Exchange) -> list[str]:
    """What is different in what was read back, one line each."""
    if read.status != 200:
        raise PrerequisiteFailed(f"the Observation could not be read: status {read.status}")
    return [str(each) for each in same(sent, _object(read)).differences]


def _object(exchange: Exchange) -> Resource:
    try:
        return exchange.json_object()
    except ProtocolError as error:
        raise PrerequisiteFailed(str(error)) from None


def _meta(exchange: Exchange) -> Resource:
    meta = _object(exchange).get("meta")
    return meta if isinstance(meta, dict) else {}


def new(run: Run, access: Access, kind: str) -> Resource:
    """A new Observation of a kind, an hour ago in a zone that is not UTC."""
    if not run.permits(Permit.WRITE):
        raise NotPermitted("permit has no write")
    moment = (run.clock.now() - timedelta(hours=1)).astimezone(OFFSET).replace(microsecond=0)
    return BUILDERS[kind](Measured(access.patient, moment, (IDENTIFIERS, new_identifier(run))))


async def write(run: Run, access: Access, sent: Resource) -> Written:
    """Create, read back, search."""
    done = await stored(run, access, sent)
    return done if done.id is None else replace(done, search=await same_code(run, access, sent))


async def stored(run: Run, access: Access, sent: Resource) -> Written:
    """Create, read back."""
    exchange = await run.scratch.create(access.client, sent)
    id_ = created_id(exchange, "Observation") if exchange.status < 300 else None
    if id_ is None:
        return Written(sent, exchange)
    return Written(sent, exchange, id_, await fhir_get(run, f"Observation/{id_}", access.bearer))


async def same_code(run: Run, access: Access, sent: Resource) -> Found:
    """The patient's Observations of the same code."""
    coding = sent["code"]["coding"][0]
    token = f"{coding['system']}|{coding['code']}"
    return await find(access, "Observation", ("patient", access.patient), ("code", token))


@act(after=SEARCHES)
async def written(run: Run, access: Access) -> dict[str, Written]:
    """One Observation of each kind that a remote-monitoring application writes."""
    return {kind: await write(run, access, new(run, access, kind)) for kind in KINDS}


@act
async def created(run: Run, written: dict[str, Written]) -> Exchange:
    """The answer to one create that was accepted."""
    del run
    for each in written.values():
        if each.create.status < 300:
            return each.create
    raise PrerequisiteFailed("no Observation was created")


@act(after=SEARCHES)
async def written_by_device(
    run: Run, access: Access, vital_signs: Found, created: Exchange
) -> Written:
    """A body weight from a device that the server knows from earlier Observations."""
    del created
    sent = new(run, access, "body-weight")
    devices = (each.get("device") for each in vital_signs.matches)
    known = (each.get("reference") for each in devices if isinstance(each, dict))
    reference = next((each for each in known if isinstance(each, str)), None)
    if reference is None:
        raise NotApplicable("no vital sign of the patient names a device")
    return await stored(run, access, sent | {"device": {"reference": reference}})


@act(after=SEARCHES)
async def client_chosen_id(run: Run, access: Access, created: Exchange) -> Written:
    """An Observation that brings an id of its own, where one without is accepted."""
    del created
    sent = new(run, access, "heart-rate") | {"id": f"client-chosen-{new_identifier(run)}"}
    exchange = await run.scratch.create(access.client, sent)
    return Written(sent, exchange, created_id(exchange, "Observation"))


@act(after=SEARCHES)
async def refused(run: Run, access: Access) -> Refused:
    """An Observation without status, which is mandatory."""
    sent = new(run, access, "heart-rate")
    identifier = sent["identifier"][0]["value"]
    invalid = {name: value for name, value in sent.items() if name != "status"}
    exchange = await run.scratch.create(access.client, invalid)
    found = await same_code(run, access, sent)
    values = {i.get("value") for each in found.matches for i in each.get("identifier") or []}
    return Refused(exchange, identifier in values)


@act
async def updated(run: Run, access: Access, written: dict[str, Written]) -> Updated:
    """The heart rate, corrected."""
    first = written["heart-rate"]
    before = first.require_read()
    if before.status != 200 or first.id is None:
        raise PrerequisiteFailed("the Observation could not be read")
    sent = copy.deepcopy(_object(before))
    sent["status"] = "amended"
    sent["valueQuantity"]["value"] = 71
    update = await run.scratch.update(access.client, sent, if_match=_meta(before).get("versionId"))
    if update.status in (404, 405, 501):
        raise NotApplicable(f"the server does not update Observations: status {update.status}")
    read = await fhir_get(run, f"Observation/{first.id}", access.bearer)
    return Updated(before, sent, update, read)


@act
async def stale_update(run: Run, access: Access, updated: Updated) -> Exchange:
    """A second update that knows only the version before the first one."""
    if updated.update.status != 200:
        raise PrerequisiteFailed("the first update was not accepted")
    version = _meta(updated.before).get("versionId")
    if version is None or version == _meta(updated.read).get("versionId"):
        raise NotApplicable("the server keeps no versions")
    return await run.scratch.update(access.client, updated.sent, if_match=version)
