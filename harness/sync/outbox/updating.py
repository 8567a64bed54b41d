"""Brings one change to the EHR: read, carried over to the current version, put under If-Match.

It always begins with a read, so that a change whose answer was lost is found done, and a change
that somebody else made meanwhile is seen. http://hl7.org/fhir/R4/http.html#concurrency
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from harness.errors import ProtocolError
from harness.fhir.client import etag
from harness.fhir.writes import version_of
from harness.http.clock import Clock
from harness.http.exchange import Exchange, parse_json
from harness.sync.model import Lease
from harness.sync.outbox import deciding
from harness.sync.outbox.box import Box
from harness.sync.outbox.merging import changes, lost, merged
from harness.sync.outbox.model import Entry, Halt, Op, State
from harness.sync.outbox.text import dumps, loads
from harness.sync.outbox.verdict import Kind, Verdict, said
from harness.sync.outbox.wire import OK, Wire, halt, json_request

MOST_CLASHES = 3
_TARGET_OPEN = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class _Current:
    """The EHR's current version of a resource."""

    resource: dict[str, Any]
    version: str | None
    tag: str | None


@dataclass(slots=True)
class Updating:
    """One change at a time; as `Courier`."""

    box: Box
    lease: Lease
    wire: Wire
    clock: Clock

    async def step(self, entry: Entry) -> Entry:
        """Read, then send or settle.

        Raises:
            NotTold, Halt: as `Wire`.
        """
        server_id = entry.server_id
        if server_id is None:
            target = self.box.entry(entry.target or 0)
            if target is None or target.state is State.DEAD:
                words = f"entry {entry.target}, which it changes, was not written"
                return self._save(deciding.dead(entry, words))
            if target.is_open or not target.server_id:
                return self._save(replace(entry, next_at=self.clock.now() + _TARGET_OPEN))
            server_id = target.server_id
        exchange = await self.wire.ask(self.wire.way.fhir.url(entry.type, server_id))
        current = _current(exchange, entry.type)
        if current is None:
            return self._save(deciding.dead(replace(entry, status=exchange.status), said(exchange)))
        return await self._onto(replace(entry, server_id=server_id), current)

    async def _onto(self, entry: Entry, current: _Current) -> Entry:
        """Carry the change over to the current version, or say why not."""
        assert entry.server_id is not None  # noqa: S101 - set by `step`
        based = await self._based(entry, current)
        if based is None:
            words = _both(entry, current, "the former cannot be read")
            return self._save(deciding.dead(entry, words))
        entry, base, change = based
        if entry.answered_well:
            return self._save(self._read_back(entry, current, change))
        result = merged(base, change, current.resource)
        if result.clashes:
            words = _both(entry, current, f"both change {', '.join(result.clashes)}")
            return self._save(deciding.dead(entry, words))
        if result.resource is None:
            return self._save(deciding.confirmed(entry, entry.server_id, current.version))
        return await self._put(entry, current, result.resource)

    def _read_back(self, entry: Entry, current: _Current, change: dict[str, Any]) -> Entry:
        """What was put, as the EHR shows it now."""
        missing = lost(change, current.resource)
        note = None
        if missing:
            since = entry.version is not None and current.version != entry.version
            what = "changed again since" if since else "altered"
            note = f"{what}: {', '.join(missing)}"
        return deciding.confirmed(entry, str(entry.server_id), current.version, note)

    async def _based(
        self, entry: Entry, current: _Current
    ) -> tuple[Entry, dict[str, Any] | None, dict[str, Any]] | None:
        """What the change is based on, and the change; None where the base is not to be had."""
        wanted = loads(entry.resource)
        if entry.op is Op.RETRACT:
            return entry, None, {"status": wanted["status"]}
        if entry.base is None:
            same = entry.version == current.version
            read = current.resource if same else await self._version(entry)
            if read is None:
                return None
            entry = self.box.rebase(self.lease, entry, dumps(read))
        base = loads(str(entry.base))
        return entry, base, changes(base, wanted)

    async def _version(self, entry: Entry) -> dict[str, Any] | None:
        url = self.wire.way.fhir.url(entry.type, entry.server_id)
        exchange = await self.wire.ask(f"{url}/_history/{entry.version}")
        found = _current(exchange, entry.type)
        return found.resource if found else None

    async def _put(self, entry: Entry, current: _Current, resource: dict[str, Any]) -> Entry:
        await self.wire.authorize()
        url = self.wire.way.fhir.url(entry.type, entry.server_id)
        body = dumps({**resource, "id": entry.server_id})
        for tag in _tags(current):
            sent = self.box.send(self.lease, [entry], self.clock.now())
            if not sent:
                return self.box.entry(entry.id) or replace(entry, state=State.DEAD)
            request = json_request("PUT", url, body, {"If-Match": tag})
            try:
                verdict, _ = await self.wire.write(request, entry.type)
            except Halt:
                self._save(replace(sent[0], state=State.QUEUED, version=entry.version))
                raise
            entry = self._save(self._after(sent[0], entry, verdict))
            if verdict.kind is Kind.LATER:
                raise halt(verdict)
            if verdict.kind is not Kind.CLASH:
                return entry
            again = await self.wire.ask(url)
            now = _current(again, entry.type)
            if now is None or now.version != current.version:
                return entry
            # The version is still the one that was named: the other spelling of its ETag is tried.
        return entry

    def _after(self, sent: Entry, before: Entry, verdict: Verdict) -> Entry:
        now = self.clock.now()
        done = deciding.after_write(sent, verdict, now, visible_after=0.0)
        if verdict.kind is not Kind.STORED:
            # The version that an update is based on stays.
            done = replace(done, version=before.version)
        if verdict.kind is Kind.CLASH and done.failures >= MOST_CLASHES and done.is_open:
            return deciding.dead(done, f"refused {done.failures} times: {verdict.words}")
        return done

    def _save(self, entry: Entry) -> Entry:
        return self.box.save(self.lease, entry, self.clock.now())


def _tags(current: _Current) -> tuple[str | None, ...]:
    """If-Match as the EHR spelled its ETag, then weak, then strong; without versions none."""
    if current.version is None:
        return (current.tag,)
    spelled = (current.tag, etag(current.version), f'"{current.version}"')
    return tuple(dict.fromkeys(each for each in spelled if each is not None))


def _both(entry: Entry, current: _Current, why: str) -> str:
    """Both versions, named."""
    based = entry.version or (f"entry {entry.target}" if entry.target else "what was read")
    return f"based on version {based}, the EHR has version {current.version}: {why}"


def _current(exchange: Exchange, type_: str) -> _Current | None:
    if exchange.status != OK:
        return None
    try:
        parse_json(exchange.body, exchange.where)
        resource = loads(exchange.body.decode("utf-8-sig"))
    except (ProtocolError, ValueError):
        return None
    if not isinstance(resource, dict) or resource.get("resourceType") != type_:
        return None
    return _Current(resource, version_of(exchange), exchange.headers.get("ETag"))
