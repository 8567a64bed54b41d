"""Acts of writing many at once: a batch, and a transaction, each with one entry that is wrong.

http://hl7.org/fhir/R4/http.html#transaction
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from uuid import UUID

from harness.checks.acting import Run, act
from harness.checks.acts.access import FORBIDDEN, SEARCHES, Access, allowed
from harness.checks.acts.observing import (
    Resource,
    Written,
    having,
    identifier_of,
    measured,
    of_kind,
    resource_of,
)
from harness.checks.acts.write import read, recent, recently
from harness.checks.found import object_, objects
from harness.errors import NotSupported, ProtocolError
from harness.fhir.bundle import Bundle
from harness.fhir.capability import Capability
from harness.fhir.observations import glucose_series
from harness.fhir.writes import Answered, answers, to_create
from harness.http.exchange import Exchange

SERIES = "glucose"
"""The kind of the readings; nothing is judged by it where a single one is not taken."""

READINGS = (101, 104, 108, 111)
WRONG = 2
"""Which of the readings lacks its status."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Readings sent in one Bundle, the answer, and which of them are there afterwards."""

    sent: tuple[Resource, ...]
    exchange: Exchange
    found: tuple[bool, ...]
    wrong: int | None = None

    @property
    def answered(self) -> tuple[Answered, ...]:
        """The entries of the answer; none where it is no Bundle."""
        try:
            return answers(self.exchange)
        except ProtocolError:
            return ()

    @property
    def taken(self) -> bool:
        """Whether the server takes what is wrong, as it may: then no entry failed."""
        if self.wrong is None or self.wrong >= len(self.answered):
            return False
        status = self.answered[self.wrong].status
        return status is not None and status < 300 and self.found[self.wrong]

    @property
    def statuses(self) -> str:
        """The statuses of the entries, as a message shows them."""
        said = ", ".join(str(each.status) for each in self.answered)
        return f"status {self.exchange.status} with entries {said or 'none'}"

    @property
    def good(self) -> list[int]:
        """The positions of the entries that nothing is wrong with."""
        return [number for number in range(len(self.sent)) if number != self.wrong]


async def send(
    run: Run, writable: Access, *, wrong: int | None = None, transaction: bool = False
) -> Batch:
    """Send a series of readings in one Bundle, and search for them.

    Raises:
        NotSupported: this token may not.
    """
    sent = glucose_series(measured(run, writable.patient), READINGS)
    if wrong is not None:
        sent[wrong] = {name: value for name, value in sent[wrong].items() if name != "status"}
    client, entries = writable.client, [to_create(each) for each in sent]
    exchange = await run.scratch.bundle(
        client, sent, partial(client.bundle, entries, transaction=transaction)
    )
    allowed(exchange, "a transaction" if transaction else "a batch")
    found = (await recent(writable, sent[0])).matches
    mine = [having(found, identifier_of(each)) for each in sent]
    for each in (resource for resources in mine for resource in resources):
        run.scratch.adopt(client, dict(each))
    done = Batch(tuple(sent), exchange, tuple(bool(each) for each in mine), wrong)
    refused = [each.status for each in done.answered]
    if refused and set(refused) == {FORBIDDEN}:
        raise NotSupported(
            "creates in a batch are forbidden to this token, though plain ones are not"
        )
    return replace(done, found=await _there(run, writable, done))


def identified(back: Exchange, sent: Resource) -> bool:
    """Whether what was read is what was sent, and not what another entry was."""
    return back.status == 200 and identifier_of(resource_of(back)) == identifier_of(sent)


async def _there(run: Run, writable: Access, batch: Batch) -> tuple[bool, ...]:
    """Which of the readings are there: found, or else read, as an index may lag behind."""
    there = list(batch.found)
    for number, answered in enumerate(batch.answered[: len(there)]):
        if there[number] or answered.place is None:
            continue
        back = await read(run, writable, answered.place.id)
        own = number != batch.wrong or identified(back, batch.sent[number])
        there[number] = back.status == 200 and own
    return tuple(there)


