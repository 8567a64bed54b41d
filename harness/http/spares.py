"""Connections that wait for their next request, of which the one that was used last goes first.

So few are used, however many there are, and only one that is about to be used is looked at.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, Protocol, TypeVar


class Waiting(Protocol):
    """A connection."""

    @property
    def is_through(self) -> bool:
        """Whether its last answer was read to the end."""
        ...

    @property
    def is_ready(self) -> bool:
        """Whether it can be asked; looks at the connection."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


P = TypeVar("P", bound=Hashable)
C = TypeVar("C", bound=Waiting)


class Spares(Generic[P, C]):
    """Lends connections by where they lead; how many are lent is for the borrowers to bound.

    Args:
        most: how many may wait; of more the one that waited longest is closed.
    """

    def __init__(self, most: int = 16) -> None:
        self._most = most
        self._waiting: list[tuple[P, C]] = []

    def take(self, place: P) -> C | None:
        """One that leads to `place` and is ready; None if there is none."""
        for index in range(len(self._waiting) - 1, -1, -1):
            if self._waiting[index][0] == place:
                connection = self._waiting.pop(index)[1]
                if connection.is_ready:
                    return connection
                connection.close()
        return None

    def give(self, place: P, connection: C) -> None:
        """Take one back; one whose last answer was given up is closed."""
        if not connection.is_through:
            connection.close()
            return
        self._waiting.append((place, connection))
        if len(self._waiting) > self._most:
            self._waiting.pop(0)[1].close()

    def close(self) -> None:
        """Close all that wait."""
        while self._waiting:
            self._waiting.pop()[1].close()
