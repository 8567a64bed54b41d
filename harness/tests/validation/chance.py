"""Mutants by chance: what could be wrong with a resource, drawn from a seed.

Each operator changes one place. Some mutants are valid all the same: what they are good for is
that several validators have to say the same of them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

Place = tuple[Any, Any]
"""An object or array of a resource, and the member name or index in it."""
Operator = Callable[[Random, Any, Any], None]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A mutant by chance.

    Args:
        name: of seed, number, and what it was made of: the same again for the same corpus.
        operator: what was done.
        path: where, as a path of member names and indices.
        resource: the changed copy.
    """

    name: str
    operator: str
    path: str
    resource: Any


def drawn(corpus: Sequence[tuple[str, Any]], number: int, seed: int) -> Iterator[Drawn]:
    """Yields `number` mutants of the resources of a corpus, each from a generator of its own."""
    for index in range(number):
        random = Random(f"{seed}/{index}")
        name, resource = corpus[random.randrange(len(corpus))]
        made = _mutant(random, resource)
        if made is not None:
            operator, path, mutant = made
            yield Drawn(f"{seed}/{index} {name}", operator, path, mutant)


def _mutant(random: Random, resource: Any) -> tuple[str, str, Any] | None:
    made = copy.deepcopy(resource)
    for _ in range(TRIES):
        name = random.choice(NAMES)
        fits, operator = OPERATORS[name]
        places = [one for one in _places(made, "") if fits(one[1][one[2]], one[2])]
        if not places:
            continue
        path, parent, last = random.choice(places)
        operator(random, parent, last)
        if made != resource:
            return name, path, made
    return None


