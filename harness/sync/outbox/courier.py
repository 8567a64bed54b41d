"""Brings one write to the EHR: out, found again, read back, compared.

Every step ends in a committed state before the next begins, so that the process may die anywhere.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.errors import ProtocolError
from harness.fhir.fidelity import same
from harness.fhir.search import Search
from harness.fhir.writes import to_create, version_of
from harness.http.clock import Clock
from harness.http.exchange import Exchange
from harness.sync.model import Lease
from harness.sync.outbox import deciding
from harness.sync.outbox.abilities import Abilities
from harness.sync.outbox.box import Box
from harness.sync.outbox.finding import Absent, Found, carries, find, token_of
from harness.sync.outbox.model import Entry, Halt, Op, State
from harness.sync.outbox.text import dumps, loads, loads_plain
from harness.sync.outbox.updating import Updating
from harness.sync.outbox.verdict import Kind, Verdict, of_batch, said
from harness.sync.outbox.wire import OK, NotTold, Wire, halt, json_request

PRECONDITION_FAILED = 412
_GONE = frozenset({404, 410})

Includes = Callable[[str], Awaitable[bool]]
"""Whether a patient is one of the tenant's."""


@dataclass(slots=True)
class Courier:
    """Delivers for one tenant, under its lease.

    Attributes:
        box: the entries.
        lease: of the outbox.
        wire: to the EHR.
        abilities: of the EHR.
        includes: whether a patient is the tenant's.
        clock: harness clock.
    """

    box: Box
    lease: Lease
    wire: Wire
    abilities: Abilities
    includes: Includes
    clock: Clock

    async def carry(self, entry: Entry) -> Entry:
        """Go on with an entry until it is settled, or has to wait.

        Raises:
            Halt: nothing can be delivered for now; the entry stays open.
        """
        while entry.is_open and not self._waits(entry):
            try:
                entry = await self._step(entry)
            except NotTold as why:
                entry = self._save(deciding.failed(entry, why.words, self.clock.now()))
        return entry

    async def carry_batch(self, entries: Sequence[Entry]) -> list[Entry]:
        """Create several at once, each of another patient; then go on with each by itself.

        Raises:
            Halt: as `carry`.
        """
        checked = [await self._admitted(each) for each in entries]
        await self.wire.authorize()
        fresh = [each for each in checked if each.state is State.QUEUED]
        sent = self.box.send(self.lease, fresh, self.clock.now())
        verdicts = await self._post_batch(sent) if sent else []
        done = {each.id: each for each in checked}
        for entry, verdict in zip(sent, verdicts, strict=True):
            done[entry.id] = self._settle(entry, verdict)
        if sent and all(each.kind is Kind.LATER for each in verdicts):
            raise halt(verdicts[0])
        return [done[each.id] for each in entries]

    async def _step(self, entry: Entry) -> Entry:
        if entry.op is not Op.CREATE:
            return await Updating(self.box, self.lease, self.wire, self.clock).step(entry)
        if entry.state is State.QUEUED:
            return await self._create(entry)
        if entry.server_id is not None:
            return await self._read_back(entry, entry.server_id)
        return await self._look_for(entry)

    # -- out

    async def _create(self, entry: Entry) -> Entry:
        entry = await self._admitted(entry)
        if not entry.is_open:
            return entry
        await self.wire.authorize()
        sent = self.box.send(self.lease, [entry], self.clock.now())
        if not sent:
            return self._again(entry)
        condition = self._condition(entry)
        url = self.wire.way.fhir.url(entry.type)
        request = json_request("POST", url, entry.resource, {"If-None-Exist": condition})
        try:
            verdict, _ = await self.wire.write(request, entry.type)
        except Halt:
            self._save(replace(sent[0], state=State.QUEUED))
            raise
        done = self._settle(sent[0], verdict)
        if verdict.kind is Kind.LATER:
            raise halt(verdict)
        return done

    async def _post_batch(self, entries: list[Entry]) -> list[Verdict]:
        listed = [to_create(loads(each.resource), self._condition(each)) for each in entries]
        body = dumps({"resourceType": "Bundle", "type": "batch", "entry": listed})
        request = json_request("POST", self.wire.way.fhir.base, body, {})
        try:
            verdict, exchange = await self.wire.write(request, "Bundle")
        except Halt:
            for each in entries:
                self._save(replace(each, state=State.QUEUED))
            raise
        single = of_batch(exchange, len(entries), self.clock.now()) if exchange else None
        if single is not None:
            return single
        if verdict.kind in (Kind.DENIED, Kind.CLASH):
            # What is wrong with the batch is wrong with none of its entries.
            self.abilities.refuses_batches()
            verdict = Verdict(Kind.LATER, verdict.words, verdict.status, wait=0.0)
        elif verdict.kind is Kind.STORED:
            verdict = replace(verdict, kind=Kind.UNKNOWN)
        return [verdict] * len(entries)

    def _settle(self, entry: Entry, verdict: Verdict) -> Entry:
        now = self.clock.now()
        visible_after = self.abilities.spec.visible_after_seconds
        return self._save(deciding.after_write(entry, verdict, now, visible_after))

    def _condition(self, entry: Entry) -> str | None:
        if not self.abilities.creates_once(entry.type):
            return None
        return condition_of(entry, with_patient=self.abilities.knows_patients(entry.type))

    async def _admitted(self, entry: Entry) -> Entry:
        """The entry; a dead one where the patient is none of the tenant's."""
        if entry.attempts or await self.includes(entry.patient):
            return entry
        return self._save(deciding.dead(entry, "the patient is none of this tenant's"))

    # -- found again

    async def _look_for(self, entry: Entry) -> Entry:
        found = await find(self.wire, self.box, self.abilities, entry)
        if isinstance(found, Found):
            copies = f"the EHR has it {found.copies} times" if found.copies > 1 else None
            return self._save(replace(entry, server_id=found.server_id, note=copies))
        if isinstance(found, Absent):
            if entry.status == PRECONDITION_FAILED:
                self.abilities.refuses_conditions(entry.type)
            return self._save(deciding.absent(entry, self.clock.now()))
        if entry.answered_well:
            note = f"the EHR answered {entry.status} and did not say where it is: {found.words}"
            return self._save(deciding.confirmed(entry, None, entry.version, note))
        if self.abilities.creates_once(entry.type):
            # Whoever cannot be asked can still be told to create it once.
            return self._save(replace(entry, state=State.QUEUED))
        words = (
            f"whether it was stored is not known, and no search can tell ({found.words});"
            f" it last got: {entry.error}"
        )
        return self._save(deciding.dead(entry, words))

    # -- read back

    async def _read_back(self, entry: Entry, server_id: str) -> Entry:
        exchange = await self.wire.ask(self.wire.way.fhir.url(entry.type, server_id))
        if exchange.status in _GONE:
            words = f"the EHR answered {entry.status}, and a read of it answers {exchange.status}"
            return self._save(deciding.failed(entry, words, self.clock.now()))
        read = _resource(exchange, entry.type)
        if read is None:
            note = f"not read back: {said(exchange)}"
            return self._save(deciding.confirmed(entry, server_id, entry.version, note))
        return self._compared(entry, server_id, read, version_of(exchange))

    def _compared(
        self, entry: Entry, server_id: str, read: dict[str, Any], version: str | None
    ) -> Entry:
        written = loads_plain(entry.resource)
        differences = same(written, read).differences
        kept = carries(read, entry.key)
        others = [each for each in differences if not each.path.startswith("identifier")]
        if not kept and others:
            # What the answer named is another resource: a batch answered out of order.
            return self._save(replace(entry, server_id=None, status=None))
        if kept is not self.box.keeps_identifiers(entry.type):
            now = self.clock.now()
            self.box.remember_identifiers(self.lease, entry.type, now, kept=kept)
        altered = f"altered: {'; '.join(map(str, differences))}"[:2000] if differences else None
        note = "; ".join(filter(None, (entry.note, altered))) or None
        return self._save(deciding.confirmed(entry, server_id, version, note))

    def _waits(self, entry: Entry) -> bool:
        return entry.next_at is not None and entry.next_at > self.clock.now()

    def _again(self, entry: Entry) -> Entry:
        """An entry that somebody dropped or changed meanwhile."""
        return self.box.entry(entry.id) or replace(entry, state=State.DEAD)

    def _save(self, entry: Entry) -> Entry:
        return self.box.save(self.lease, entry, self.clock.now())


def condition_of(entry: Entry, *, with_patient: bool) -> str:
    """The search of `If-None-Exist`: http://hl7.org/fhir/R4/http.html#ccreate.

    The patient narrows it: without, some servers look through everybody's.
    """
    whose = (("patient", entry.patient),) if with_patient else ()
    search = Search(entry.type, (*whose, ("identifier", token_of(entry.key))))
    return search.url("").partition("?")[2]


def _resource(exchange: Exchange, type_: str) -> dict[str, Any] | None:
    try:
        body = exchange.json_object() if exchange.status == OK else {}
    except ProtocolError:
        return None
    return body if body.get("resourceType") == type_ else None
