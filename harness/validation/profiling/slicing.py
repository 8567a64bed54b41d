"""Slices: which one an item belongs to, how many there may be, and what each asks of its items.

https://hl7.org/fhir/R4/profiling.html#slicing
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

from harness.spec.definitions.model import UNBOUNDED, Element, Slicing
from harness.validation.findings import Rule
from harness.validation.profiling.discriminators import Discriminators
from harness.validation.telling import worded
from harness.validation.walking.fields import Walk
from harness.validation.walking.judging import Judging
from harness.validation.walking.once import said_once
from harness.validation.walking.paths import Path

Slicer: TypeAlias = Callable[[Sequence[Any], Path, Judging], None]
"""Judges all values of an element, given its path. None among them belong to no slice."""

_MOST_TOLD = 2
_OTHER, _UNKNOWN, _LEFT_OUT = -1, -2, -3
_By: TypeAlias = Callable[[Any, Judging], int]


@dataclass(frozen=True, slots=True)
class Piece:
    """A slice, compiled.

    Attributes:
        name: of the slice.
        element: its definition.
        steps: what it asks of each of its items.
        within: how its own items are sliced again, or None.
    """

    name: str
    element: Element
    steps: tuple[Walk, ...]
    within: Slicer | None = None

    @property
    def minimum(self) -> int:
        """How often at least."""
        return self.element.minimum or 0

    @property
    def maximum(self) -> int:
        """How often at most."""
        return UNBOUNDED if self.element.maximum is None else self.element.maximum


def slicer(slicing: Slicing, pieces: Sequence[Piece], by: Discriminators, profile: str) -> Slicer:
    """Makes the judge of an element that is sliced.

    Slices that nothing tells apart are said once, and not judged.
    """
    sort = _sorter(slicing, pieces, by)
    if sort is None:
        return _undecidable(profile)
    asked = tuple(piece.steps for piece in pieces)
    further = _further(slicing, pieces, profile)

    def judge(values: Sequence[Any], path: Path, run: Judging) -> None:
        places = [_LEFT_OUT if value is None else sort(value, run) for value in values]
        for index, place in enumerate(places):
            if place >= 0:
                for step in asked[place]:
                    step(values[index], (path, index), run)
        for each in further:
            each(values, places, path, run)

    return judge


_Further: TypeAlias = Callable[[Sequence[Any], Sequence[int], Path, Judging], None]
"""Judges all values, given the slice of each."""


def _further(slicing: Slicing, pieces: Sequence[Piece], profile: str) -> list[_Further]:
    steps: list[_Further] = []
    counted = [
        (index, piece)
        for index, piece in enumerate(pieces)
        if piece.minimum > 0 or piece.maximum < UNBOUNDED
    ]
    if counted:
        steps.append(_counted(counted, profile))
    for index, piece in enumerate(pieces):
        if piece.within is not None:
            steps.append(_again(index, piece.within))
    if slicing.rules != "open" or slicing.ordered:
        steps.append(_arranged(slicing, profile))
    return steps


def _counted(counted: Sequence[tuple[int, Piece]], profile: str) -> _Further:
    def judge(_: Sequence[Any], places: Sequence[int], path: Path, run: Judging) -> None:
        for index, piece in counted:
            count = places.count(index)
            if not piece.minimum <= count <= piece.maximum:
                if count < piece.minimum and _UNKNOWN in places:
                    continue
                _miscounted(piece, count, path, run, profile)

    return judge


def _again(index: int, within: Slicer) -> _Further:
    def judge(values: Sequence[Any], places: Sequence[int], path: Path, run: Judging) -> None:
        pairs = zip(values, places, strict=True)
        within([value if place == index else None for value, place in pairs], path, run)

    return judge


def _sorter(slicing: Slicing, pieces: Sequence[Piece], by: Discriminators) -> _By | None:
    """Tells the number of the slice that a value belongs to."""
    if [(each.path, each.kind) for each in slicing.discriminators] in (
        [("url", "value")],
        [("url", "pattern")],
    ):
        urls = [by.url(piece.element) for piece in pieces]
        if None not in urls:
            return _by_url({url: index for index, url in enumerate(urls) if url is not None})
    matchers = [by.matcher(piece.element, slicing.discriminators) for piece in pieces]
    if None in matchers:
        return None
    tests = [(index, test) for index, test in enumerate(matchers) if test is not None]

    def sort(value: Any, run: Judging) -> int:
        found = _OTHER
        for index, test in tests:
            answer = test(value, run)
            if answer:
                return index
            if answer is None:
                found = _UNKNOWN
        return found

    return sort


def _by_url(places: dict[str, int]) -> _By:
    def sort(value: Any, _: Judging) -> int:
        url = value.get("url") if value.__class__ is dict else None
        return places.get(url, _OTHER) if url.__class__ is str else _OTHER

    return sort


def _miscounted(piece: Piece, count: int, path: Path, run: Judging, profile: str) -> None:
    few = count < piece.minimum
    expected = f"at least {piece.minimum}" if few else f"at most {piece.maximum}"
    run.add_error(
        Rule.MINIMUM if few else Rule.MAXIMUM,
        path,
        f"{expected} in slice {piece.name}{asks(piece.element)}",
        str(count),
        profile,
    )


def asks(element: Element) -> str:
    """What its definition asks of the values of a slice, where it asks for certain values."""
    urls = [url for ref in element.types for url in ref.profiles]
    found = list(islice(_values(element, ""), _MOST_TOLD)) or urls[:1]
    return f" ({', '.join(found)})" if found else ""


def _values(element: Element, path: str) -> Iterator[str]:
    wanted = element.fixed if element.pattern is None else element.pattern
    if wanted is not None:
        yield f"{path} = {worded(wanted)}".removeprefix(" = ")
        return
    for name, child in element.children.items():
        yield from _values(child, f"{path}.{name}".removeprefix("."))


def _arranged(slicing: Slicing, profile: str) -> _Further:
    """What rules and order say beyond the slices themselves."""
    one_of = f"one of the slices {', '.join(slicing.slices)}"

    def judge(values: Sequence[Any], places: Sequence[int], path: Path, run: Judging) -> None:
        last, others = 0, False
        for index, place in enumerate(places):
            wrong = None
            if place == _OTHER:
                others = True
                wrong = one_of if slicing.rules == "closed" else None
            elif place >= 0:
                if slicing.ordered and place < last:
                    wrong = "slices in their order"
                elif slicing.rules == "openAtEnd" and others:
                    wrong = "slices before anything else"
                last = max(last, place)
            if wrong is not None:
                run.error(Rule.SLICING, (path, index), wrong, values[index], profile)

    return judge


def _undecidable(profile: str) -> Slicer:
    say = said_once("slices that their definition tells apart", profile)

    def judge(values: Sequence[Any], path: Path, run: Judging) -> None:
        if values:
            say(values[0], path, run)

    return judge
