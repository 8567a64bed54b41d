"""The current resources of one type that a search looks through, and what was learnt of them.

A shelf is immutable: a write makes another one. So what a search computed once holds for the next.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Final

from harness.reference.fhir.stored import Stored

MOST_REMEMBERED: Final = 64


class TooBroad(Exception):
    """So many patients cannot be looked at for one answer; one has to be named."""


class Shelf:
    """Resources, each once.

    Args:
        resources: current and not deleted, by id.
    """

    __slots__ = ("_learnt", "resources")

    def __init__(self, resources: Sequence[Stored]) -> None:
        self.resources = tuple(resources)
        self._learnt: dict[Hashable, Any] = {}

    @classmethod
    def of(cls, resources: Iterable[Stored]) -> Shelf:
        """Returns a shelf of resources in any order."""
        return cls(sorted(resources, key=_id))

    def after(self, written: Stored) -> Shelf:
        """Returns the shelf as it is after a write of a resource that belongs on it."""
        before = bisect_left(self.resources, written.id, key=_id)
        known = before < len(self) and self.resources[before].id == written.id
        instead = () if written.deleted else (written,)
        return Shelf((*self.resources[:before], *instead, *self.resources[before + known :]))

    def __len__(self) -> int:
        return len(self.resources)

    def learnt(self, key: Hashable, compute: Callable[[tuple[Stored, ...]], Any]) -> Any:
        """Returns what `compute` makes of the resources; for equal keys it is computed once."""
        if key not in self._learnt:
            if len(self._learnt) >= MOST_REMEMBERED:
                del self._learnt[next(iter(self._learnt))]
            self._learnt[key] = compute(self.resources)
        return self._learnt[key]


def _id(stored: Stored) -> str:
    return stored.id
