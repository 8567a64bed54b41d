"""Notes, during the walk, which parts that have to be supported are present."""

from __future__ import annotations

from typing import Any

from harness.spec.definitions.model import Element, Profile, TypeRef
from harness.validation.coverage.supporting import of_type, of_value, supported, to_target
from harness.validation.elements.targets import Targets
from harness.validation.walking.fields import Walk
from harness.validation.walking.judging import Judging
from harness.validation.walking.paths import Path


class Recording:
    """Makes the steps that note parts of one profile.

    Args:
        profile: the profile.
        targets: decides what References lead to.

    Attributes:
        root: of the profile, with every element that is to be noted.
    """

    __slots__ = ("_parts", "_targets", "_url", "_values", "root")

    def __init__(self, profile: Profile, targets: Targets) -> None:
        asked = supported(profile)
        self.root = asked.root
        self._url = profile.url
        self._targets = targets
        # A choice may name a part that no flag asks for.
        others = {each.label for choice in asked.choices for each in choice}
        self._parts = frozenset(asked.parts) | others
        self._values = [each.value for each in profile.support.added if each.value is not None]

    def whole(self) -> Walk:
        """Notes that something was judged by the profile."""
        return self._noted(self.root.name)

    def steps(self, label: str, element: Element, code: str) -> list[Walk]:
        """What is noted of values of one type of an element."""
        parts = [part for part in (label, of_type(label, code)) if part in self._parts]
        made = [self._noted(part) for part in parts]
        made += [
            self._valued(of_value(label, value), value)
            for value in self._values
            if of_value(label, value) in self._parts
        ]
        for ref in element.types:
            if ref.code == code and ref.targets:
                made += self._led(label, ref)
        return made

    def _noted(self, part: str) -> Walk:
        mark = (self._url, part)

        def note(_value: Any, _path: Path, run: Judging) -> None:
            run.seen.add(mark)

        return note

    def _valued(self, part: str, wanted: str) -> Walk:
        mark = (self._url, part)

        def note(value: Any, _path: Path, run: Judging) -> None:
            if value == wanted:
                run.seen.add(mark)

        return note

    def _led(self, label: str, ref: TypeRef) -> list[Walk]:
        marks: dict[str, list[tuple[str, str]]] = {}
        for url in ref.targets:
            part, kind = to_target(label, url), self._targets.type_named(url)
            if part in self._parts and kind is not None:
                marks.setdefault(kind, []).append((self._url, part))
        if not marks:
            return []

        def note(value: Any, _path: Path, run: Judging) -> None:
            kind = self._targets.type_of(value, run)
            if kind is not None:
                run.seen.update(marks.get(kind, ()))

        return [note]
