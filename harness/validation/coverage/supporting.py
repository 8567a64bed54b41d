"""What of a profile has to be supported, part by part.

https://hl7.org/fhir/us/core/must-support.html

A part is named as the definition names its elements: `Patient.name.family`, a slice
`Patient.extension:race`; one type of a choice `Goal.start[x] as date`; one target of a Reference
`CareTeam.participant.member -> us-core-practitioner`; one value `Patient.name.use = old`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from harness.spec.definitions.model import Amendment, Element, Profile

_FURTHER = (".", ":", " as ", " -> ", " = ")
_CHOICE = "[x]"


def of_type(label: str, code: str) -> str:
    """The name of an element in one of its types."""
    return f"{label} as {code}"


def to_target(label: str, url: str) -> str:
    """The name of a Reference to one of its targets."""
    return f"{label} -> {url.rpartition('/')[2]}"


def of_value(label: str, value: str) -> str:
    """The name of an element with one value."""
    return f"{label} = {value}"


@dataclass(frozen=True, slots=True)
class Alternative:
    """One of several parts of which one is enough.

    Attributes:
        label: what has to be present.
        parts: what need not be, where another alternative is present.
    """

    label: str
    parts: frozenset[str]


@dataclass(frozen=True, slots=True)
class Supported:
    """What has to be supported.

    Attributes:
        root: of the profile, with every element that is to be noted.
        parts: all of them, in the definition's order.
        choices: alternatives of which one is enough.
    """

    root: Element
    parts: tuple[str, ...]
    choices: tuple[tuple[Alternative, ...], ...]

    def missing(self, seen: frozenset[str]) -> tuple[str, ...]:
        """The parts that are not among `seen`, unless an alternative is."""
        excused = {
            part
            for alternatives in self.choices
            if any(each.label in seen for each in alternatives)
            for each in alternatives
            for part in each.parts
        }
        return tuple(part for part in self.parts if part not in seen and part not in excused)


def supported(profile: Profile) -> Supported:
    """What a profile's flags and its guide's words ask to be supported."""
    support, root = profile.support, profile.root
    asked = [each.element for each in support.added]
    asked += [name for choice in support.choices for name in choice.elements]
    for name in asked:
        root = _grafted(root, name.split("."))
    parts = [*_flagged(root, root.name)]
    for amendment in support.added:
        parts += [part for part in _amended(root, amendment) if part not in parts]
    for amendment in support.withdrawn:
        gone = _amended(root, amendment)
        parts = [part for part in parts if not any(_within(part, each) for each in gone)]
    choices = []
    for choice in support.choices:
        if choice.targets:
            label, _ = _located(root, choice.elements[0])
            labels = [to_target(label, url) for url in choice.targets]
            choices.append(tuple(Alternative(each, frozenset({each})) for each in labels))
        else:
            choices.append(tuple(_alternative(root, name, parts) for name in choice.elements))
    return Supported(root, tuple(parts), tuple(choices))


def _flagged(element: Element, label: str) -> Iterator[str]:
    if element.must_support or element.uscdi:
        yield label
    for ref in element.types:
        if ref.must_support and len(element.types) > 1:
            yield of_type(label, ref.code)
        for url in ref.must_support_targets:
            yield to_target(label, url)
    slices: Mapping[str, Element] = {} if element.slicing is None else element.slicing.slices
    for name, piece in slices.items():
        yield from _flagged(piece, f"{label}:{name}")
    for name, child in element.children.items():
        yield from _flagged(child, f"{label}.{name}")


def _amended(root: Element, amendment: Amendment) -> list[str]:
    label, code = _located(root, amendment.element)
    if amendment.targets:
        return [to_target(label, url) for url in amendment.targets]
    if amendment.value is not None:
        return [of_value(label, amendment.value)]
    return [label if code is None else of_type(label, code)]


def _alternative(root: Element, name: str, parts: list[str]) -> Alternative:
    label, code = _located(root, name)
    inner = frozenset(part for part in parts if part == label or _narrower(part, label))
    values = sorted(part for part in inner if part.startswith(f"{label} = "))
    if code is not None:
        return Alternative(of_type(label, code), inner | {of_type(label, code)})
    return Alternative(values[0] if values else label, inner | {label})


def _narrower(part: str, label: str) -> bool:
    return part.startswith(tuple(label + each for each in (" as ", " -> ", " = ")))


def _within(part: str, label: str) -> bool:
    return part == label or part.startswith(tuple(label + each for each in _FURTHER))


def _located(root: Element, name: str) -> tuple[str, str | None]:
    """The label of an element by its id below the root, and its type where the id names one."""
    label, code = root.name, None
    here: Element | None = root
    for step in name.split("."):
        child, _, piece = step.partition(":")
        found = None if here is None else _child(here, child)
        if found is not None and found.name != child:
            code = _code(found, child)
            child = found.name
        label += f".{child}" + (f":{piece}" if piece else "")
        here = found
        if piece and found is not None and found.slicing is not None:
            here = found.slicing.slices.get(piece)
    return label, code


def _child(element: Element, name: str) -> Element | None:
    """A child by its name, or the choice of which `name` is one type."""
    if name in element.children:
        return element.children[name]
    for child in element.children.values():
        if child.name.endswith(_CHOICE) and name.startswith(child.name.removesuffix(_CHOICE)):
            return child
    return None


def _code(choice: Element, name: str) -> str:
    spelled = name.removeprefix(choice.name.removesuffix(_CHOICE))
    for ref in choice.types:
        if ref.code[0].upper() + ref.code[1:] == spelled:
            return ref.code
    return spelled[0].lower() + spelled[1:]


def _grafted(element: Element, steps: list[str]) -> Element:
    """An element with a descendant that its profile does not mention."""
    if not steps:
        return element
    name = steps[0].partition(":")[0]
    child = _child(element, name) or Element(name)
    children = {**element.children, child.name: _grafted(child, steps[1:])}
    return replace(element, children=children)
