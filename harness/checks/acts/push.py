"""The act of push: Subscriptions with rest-hook, what they are told, and what they are not.

http://hl7.org/fhir/R4/subscription.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from harness.checks.acting import Run, act
from harness.checks.acts.access import IDENTIFIERS, SEARCHES, Access, fhir_get, new_identifier
from harness.checks.acts.observing import (
    BUILDERS,
    KINDS,
    OFFSET,
    Resource,
    current_version,
    resource_of,
)
from harness.checks.acts.write import PAUSES
from harness.checks.launching import Launch
from harness.checks.pushed import FORMS, Pushed, Subscribed
from harness.checks.scratch import created_id
from harness.config.semantics import is_loopback
from harness.errors import NotConfigured, NotSupported, PrerequisiteFailed
from harness.fhir.capability import Capability
from harness.fhir.observations import Measured
from harness.http.exchange import Exchange
from harness.http.hook import Endpoint, Hook
from harness.smart.entropy import fresh

ENDS = ("off", "deleted", "failing")
ANSWERS = {"empty": (503, 204), "failing": (503,)}
"""How endpoints answer: one fails once, another always, all others never."""

DAYS_AGO = 40
"""The day of which the criteria ask, on which no other act measures anything."""

_NO_PERIOD = tuple(kind for kind in ("heart-rate", *KINDS) if kind not in ("steps", "sleep"))


@act(after=SEARCHES)
async def push(
    run: Run, writable: Access, capability: Capability, launch: Launch | None = None
) -> Pushed:
    """Subscribe to a day of one patient, write on it and beside it, and see what arrives.

    Raises:
        NotSupported: Subscriptions are not declared, or no scope for them was granted.
        NotConfigured: nobody said how the EHR gets here.
    """
    if "create" not in capability.interactions("Subscription"):
        raise NotSupported("create is not declared for Subscription")
    levels = ("patient", "user")
    if launch and not any(launch.granted.allows(each, "Subscription", "c") for each in levels):
        raise NotSupported("no scope that was granted lets Subscriptions be created")
    where = run.ehr.push
    if where.url is None and not is_loopback(urlsplit(run.ehr.fhir_base).hostname):
        raise NotConfigured("the EHR cannot get here: say in push.url which URL leads here")
    day = run.clock.now().astimezone(OFFSET) - timedelta(days=DAYS_AGO)
    noon = day.replace(hour=12, minute=0, second=0, microsecond=0)
    offered = capability.interactions("Subscription")
    async with run.hooks.open(where.listen, where.url) as hook:
        return await _Pushing(run, writable, offered, hook, noon).done()


@dataclass(slots=True)
class _Pushing:
    """One round.

    Attributes:
        run: the run.
        access: with which everything is written.
        offered: the interactions that are declared for Subscription.
        hook: where notifications arrive.
        noon: of the day of which the criteria ask.
    """

    run: Run
    access: Access
    offered: frozenset[str]
    hook: Hook
    noon: datetime
    known: dict[str, Subscribed] = field(default_factory=dict)
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    writes: dict[str, Exchange] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    secret: str = field(default="", repr=False)
    criteria: str = ""
    activated: bool = False

    async def done(self) -> Pushed:
        """Everything in its order; what was subscribed is deleted at the end."""
        self.secret = fresh(self.run.entropy)
        self.criteria = self._criteria()
        for name in FORMS:
            await self._subscribe(name, FORMS[name])
        main = next((name for name in FORMS if self.known[name].id), None)
        if main is not None:
            for name in ENDS:
                await self._subscribe(name, FORMS[main])
            await self._read_until(self._is_active, *self.known)
            self.activated = self._stands(main)
            if not self.activated and "update" in self.offered:
                await self._activate()
            if self._stands(main):
                await self._write_and_listen(main)
            await self._clean()
        return self._pushed()

    def _pushed(self) -> Pushed:
        """What came of it so far."""
        arrived = {name: self.hook.at(each) for name, each in self.endpoints.items()}
        known = {n: each.updated(arrived=arrived[n]) for n, each in self.known.items()}
        wait = self.run.ehr.push.wait_seconds
        strays = self.hook.strays
        activated = self.activated
        return Pushed(known, self.secret, self.writes, self.ids, activated, strays, wait)

    async def _write_and_listen(self, main: str) -> None:
        wait = self.run.ehr.push.wait_seconds
        await self._observe("other", self.noon + timedelta(days=7))
        await self._observe("first", self.noon)
        told = [name for name in ("payload", "empty", "off", "deleted") if self._stands(name)]
        await self.hook.gather(lambda: all(self._count(name) for name in told), wait)
        await self._end()
        before = self._count(main)
        await self._observe("second", self.noon)
        repeated = 3 if self._stands("empty") else 0
        await self.hook.gather(
            lambda: self._count(main) > before and self._count("empty") >= repeated, wait
        )
        # Whoever is told wrongly is told at about the same time.
        await self.hook.gather(lambda: False, wait / 10)
        if any(self._pushed().late(name) for name in ("off", "deleted")):
            # What was ended may have been on its way still: it has to be over after a while.
            await self.run.clock.sleep(wait)
            before = self._count(main)
            await self._observe("third", self.noon)
            await self.hook.gather(lambda: self._count(main) > before, wait)
            await self.hook.gather(lambda: False, wait / 10)
        await self._read_until(lambda each: each.tells_of_failure, "failing")

    async def _subscribe(self, name: str, payload: str | None) -> None:
        endpoint = self.hook.endpoint(name, fresh(self.run.entropy), ANSWERS.get(name, (204,)))
        channel = {"type": "rest-hook", "endpoint": endpoint.url}
        channel |= {"payload": payload} if payload else {}
        sent = {
            "resourceType": "Subscription",
            "status": "requested",
            "reason": "Conformance of push",
            "criteria": self.criteria,
            "channel": {**channel, "header": [f"Authorization: Bearer {self.secret}"]},
        }
        create = await self.run.scratch.create(self.access.client, sent)
        identity = created_id(create, "Subscription") if create.status < 300 else None
        self.endpoints[name] = endpoint
        self.known[name] = Subscribed(name, create, identity, below=endpoint.path)

    def _criteria(self) -> str:
        """A search that US Core asks of servers, of which nothing else in a run writes a match."""
        coding = self._measured(self.noon)["code"]["coding"][-1]
        code = f"{coding['system']}|{coding['code']}"
        patient, day = self.access.patient, self.noon.date()
        # With its type, for there are servers that compare references by their text.
        return f"Observation?patient=Patient/{patient}&code={code}&date={day}"

    def _measured(self, moment: datetime) -> Resource:
        kinds = self.run.ehr.writes or KINDS
        kind = next((each for each in _NO_PERIOD if each in kinds), None)
        if kind is None:
            raise NotSupported("no kind of Observation that the EHR takes has a single time")
        identifier = (IDENTIFIERS, new_identifier(self.run))
        return BUILDERS[kind](Measured(self.access.patient, moment, identifier))

    async def _observe(self, name: str, moment: datetime) -> None:
        create = await self.run.scratch.create(self.access.client, self._measured(moment))
        identity = created_id(create, "Observation") if create.status < 300 else None
        if identity is None:
            raise PrerequisiteFailed("an Observation could not be created")
        self.writes[name], self.ids[name] = create, identity

    async def _activate(self) -> None:
        """Say that they are active, as some servers leave it to their clients."""
        for each in [*self.known.values()]:
            if each.id and each.read:
                await self._turn(each, "active")
                read = await fhir_get(self.run, f"Subscription/{each.id}", self.access.bearer)
                self.known[each.name] = each.updated(read=read)

    async def _turn(self, each: Subscribed, status: str) -> Exchange:
        if each.read is None:
            raise PrerequisiteFailed("a Subscription could not be read")
        changed = resource_of(each.read) | {"status": status}
        version = current_version(each.read)
        return await self.run.scratch.update(self.access.client, changed, if_match=version)

    async def _end(self) -> None:
        """Set one off, and delete another."""
        off, deleted = self.known["off"], self.known["deleted"]
        if off.id and off.read and "update" in self.offered:
            self.known["off"] = off.updated(over=await self._turn(off, "off"))
        if deleted.id and "delete" in self.offered:
            self.known["deleted"] = deleted.updated(over=await self._delete(deleted.id))

    async def _clean(self) -> None:
        """Delete what still stands, so that nothing is sent to a port that is closed."""
        for each in self.known.values():
            if each.id and each.name != "deleted" and "delete" in self.offered:
                await self._delete(each.id)

    async def _delete(self, identity: str) -> Exchange:
        return await self.run.scratch.delete(self.access.client, "Subscription", identity)

    async def _read_until(self, good: Callable[[Subscribed], bool], *names: str) -> None:
        """Read Subscriptions until each is as hoped, or as often as a notification may take."""
        for pause in (0.0, *self._pauses()):
            await self.run.clock.sleep(pause)
            for name in names:
                each = self.known[name]
                if each.id and not (each.read and good(each)):
                    path = f"Subscription/{each.id}"
                    read = await fhir_get(self.run, path, self.access.bearer)
                    self.known[name] = each.updated(read=read)
            if all(good(self.known[name]) for name in names if self.known[name].id):
                return

    def _is_active(self, each: Subscribed) -> bool:
        return each.status not in ("requested", "unknown")

    def _stands(self, name: str) -> bool:
        return self.known[name].id is not None and self.known[name].status == "active"

    def _count(self, name: str) -> int:
        return len(self.hook.at(self.endpoints[name]))

    def _pauses(self) -> Iterator[float]:
        """As many as a notification may take; the same in a replay, whose clock is another."""
        left = self.run.ehr.push.wait_seconds
        for pause in (*PAUSES, 3.0, 4.0):
            left -= pause
            if left >= 0:
                yield pause