def _places(value: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            at = f"{path}.{name}" if path else name
            yield at, value, name
            yield from _places(inner, at)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield f"{path}[{index}]", value, index
            yield from _places(inner, f"{path}[{index}]")


def _anything(value: Any, last: Any) -> bool:
    return bool(last != "div")


def _is(kind: type) -> Callable[[Any, Any], bool]:
    return lambda value, last: isinstance(value, kind) and last != "div"


def _member(value: Any, last: Any) -> bool:
    return isinstance(last, str)


def _named(*names: str) -> Callable[[Any, Any], bool]:
    return lambda value, last: last in names and isinstance(value, str)


def _choice(value: Any, last: Any) -> bool:
    return isinstance(last, str) and any(map(last.startswith, CHOICES))


def _remove(random: Random, parent: Any, last: Any) -> None:
    del parent[last]


def _becomes(*values: Any) -> Operator:
    def change(random: Random, parent: Any, last: Any) -> None:
        parent[last] = copy.deepcopy(random.choice(values))

    return change


def _other_kind(random: Random, parent: Any, last: Any) -> None:
    value = parent[last]
    match value:
        case bool():
            parent[last] = random.choice([str(value).lower(), int(value), [value]])
        case int() | float():
            parent[last] = random.choice([str(value), [value], {"value": value}, True])
        case str():
            parent[last] = random.choice([7, 1.5, True, [value], {"value": value}])
        case list():
            parent[last] = random.choice([value[0] if value else "x", {"0": value}, [value]])
        case dict():
            parent[last] = random.choice([[value], "x", 1])


def _twice(random: Random, parent: Any, last: Any) -> None:
    parent[last].append(copy.deepcopy(random.choice(parent[last])) if parent[last] else "x")


def _reversed(random: Random, parent: Any, last: Any) -> None:
    parent[last].reverse()


def _misspelt(random: Random, parent: Any, last: Any) -> None:
    parent[random.choice([last.capitalize(), last + "s", last[:-1] or "x"])] = parent.pop(last)


def _foreign(random: Random, parent: Any, last: Any) -> None:
    if isinstance(parent[last], dict):
        parent[last][random.choice(["foo", "comments", "fhir_comments", "Code"])] = "bar"


def _beside(random: Random, parent: Any, last: Any) -> None:
    parent["_" + last.removeprefix("_")] = copy.deepcopy(random.choice(SIBLINGS))


def _other_type(random: Random, parent: Any, last: Any) -> None:
    start = next(one for one in CHOICES if last.startswith(one))
    kind, value = random.choice(list(VALUES.items()))
    if random.random() < KEPT:
        value = parent[last]
    del parent[last]
    parent[start + kind] = copy.deepcopy(value)


def _second_choice(random: Random, parent: Any, last: Any) -> None:
    start = next(one for one in CHOICES if last.startswith(one))
    kind, value = random.choice(list(VALUES.items()))
    parent[start + kind] = copy.deepcopy(value)


def _text(random: Random, parent: Any, last: Any) -> None:
    value = parent[last]
    changed = [f" {value}", f"{value} ", value.upper(), value.lower(), value[:-1], value * 2]
    changed += [value.replace("-", "/"), f"{value}\x00", f"{value}\t", "x" * 70, f"{value}!"]
    parent[last] = random.choice(changed)


def _number(random: Random, parent: Any, last: Any) -> None:
    if not isinstance(parent[last], bool):
        parent[last] = random.choice([-parent[last], parent[last] + 0.5, 0, 2**31, 10**30, -1])


CHOICES: Final = (
    "value", "effective", "onset", "abatement", "deceased", "multipleBirth", "medication",
    "performed", "occurrence", "reported", "asNeeded", "due", "start", "product", "collected",
)  # fmt: skip
VALUES: Final = {
    "String": "words", "Boolean": True, "Integer": 3, "DateTime": "2024-05-01",
    "Quantity": {"value": 1}, "CodeableConcept": {"text": "words"}, "Code": "final",
    "Period": {"start": "2024-05-01"}, "Reference": {"reference": "Patient/1"},
    "Range": {"low": {"value": 1}}, "Foo": "x", "Age": {"value": 1, "code": "a"},
}  # fmt: skip
SIBLINGS: Final[tuple[Any, ...]] = (
    {"id": "a"}, {"extension": [{"url": "http://example.org/x", "valueString": "x"}]},
    {}, [], None, "x", {"extension": []}, [{"id": "a"}], [None], {"foo": 1},
)  # fmt: skip
KEPT: Final = 0.3
TRIES: Final = 20
DATES: Final = (
    "2023-02-29", "2024-02-29", "2024-13-01", "02/20/1987", "2024-05-01T10:00:00",
    "2024-05-01T25:00:00Z", "2024-05-01T10:00:00.123456789Z", "2024-05-01T10:00Z", "2024",
    "2024-05-01T10:00:00+14:30", "2024-5-1", "0000", "2024-05-01T24:00:00Z", "2024-05", "now",
    "2024-05-01T10:00:60Z", "2024-05-01t10:00:00z", "2024-05-01T10:00:00-05:00",
)  # fmt: skip
TYPES: Final = ("Patient", "Observation", "Practitioner", "Organization", "Device", "Foo", "Group")

OPERATORS: Final[dict[str, tuple[Callable[[Any, Any], bool], Operator]]] = {
    "removed": (_anything, _remove),
    "empty string": (_is(str), _becomes("", " ")),
    "empty": (_anything, _becomes({}, [])),
    "null": (_anything, _becomes(None)),
    "other JSON kind": (_anything, _other_kind),
    "item twice": (_is(list), _twice),
    "items reversed": (_is(list), _reversed),
    "misspelt member": (_member, _misspelt),
    "foreign member": (_is(dict), _foreign),
    "sibling of a primitive": (_member, _beside),
    "other type of a choice": (_choice, _other_type),
    "second type of a choice": (_choice, _second_choice),
    "text": (_is(str), _text),
    "number": (lambda value, last: type(value) in (int, float), _number),
    "code": (_named("code", "status", "use", "gender", "intent", "mode", "type"),
             _becomes("zzz", "final", "active", "8867-4", "kg", "with space", "UNK", "usual")),
    "system": (_named("system", "url"),
               _becomes("http://loinc.org", "http://snomed.info/sct", "http://example.org/x",
                        "urn:oid:2.16.840.1.113883.6.238", "with space", "relative", "phone")),
    "date": (lambda value, last: isinstance(value, str) and value[:4].isdigit(),
             _becomes(*DATES)),
    "reference": (_named("reference"),
                  _becomes(*(f"{one}/1" for one in TYPES), "#gone", "http://example.org/x",
                           "urn:uuid:1", "Patient", "https://example.org/fhir/Practitioner/2",
                           "urn:uuid:7a8e9b32-2a37-4e9e-a5b7-5f1b0c5f7a01")),
    "resource type": (_named("resourceType"), _becomes(*TYPES, "observation", "Bundle")),
    "id": (_named("id"), _becomes("a_b", "x" * 65, "", "x" * 64, "A-1.b", "a b", 7)),
}  # fmt: skip
"""By name: where an operator can be used, and what it does there."""
NAMES: Final = tuple(OPERATORS)
