"""What tells slices apart: from a slice and its discriminators to a test of values.

https://hl7.org/fhir/R4/profiling.html#discriminator

A test answers True or False, or None where the answer is in a resource that is not at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from harness.spec.definitions.model import Discriminator, Element, Profile, Strength, ValueSet
from harness.validation.elements.targets import Targets
from harness.validation.profiling.comparing import containing, equal_to
from harness.validation.profiling.steps import RESOLVE, found_at, leaves, parsed
from harness.validation.values.terminology import member
from harness.validation.walking.judging import Judging

Matcher: TypeAlias = Callable[[Any, Judging], bool | None]


class Discriminators:
    """Makes matchers.

    Args:
        profiles: where the slices of extensions are defined, by URL.
        value_sets: by URL.
        targets: decides what References lead to.
    """

    __slots__ = ("_profiles", "_targets", "_value_sets")

    def __init__(
        self,
        profiles: Mapping[str, Profile],
        value_sets: Mapping[str, ValueSet],
        targets: Targets,
    ) -> None:
        self._profiles = profiles
        self._value_sets = value_sets
        self._targets = targets

    def matcher(self, piece: Element, by: Sequence[Discriminator]) -> Matcher | None:
        """The test for one slice, or None where its definition does not tell it apart."""
        tests = [test for each in by for test in self._tests(piece, each)]
        if not tests:
            return None
        if len(tests) == 1:
            return tests[0]

        def every(value: Any, run: Judging) -> bool | None:
            answer: bool | None = True
            for test in tests:
                each = test(value, run)
                if each is False:
                    return False
                if each is None:
                    answer = None
            return answer

        return every

    def url(self, piece: Element) -> str | None:
        """The `url` of the extensions in a slice of them, or None."""
        for ref in piece.types:
            if ref.code == "Extension" and len(ref.profiles) == 1:
                return ref.profiles[0]
        child = piece.children.get("url")
        fixed = None if child is None else child.fixed or child.pattern
        return fixed if isinstance(fixed, str) else None

    def _tests(self, piece: Element, by: Discriminator) -> Iterator[Matcher]:
        path = parsed(by.path)
        if RESOLVE in path:
            yield self._through(piece, path)
            return
        element, wanted = self._at(piece, path)
        if by.kind == "exists":
            yield _exists(path, wanted=element is None or element.maximum != 0)
        elif by.kind in ("type", "profile"):
            if element is not None and element.types:
                yield _typed(path, frozenset(ref.code for ref in element.types))
        elif wanted:
            yield from (_value(path, test) for test in wanted)
        elif element is not None:
            yield from self._within(element, path)

    def _at(self, piece: Element, path: Sequence[str]) -> tuple[Element | None, list[Any]]:
        """The slice's element at a path, and tests that some value there has to pass."""
        element: Element | None = piece
        drilled: list[Any] = [v for v in (piece.fixed, piece.pattern) if v is not None]
        exact = piece.fixed is not None
        for name in path:
            drilled = [each for value in drilled for each in _drilled(value, name)]
            element = None if element is None else self._child(element, name)
            if element is not None and (element.fixed, element.pattern) != (None, None):
                exact = element.fixed is not None
                drilled = [element.fixed if exact else element.pattern]
        return element, [equal_to(each) if exact else containing(each) for each in drilled]

    def _child(self, element: Element, name: str) -> Element | None:
        if name.startswith("extension("):
            return self._extension(element, name[10:-1])
        for children in self._children(element):
            found = children.get(name) or children.get(f"{name}[x]")
            if found is not None:
                return found
        if name == "url" and (url := self.url(element)) is not None:
            return Element("url", fixed=url)
        return None

    def _children(self, element: Element) -> Iterator[Mapping[str, Element]]:
        yield element.children
        for ref in element.types:
            for url in ref.profiles:
                if (profile := self._profiles.get(url)) is not None:
                    yield profile.root.children

    def _extension(self, element: Element, url: str) -> Element | None:
        for children in self._children(element):
            array = children.get("extension")
            for piece in array.slicing.slices.values() if array and array.slicing else ():
                if self.url(piece) == url:
                    return piece
        return None

    def _within(self, element: Element, path: tuple[str, ...]) -> Iterator[Matcher]:
        """What a slice asks below the path, when it says nothing at the path itself."""
        binding = element.binding
        if binding is not None and binding.strength is Strength.REQUIRED:
            value_set = self._value_sets.get(binding.value_set)
            yield _coded(path, value_set)
            return
        for name, child in element.children.items():
            further = (*path, name.removesuffix("[x]"))
            if child.fixed is not None:
                yield _value(further, equal_to(child.fixed))
            elif child.pattern is not None:
                yield _value(further, containing(child.pattern))
            elif child.slicing is None:
                yield from self._within(child, further)

    def _through(self, piece: Element, path: tuple[str, ...]) -> Matcher:
        """By what a Reference leads to, of which only the type can be known."""
        before = path[: path.index(RESOLVE)]
        element, _ = self._at(piece, before)
        permitted = None if element is None else self._targets.permitted(element.types)
        sure = path[-1] == RESOLVE

        def test(value: Any, run: Judging) -> bool | None:
            kinds = [self._targets.type_of(leaf, run) for leaf in leaves(value, before)]
            if permitted is None or not kinds or None in kinds:
                return None
            found = any(kind in permitted for kind in kinds)
            return found if sure or not found else None

        return test


