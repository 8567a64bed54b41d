"""Sets of codes of which not all may be known, and what can be done with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

Codes: TypeAlias = frozenset[str] | None
"""Of one system; None stands for all of them."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a set of codes.

    Attributes:
        codes: that are in it for certain, by system.
        partly: systems of which it may have further codes.
        anywhere: whether it may have codes of any system.
    """

    codes: Mapping[str, Codes] = field(default_factory=dict)
    partly: frozenset[str] = frozenset()
    anywhere: bool = False

    def may_reach(self, system: str) -> bool:
        """Whether it may have codes of this system that are not known."""
        return self.anywhere or system in self.partly


UNKNOWN = Known(anywhere=True)


def union(sets: Iterable[Known]) -> Known:
    """What is in any of them."""
    codes: dict[str, Codes] = {}
    partly: frozenset[str] = frozenset()
    anywhere = False
    for each in sets:
        for system, known in each.codes.items():
            before = codes.get(system, frozenset())
            codes[system] = None if before is None or known is None else before | known
        partly |= each.partly
        anywhere = anywhere or each.anywhere
    return Known(
        codes, partly - {system for system, known in codes.items() if known is None}, anywhere
    )


def intersection(one: Known, other: Known) -> Known:
    """What is in both."""
    codes: dict[str, Codes] = {}
    partly = set()
    for system in {*one.codes, *other.codes, *one.partly, *other.partly}:
        here, there = one.codes.get(system, frozenset()), other.codes.get(system, frozenset())
        both = there if here is None else here if there is None else here & there
        if both is None or both:
            codes[system] = both
        # A code that one has and the other may have, or that both may have, may be in both.
        if both is not None and (
            (one.may_reach(system) and (there != frozenset() or other.may_reach(system)))
            or (other.may_reach(system) and here != frozenset())
        ):
            partly.add(system)
    return Known(codes, frozenset(partly), one.anywhere and other.anywhere)


def difference(one: Known, without: Known) -> Known:
    """What is in the first and not in the second."""
    codes: dict[str, Codes] = {}
    partly = set(one.partly)
    for system, here in one.codes.items():
        gone = without.codes.get(system, frozenset())
        if gone is None:
            continue
        if without.may_reach(system) or (here is None and gone):
            partly.add(system)
        elif here is None:
            codes[system] = None
        elif here - gone:
            codes[system] = here - gone
    gone_whole = {system for system, known in without.codes.items() if known is None}
    return Known(codes, frozenset(partly - gone_whole), one.anywhere)