@dataclass(frozen=True, slots=True)
class Linked:
    """A transaction that first reads, and then creates two readings that refer to each other.

    Attributes:
        exchange: the answer.
        searched: the new readings that its search found.
        paged: whether that search has further pages, which a transaction cannot bring.
        reference: to what the second one refers, as it was read back; None where it was not.
        expected: to what it has to refer.
    """

    exchange: Exchange
    searched: int
    paged: bool
    reference: str | None
    expected: str | None


def offered(capability: Capability, interaction: str) -> None:
    """Go on where the server declares it for the whole server.

    Raises:
        NotSupported: it does not.
    """
    if interaction not in capability.system_interactions:
        raise NotSupported(f"{interaction} is not declared")


@act(after=SEARCHES)
async def batch(
    run: Run,
    writable: Access,
    capability: Capability,
    created: Exchange,
    written: Mapping[str, Written],
) -> Batch:
    """A series of a sensor in a batch, one of whose readings is wrong."""
    offered(capability, "batch")
    of_kind(written, SERIES).require_taken()
    return await send(run, writable, wrong=WRONG)


@act(after=SEARCHES)
async def transaction(
    run: Run,
    writable: Access,
    capability: Capability,
    created: Exchange,
    written: Mapping[str, Written],
) -> Batch:
    """A series of a sensor in a transaction."""
    offered(capability, "transaction")
    of_kind(written, SERIES).require_taken()
    return await send(run, writable, transaction=True)


@act(after=SEARCHES)
async def linked_transaction(
    run: Run,
    writable: Access,
    capability: Capability,
    created: Exchange,
    written: Mapping[str, Written],
) -> Linked:
    """A search, and two readings of which the second one refers to the first by its urn:uuid."""
    offered(capability, "transaction")
    of_kind(written, SERIES).require_taken()
    client, urn = writable.client, f"urn:uuid:{UUID(bytes=run.entropy(16), version=4)}"
    first, second = glucose_series(measured(run, writable.patient), READINGS[:2])
    second |= {"derivedFrom": [{"reference": urn}]}
    asked = str(recently(writable, first))
    entries = [
        {"request": {"method": "GET", "url": asked}},
        {"fullUrl": urn, **to_create(first)},
        to_create(second),
    ]
    send = partial(client.bundle, entries, transaction=True)
    exchange = await run.scratch.bundle(client, [first, second], send, skip=1)
    allowed(exchange, "a transaction")
    told = answers(exchange) if exchange.status == 200 else ()
    places = [each.place.id if each.place else None for each in told[1:]]
    found, paged = in_search(exchange, [first, second])
    if len(places) < len(entries) - 1 or places[1] is None:
        return Linked(exchange, found, paged, None, None)
    back = await read(run, writable, places[1])
    references = objects(resource_of(back).get("derivedFrom")) if back.status == 200 else []
    reference = next((str(each.get("reference")) for each in references), None)
    return Linked(exchange, found, paged, reference, f"Observation/{places[0]}")


def in_search(exchange: Exchange, sent: list[Resource]) -> tuple[int, bool]:
    """How many of these the search found that a transaction begins with, and whether it goes on."""
    try:
        entries = objects(exchange.json_object().get("entry"))
    except ProtocolError:
        return 0, False
    bundle = Bundle.parse(object_(entries[0].get("resource")) if entries else {})
    found = sum(bool(having(bundle.matches, identifier_of(each))) for each in sent)
    return found, bundle.next_link is not None or (bundle.total or 0) > len(bundle.matches)


@act(after=SEARCHES)
async def failing_transaction(
    run: Run,
    writable: Access,
    capability: Capability,
    created: Exchange,
    written: Mapping[str, Written],
) -> Batch:
    """A series of a sensor in a transaction, one of whose readings is wrong."""
    offered(capability, "transaction")
    of_kind(written, SERIES).require_taken()
    return await send(run, writable, wrong=WRONG, transaction=True)
