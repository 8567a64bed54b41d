"""Changing what others may have changed: element by element, and never over their heads. Pure.

A change is what differs between the version that it is based on and what is wanted. It may be
carried over to a newer version of the EHR as long as that one did not touch the same elements.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.fhir.fidelity import same
from harness.sync.outbox.text import dumps, loads_plain

_SERVERS_OWN = frozenset({"resourceType", "id", "meta", "text"})

Resource = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Merged:
    """What to do about the EHR's current version.

    Attributes:
        resource: what to send; None where there is nothing to send.
        clashes: elements that both sides changed.
    """

    resource: dict[str, Any] | None = None
    clashes: tuple[str, ...] = ()


def changes(base: Resource, wanted: Resource) -> dict[str, Any]:
    """The elements that are to become something else; None: to be taken away."""
    names = [name for name in {**base, **wanted} if name not in _SERVERS_OWN]
    return {n: wanted.get(n) for n in names if dumps(base.get(n)) != dumps(wanted.get(n))}


def merged(base: Resource | None, change: Mapping[str, Any], current: Resource) -> Merged:
    """Carry a change over to what the EHR has now.

    Args:
        base: what the change is based on; None where nothing of others can be lost by it.
        change: as `changes` gives it.
        current: the EHR's current version.
    """
    left = {name: value for name, value in change.items() if not _equal(name, value, current)}
    if not left:
        return Merged()
    if base is not None:
        touched = [name for name in left if not _equal(name, base.get(name), current)]
        if touched:
            return Merged(clashes=tuple(touched))
    result = {name: value for name, value in current.items() if name not in left}
    return Merged(result | {name: value for name, value in left.items() if value is not None})


def lost(change: Mapping[str, Any], current: Resource) -> tuple[str, ...]:
    """The elements of a change that a version of the EHR does not show."""
    return tuple(name for name, value in change.items() if not _equal(name, value, current))


def _equal(name: str, value: Any, current: Resource) -> bool:
    """Whether the EHR has an element as given; what it adds to it by itself does not count."""
    if value is None:
        return current.get(name) is None
    written, read = ({name: each} for each in (value, current.get(name)))
    return bool(same(loads_plain(dumps(written)), loads_plain(dumps(read))))
