"""Many strings, looked for in a text at once.

Text is looked at in strides: of each string the table has every piece of a few characters near its
end, so that one of them lies wherever a stride ends inside it. Ends differ where beginnings are
alike, as those of JSON Web Tokens are.
"""

from __future__ import annotations

from collections.abc import Iterable

PIECE = 6
"""Characters that are looked up at a time."""

LONG = 16
"""Strings of fewer characters are looked for one by one."""

STRIDE = LONG - PIECE + 1


class Needles:
    """A growing set of strings."""

    def __init__(self, needles: Iterable[str] = ()) -> None:
        self._short: set[str] = set()
        self._pieces: dict[str, set[tuple[str, int]]] = {}
        for each in needles:
            self.add(each)

    def add(self, needle: str) -> None:
        """Look for `needle` as well; it is not empty."""
        if len(needle) < LONG:
            self._short.add(needle)
            return
        for at in range(len(needle) - LONG, len(needle) - PIECE + 1):
            self._pieces.setdefault(needle[at : at + PIECE], set()).add((needle, at))

    def found(self, text: str) -> list[tuple[int, str]]:
        """Where in `text` which of them start, in order; of those that start together the longest.

        They may overlap.
        """
        longest: dict[int, str] = {}
        pieces = self._pieces
        ends = range(0, len(text) - PIECE + 1, STRIDE)
        for at in [each for each in ends if text[each : each + PIECE] in pieces]:
            for needle, offset in pieces[text[at : at + PIECE]]:
                start = at - offset
                if start >= 0 and text.startswith(needle, start):
                    _keep(longest, start, needle)
        for needle in self._short:
            start = text.find(needle)
            while start >= 0:
                _keep(longest, start, needle)
                start = text.find(needle, start + 1)
        return sorted(longest.items())


def _keep(longest: dict[int, str], start: int, needle: str) -> None:
    if len(needle) > len(longest.get(start, "")):
        longest[start] = needle
