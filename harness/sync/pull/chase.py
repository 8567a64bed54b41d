"""Reads what a patient's resources refer to and no search shows, such as members of a panel.

The EHR file says which references those are (`[sync] chase`). What is held already is read again
only when the resource that refers to it has changed; each is read once in a run.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from harness.sync.answers.answer import is_foreign, read_one
from harness.sync.answers.told import told
from harness.sync.model import Query, Received
from harness.sync.order import Key, Reader

MOST_DEPTH = 3
"""References followed from references; panels of panels are not deeper."""

MOST_READS = 2_000
"""Reads for one page; more is a gap."""

GONE = frozenset({404, 410})

Held = Callable[[Sequence[Key]], Awaitable[Mapping[Key, bytes]]]


@dataclass(slots=True)
class Chased:
    """What a page led to.

    Attributes:
        found: resources that were read.
        notes: what may be left out: references to nothing, or to another patient.
        flaw: what could not be read although it may be there; None if all could.
    """

    found: list[Received] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    flaw: str | None = None


class Chaser:
    """Follows references of one pull.

    Args:
        paths: such as `DiagnosticReport.result`.
        base: the FHIR base; references to other servers are left alone.
        held: which resources the store has, with their hashes.
    """

    def __init__(self, paths: Iterable[str], base: str, held: Held) -> None:
        self._members: dict[str, list[tuple[str, ...]]] = {}
        for path in paths:
            type_, *members = path.split(".")
            self._members.setdefault(type_, []).append(tuple(members))
        self._base = base.rstrip("/") + "/"
        self._held = held
        self._read: set[Key] = set()

    async def chase(self, reader: Reader, query: Query, page: Sequence[Received]) -> Chased:
        """Read what `page` refers to, and what that refers to.

        Raises:
            HarnessError: the EHR gave no answer; nothing of the page is to be kept.
        """
        chased = Chased()
        seen = {(each.type, each.id) for each in page}
        layer: Sequence[Received] = page
        for _ in range(MOST_DEPTH):
            wanted = [key for key in await self._wanted(layer) if key not in seen]
            if not wanted:
                break
            seen.update(wanted)
            if len(seen) - len(page) > MOST_READS:
                chased.flaw = f"more than {MOST_READS} references on one page"
                break
            layer = [one for key in wanted if (one := await self._one(reader, query, key, chased))]
            chased.found += layer
        return chased

    async def _wanted(self, layer: Sequence[Received]) -> list[Key]:
        """Targets that are not held, and those of referrers that have changed."""
        targets = {
            (each.type, each.id): tuple(self._targets(each))
            for each in layer
            if each.type in self._members
        }
        every = [key for keys in targets.values() for key in keys if key not in self._read]
        if not every:
            return []
        held = await self._held([*targets, *every])
        hashes = {(each.type, each.id): sha256(each.raw).digest() for each in layer}
        changed = {key for key in targets if key in held and held[key] != hashes[key]}
        wanted = [
            key
            for referrer, keys in targets.items()
            for key in keys
            if key not in self._read and (referrer in changed or key not in held)
        ]
        return list(dict.fromkeys(wanted))

    async def _one(self, reader: Reader, query: Query, key: Key, chased: Chased) -> Received | None:
        type_, id_ = key
        answer = read_one(await reader.read(type_, id_))
        self._read.add(key)
        if answer.received is None:
            if answer.status in GONE:
                chased.notes.append((type_, "is referred to and not there"))
            else:
                article = "an" if type_[0] in "AEIOU" else "a"
                chased.flaw = f"{article} {type_} that is referred to: status {answer.status}"
            return None
        resource = told(json.loads(answer.received.raw))
        if resource is not None and is_foreign(resource, query):
            chased.notes.append((type_, "is referred to and belongs to another patient"))
            return None
        return answer.received

    def _targets(self, referrer: Received) -> Iterator[Key]:
        resource = json.loads(referrer.raw)
        for members in self._members[referrer.type]:
            for value in _at(resource, members):
                reference = value.get("reference") if isinstance(value, dict) else None
                if isinstance(reference, str):
                    yield from self._key(reference)

    def _key(self, reference: str) -> Iterator[Key]:
        relative = reference.removeprefix(self._base).partition("/_history/")[0]
        type_, slash, id_ = relative.partition("/")
        if slash and type_.isalpha() and id_ and not set("/?#:") & set(id_):
            yield type_, id_


def _at(value: Any, members: tuple[str, ...]) -> Iterator[Any]:
    """The values at a path; arrays are walked through."""
    if isinstance(value, list):
        for each in value:
            yield from _at(each, members)
    elif not members:
        yield value
    elif isinstance(value, dict) and members[0] in value:
        yield from _at(value[members[0]], members[1:])