def _drilled(value: Any, name: str) -> list[Any]:
    """The parts of a pattern at the next step of a path."""
    found = value.get(name) if isinstance(value, dict) else None
    if found is None:
        return []
    return found if isinstance(found, list) else [found]


def _value(path: tuple[str, ...], wanted: Callable[[Any], bool]) -> Matcher:
    test = found_at(path, wanted)
    return lambda value, _: test(value)


def _exists(path: tuple[str, ...], *, wanted: bool) -> Matcher:
    def test(value: Any, _: Judging) -> bool:
        return any(True for _ in leaves(value, path)) is wanted

    return test


def _typed(path: tuple[str, ...], permitted: frozenset[str]) -> Matcher:
    anything = "Resource" in permitted

    def test(value: Any, _: Judging) -> bool | None:
        kinds = [
            leaf.get("resourceType") if isinstance(leaf, dict) else None
            for leaf in leaves(value, path)
        ]
        return any(anything or (isinstance(kind, str) and kind in permitted) for kind in kinds)

    return test


def _coded(path: tuple[str, ...], value_set: ValueSet | None) -> Matcher:
    certain = {} if value_set is None else {s: c for s, c in value_set.codes.items() if c}
    surely = found_at(path, lambda leaf: _is_one_of(leaf, certain))

    def test(value: Any, _: Judging) -> bool | None:
        if surely(value):
            return True
        answers = {answer for leaf in leaves(value, path) for answer in _members(leaf, value_set)}
        return True if True in answers else None if None in answers else False

    return test


def _is_one_of(leaf: Any, certain: Mapping[str, frozenset[str]]) -> bool:
    codings = leaf.get("coding") if leaf.__class__ is dict else None
    for coding in codings if codings.__class__ is list else ():
        if coding.__class__ is dict:
            system, code = coding.get("system"), coding.get("code")
            if (
                system.__class__ is str
                and code.__class__ is str
                and code in certain.get(system, ())
            ):
                return True
    return False


def _members(leaf: Any, value_set: ValueSet | None) -> Iterator[bool | None]:
    if isinstance(leaf, str):
        yield member(value_set, None, leaf)
    elif isinstance(leaf, dict):
        codings = leaf.get("coding")
        for coding in codings if isinstance(codings, list) else [leaf]:
            if isinstance(coding, dict):
                system, code = coding.get("system"), coding.get("code")
                if isinstance(code, str) and isinstance(system, str):
                    yield member(value_set, system, code)
