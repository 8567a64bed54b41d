"""Who is next: one patient's writes keep their order, patients do not wait for each other. Pure."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from harness.sync.outbox.model import Waiting


def _turn(waiting: Waiting) -> int:
    return waiting.place


@dataclass(slots=True)
class Line:
    """The open entries in memory; the store knows better, and is asked again by `refill`."""

    _by_patient: dict[str, list[Waiting]] = field(default_factory=dict)
    _known: set[int] = field(default_factory=set)
    _under_way: set[str] = field(default_factory=set)

    def refill(self, waiting: Iterable[Waiting]) -> None:
        """Take in the open entries of the store that are not here yet."""
        for each in waiting:
            if each.id not in self._known:
                self._known.add(each.id)
                insort(self._by_patient.setdefault(each.patient, []), each, key=_turn)

    def take(self, now: datetime, most: int) -> list[Waiting]:
        """The first of up to `most` patients whose turn it is; they count as under way."""
        found: list[Waiting] = []
        for patient, line in self._by_patient.items():
            if len(found) >= most:
                break
            if patient not in self._under_way and _is_due(line[0], now):
                found.append(line[0])
        self._under_way |= {each.patient for each in found}
        return found

    def back(self, waiting: Waiting, now_waiting: Waiting | None) -> None:
        """An entry is no longer under way; what is still open waits at the head of its line."""
        self._under_way.discard(waiting.patient)
        line = self._by_patient[waiting.patient]
        line.remove(waiting)
        if now_waiting is not None:
            insort(line, now_waiting, key=_turn)
            return
        self._known.discard(waiting.id)
        if not line:
            del self._by_patient[waiting.patient]

    def next_at(self) -> datetime | None:
        """When the first of those that wait is due; None where nobody waits for a time."""
        heads = [
            line[0].next_at
            for patient, line in self._by_patient.items()
            if patient not in self._under_way and line[0].next_at is not None
        ]
        return min(heads, default=None)

    def __len__(self) -> int:
        """How many are open, those under way included."""
        return len(self._known)


def _is_due(waiting: Waiting, now: datetime) -> bool:
    return waiting.next_at is None or waiting.next_at <= now
