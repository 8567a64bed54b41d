"""Validates resources of a run after it has pulled them, so that no page waits for it.

While pages come in, some of each type are remembered: a uniform sample, however many there are, at
the cost of a random number each. What they are worth is found out at the end, in a thread of its
own. Whatever goes wrong here is a remark in the account and never fails a sync.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random
from typing import Final, TypeAlias

from harness.config.tenant import Tenant, Validate
from harness.errors import HarnessError
from harness.spec.regulatory import resolve_versions
from harness.sync.model import Received
from harness.sync.store.store import Store
from harness.sync.validated import Validated, validated_of
from harness.validation.findings import Finding
from harness.validation.reading.resource import UNREADABLE, read
from harness.validation.results.tally import Judged, Tally

SAMPLE: Final = 50
"""Resources of each type that are remembered."""

LARGEST: Final = 256 << 10
"""Bytes of a resource that is remembered; larger ones are passed over."""

SECONDS: Final = 2.0
"""How long a sample may take."""

Check: TypeAlias = "Callable[[object], tuple[Finding, ...]]"
Raw: TypeAlias = "tuple[str, bytes]"
"""Type and bytes."""


@dataclass(slots=True)
class Sample:
    """A uniform sample of what a run pulls, by type.

    https://en.wikipedia.org/wiki/Reservoir_sampling

    Args:
        random: chance; in a test with a seed.
        size: how many of each type.
    """

    random: Random = field(default_factory=Random)
    size: int = SAMPLE
    _seen: dict[str, int] = field(default_factory=dict)
    _kept: dict[str, list[bytes]] = field(default_factory=dict)

    def take(self, received: Iterable[Received]) -> None:
        """Some of these, perhaps."""
        for each in received:
            seen = self._seen[each.type] = self._seen.get(each.type, 0) + 1
            if len(each.raw) > LARGEST:
                continue
            kept = self._kept.setdefault(each.type, [])
            if len(kept) < self.size:
                kept.append(each.raw)
            elif (place := int(self.random.random() * seen)) < self.size:
                kept[place] = each.raw

    @property
    def seen(self) -> int:
        """How many there were to choose from."""
        return sum(self._seen.values())

    def __iter__(self) -> Iterator[Raw]:
        for type_, kept in self._kept.items():
            for raw in kept:
                yield type_, raw


def validated(
    tenant: Tenant, store: Store, run: int, sample: Sample, stopped: Callable[[], object]
) -> Validated | None:
    """Validate what a run took over; blocks, and raises nothing that concerns validation.

    Args:
        tenant: says how much: `[sync] validate`.
        store: the tenant's, which nobody else uses meanwhile.
        run: whose resources are validated where all are.
        sample: what is validated otherwise.
        stopped: asked between resources.

    Returns:
        None where there is nothing to validate.
    """
    every = tenant.sync.validate is Validate.ALL
    pulled = _count(store, run) if every else sample.seen
    if tenant.sync.validate is Validate.NONE or not pulled:
        return None
    us_core, tally, reason = "", Tally(), None
    try:
        us_core = resolve_versions(tenant.ehr.versions).us_core
        check = checker(us_core)
        until = None if every else time.monotonic() + SECONDS
        for type_, raw in _taken(store, run) if every else sample:
            if stopped():
                reason = "told to stop"
                break
            if until is not None and time.monotonic() > until:
                reason = f"no more than {SECONDS:.0f} s are spent on it"
                break
            _judge(check, type_, raw, tally)
    except HarnessError as error:
        reason = error.message
    except Exception as error:  # noqa: BLE001 - what is pulled is pulled, whatever happens here
        reason = f"a defect of the harness: {type(error).__name__}"
    return validated_of(tally, us_core, pulled, reason)


@lru_cache(maxsize=2)
def checker(us_core: str) -> Check:
    """What judges by US Core; kept, because making it takes longer than a sample."""
    from harness.spec.definitions import load
    from harness.validation.selecting import choosing
    from harness.validation.validator import Validator

    definitions = load("hl7.fhir.us.core", us_core)
    return Validator(definitions, chooser=choosing.us_core(definitions.profiles)).check


def _judge(check: Check, type_: str, raw: bytes, tally: Tally) -> None:
    value, flaws = read(raw)
    if value is not UNREADABLE:
        flaws = (*flaws, *check(value))
    tally.add(Judged(type_, 0, value, flaws))


_TAKEN = "FROM resources WHERE run = ? AND deleted = 0"


def _count(store: Store, run: int) -> int:
    row: Mapping[str, int] = store.connection.execute(
        f"SELECT count(*) AS n {_TAKEN}",
        (run,),
    ).fetchone()
    return row["n"]


def _taken(store: Store, run: int) -> Iterator[Raw]:
    """What a run brought that was new or changed."""
    with store.connection.snapshot() as db:
        for row in db.stream(f"SELECT type, body {_TAKEN}", (run,)):
            yield row["type"], bytes(row["body"])
