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
        self._kept: OrderedDict[Key, Value] = OrderedDict()
        self._total = 0

    def get(self, key: Key) -> Value | None:
        """Returns a value; None if it is not kept."""
        value = self._kept.get(key)
        if value is not None:
            self._kept.move_to_end(key)
        return value

    def keep(self, key: Key, value: Value) -> Value:
        """Keeps a value, in the place of an earlier one; returns it."""
        self.drop(key)
        weight = self._weight(value)
        if weight <= self._most:
            self._kept[key] = value
            self._total += weight
        while self._total > self._most:
            self.drop(next(iter(self._kept)))
        return value

    def drop(self, key: Key) -> None:
        """Forgets a value."""
        if key in self._kept:
            self._total -= self._weight(self._kept.pop(key))

    def clear(self) -> None:
        """Forgets all."""
        self._kept.clear()
        self._total = 0
