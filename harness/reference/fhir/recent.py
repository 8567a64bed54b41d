"""A bounded memory of what can be made again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """Keeps what was asked for last, up to a total weight; the rest gives way.

    Args:
        most: the weight that all values have together, at most; a heavier one is not kept at all.
        weight: of one value.
    """

    def __init__(self, most: int, weight: Callable[[Value], int]) -> None:
        self._most = most
        self._weight = weight
        self._kept: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self._total = 0

    def get(self, key: Key) -> Value | None:
        """Returns a value; None if it is not kept."""
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key][0]

    def keep(self, key: Key, value: Value) -> Value:
        """Keeps a value at its weight of now, in the place of an earlier one; returns it."""
        self.drop(key)
        weight = self._weight(value)
        if weight <= self._most:
            self._kept[key] = (value, weight)
            self._total += weight
        while self._total > self._most:
            self.drop(next(iter(self._kept)))
        return value

    def drop(self, key: Key) -> None:
        """Forgets a value."""
        if key in self._kept:
            self._total -= self._kept.pop(key)[1]

    def clear(self) -> None:
        """Forgets all."""
        self._kept.clear()
        self._total = 0
