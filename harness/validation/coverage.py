"""Which parts that have to be supported were present over a set of resources.

https://hl7.org/fhir/us/core/must-support.html. A part counts as present when one resource has it:
what an EHR never sends in any of its resources is what a person has to look at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable


class Coverage:
    """What a validator has met so far; hand it to the validator that judges the resources."""

    def __init__(self) -> None:
        self._seen: Counter[tuple[str, str]] = Counter()

    def add(self, seen: Iterable[tuple[str, str]]) -> None:
        """Takes in what one resource had: profile and part."""
        self._seen.update(seen)
