"""Acts of writing: what a remote-monitoring application creates, and reads back.

Everything goes through `run.scratch`, which journals it before it is sent and undoes it afterwards.
http://hl7.org/fhir/R4/http.html#create
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from harness.checks.acting import Run, act
from harness.checks.acts.access import SEARCHES, Access, fhir_get, new_identifier
from harness.checks.acts.observing import (
    CUFF,
    KINDS,
    REFUSALS,
    Resource,
    Written,
    measured,
    new,
)
from harness.checks.acts.search import MAX_PAGES, find
from harness.checks.found import Found, bundle_of
from harness.checks.launching import Launch
from harness.checks.scratch import created_id
from harness.config.ehr import Permit
from harness.errors import NotApplicable, NotPermitted, NotSupported, PrerequisiteFailed
from harness.fhir import observations
from harness.fhir.capability import Capability
from harness.fhir.paging import Pages
from harness.fhir.search import Search
from harness.http.exchange import Exchange

PATIENCE = 3.0
"""Seconds that a new Observation may take to be found before a run gives up."""

PAUSES = (0.1, 0.2, 0.4, 0.8, 1.5)
FORMS = ("category", "category-and-date")
"""Further searches of US Core that have to find a new Observation."""


async def stored(run: Run, access: Access, sent: Resource) -> Written:
    """Create, read back."""
    exchange = await run.scratch.create(access.client, sent)
    id_ = created_id(exchange, "Observation") if exchange.status < 300 else None
    if id_ is None:
        return Written(sent, exchange)
    return Written(sent, exchange, id_, await read(run, access, id_))


async def read(run: Run, access: Access, id_: str) -> Exchange:
    """GET of an Observation."""
    return await fhir_get(run, f"Observation/{id_}", access.bearer)


async def found_by(access: Access, id_: str | None, *asked: tuple[str, str]) -> Found:
    """A search of Observations, carried on until it has shown this one."""
    paging = Pages(access.client, Search("Observation", asked), max_pages=MAX_PAGES)
    pages: list[Exchange] = []
    found: list[Mapping[str, Any]] = []
    async for page in paging:
        pages.append(page)
        found += bundle_of(page).matches
        if any(each.get("id") == id_ for each in found):
            break
    return Found(asked, tuple(pages), tuple(found), str(paging.ending or "found"))


async def by_code_of(access: Access, done: Written) -> Found:
    """The search by patient and code that has to find a written Observation."""
    coding = done.sent["code"]["coding"][-1]
    asked = ("patient", access.patient), ("code", f"{coding['system']}|{coding['code']}")
    return await found_by(access, done.id, *asked)


def recently(access: Access, sent: Resource) -> Search:
    """The patient's Observations of the same category and of the last days: few, and US Core's."""
    coding = sent["category"][0]["coding"][0]
    category = ("category", f"{coding['system']}|{coding['code']}")
    effective = sent.get("effectiveDateTime") or sent["effectivePeriod"]["start"]
    since = date.fromisoformat(effective[:10]) - timedelta(days=1)
    dated = ("date", f"ge{since.isoformat()}")
    return Search("Observation", (("patient", access.patient), category, dated))


async def recent(access: Access, sent: Resource) -> Found:
    """What that search finds."""
    return await find(access, "Observation", *recently(access, sent).parameters)


LETTERS = "Après le café, 37 °C: größer, Żółć, 体重, 🙂"
"""Letters of Latin-1, of what is beyond it, and of what is beyond sixteen bits."""


@act
async def writable(
    run: Run, access: Access, capability: Capability, launch: Launch | None = None
) -> Access:
    """How Observations may be written.

    Raises:
        NotPermitted: the EHR file does not permit it.
        NotSupported: neither the server nor the EHR file says that they can be, or the token was
            granted no scope for it.
    """
    if not run.permits(Permit.WRITE):
        raise NotPermitted("permit has no write")
    if "create" not in capability.interactions("Observation") and not run.ehr.writes:
        raise NotSupported("create is not declared for Observation")
    levels = ("patient", "user")
    if launch and not any(launch.granted.allows(each, "Observation", "c") for each in levels):
        raise NotSupported("no scope that was granted lets Observations be created")
    return access


@act(after=SEARCHES)
async def written(run: Run, writable: Access) -> dict[str, Written]:
    """One Observation of each kind that a remote-monitoring application writes."""
    kinds = run.ehr.writes or KINDS
    done = {
        kind: await stored(run, writable, new(run, writable.patient, kind))
        for kind in KINDS
        if kind in kinds
    }
    searches: dict[Search, Found] = {}
    for kind, each in done.items():
        asked = recently(writable, each.sent)
        if asked not in searches:
            searches[asked] = await find(writable, asked.type, *asked.parameters)
        done[kind] = replace(each, search=searches[asked])
    return done


@act(after=("indexed", "new_by_category"))
async def created(run: Run, written: dict[str, Written]) -> Exchange:
    """The answer to one create that was accepted."""
    return first_accepted(written).create


def first_accepted(written: dict[str, Written], *wanted: str) -> Written:
    """A written Observation, of a wanted kind if there is one.

    Raises:
        PrerequisiteFailed: none was created.
    """
    inorder = sorted(written, key=lambda kind: kind not in wanted)
    for kind in inorder:
        if written[kind].accepted:
            return written[kind]
    raise PrerequisiteFailed("no Observation was created")


@act
async def indexed(run: Run, writable: Access, written: dict[str, Written]) -> Written:
    """One new Observation, searched for until it is found or patience ends."""
    done = first_accepted(written, "heart-rate")
    started = run.clock.monotonic()
    for pause in (0.0, *PAUSES):
        if done.visible or done.id is None:
            break
        await run.clock.sleep(pause)
        done = replace(done, search=await by_code_of(writable, done))
    return replace(done, seconds=run.clock.monotonic() - started if done.visible else None)


@act
async def new_by_category(
    run: Run, writable: Access, written: dict[str, Written]
) -> dict[str, Written]:
    """One new Observation, searched for by its category, and by category and date."""
    done = first_accepted(written, "heart-rate")
    dated = recently(writable, done.sent).parameters
    return {
        "category": replace(done, search=await found_by(writable, done.id, *dated[:2])),
        "category-and-date": replace(done, search=await found_by(writable, done.id, *dated)),
    }


@act(last=True)
async def remembered(
    run: Run, writable: Access, indexed: Written, written: dict[str, Written]
) -> Written:
    """A new Observation that nobody changed, searched for once more when everything is done."""
    untouched = first_accepted(written, "blood-pressure")
    if untouched.id is None or not indexed.visible:
        raise PrerequisiteFailed("no new Observation was found in the first place")
    return replace(untouched, search=await by_code_of(writable, untouched))


@act(after=SEARCHES)
async def written_by_device(
    run: Run, writable: Access, vital_signs: Found, created: Exchange
) -> Written:
    """A blood pressure with all that a home monitor knows: device, method, who took it."""
    devices = (each.get("device") for each in vital_signs.matches)
    known = (each.get("reference") for each in devices if isinstance(each, dict))
    reference = next((each for each in known if isinstance(each, str)), None)
    if reference is None:
        raise NotApplicable("no vital sign of the patient names a device")
    about = replace(
        measured(run, writable.patient), method=CUFF, by_patient=True, patient_supplied=True
    )
    sent = observations.blood_pressure(about, 121, 79) | {"device": {"reference": reference}}
    return await stored(run, writable, sent)


@act(after=SEARCHES)
async def lettered(run: Run, writable: Access, created: Exchange) -> Written:
    """A heart rate with a remark that takes more than the letters of English."""
    sent = new(run, writable.patient, "heart-rate") | {"note": [{"text": LETTERS}]}
    return await stored(run, writable, sent)


@act(after=SEARCHES)
async def client_chosen_id(run: Run, writable: Access, created: Exchange) -> Written:
    """An Observation that brings an id, a version and a time of its own."""
    chosen = {
        "id": f"client-chosen-{new_identifier(run)}",
        "meta": {"versionId": "77", "lastUpdated": "2001-01-01T00:00:00Z"},
    }
    sent = new(run, writable.patient, "heart-rate") | chosen
    done = await stored(run, writable, sent)
    if done.create.status in REFUSALS:
        raise NotSupported(f"a create with an id is refused: status {done.create.status}")
    return done
