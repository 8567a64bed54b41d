"""Bindings, fixed values and patterns as schema."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from harness.spec.definitions.model import Binding, Strength, ValueSet
from harness.validation.fast.combining import both
from harness.validation.fast.primitives import Schema
from harness.validation.findings import Severity
from harness.validation.values.primitives import CHECKS
from harness.validation.values.terminology import judge

MOST_CODES: Final = 3000
MEMBER: Final = "fhirMember"
"""A keyword of our own, for value sets that are not enumerated."""


def bound(binding: Binding | None, code: str, value_sets: Mapping[str, ValueSet]) -> Schema:
    """What the values of a type may be for a binding, as far as it makes errors.

    Args:
        binding: of the element, or None.
        code: the type of its values.
        value_sets: by URL.
    """
    if binding is None:
        return True
    url = binding.value_set if binding.strength is Strength.REQUIRED else binding.maximum
    if url is None:
        return True
    value_set = value_sets.get(url)
    if value_set is None:
        return True  # the exact checker cannot know either, and says so without an error
    known, way = enumerated(value_set), _WAYS.get(code)
    if known is not None and way is not None:
        return way(known)
    return {MEMBER: [binding.strength.value, binding.value_set, binding.maximum, code]}


def enumerated(value_set: ValueSet | None) -> Mapping[str, frozenset[str]] | None:
    """The codes by system, where they are few and there are no others."""
    if value_set is None or not value_set.complete:
        return None
    known = {system: codes for system, codes in value_set.codes.items() if codes is not None}
    few = 0 < sum(map(len, known.values())) <= MOST_CODES
    return known if few and len(known) == len(value_set.codes) else None


def coding(known: Mapping[str, frozenset[str]]) -> Schema:
    """A system and a code among these."""
    made: list[Schema] = [
        _having({"system": {"const": system}, "code": {"enum": _right(codes)}})
        for system, codes in known.items()
        if codes
    ]
    return made[0] if len(made) == 1 else {"anyOf": made}


def concept(known: Mapping[str, frozenset[str]]) -> Schema:
    """Some coding among these."""
    return _having({"coding": {"contains": coding(known)}})


def pattern(value: Any) -> Schema:
    """All of this value, and perhaps more; that it is of its type, its type's schema says."""
    if isinstance(value, dict):
        return {
            "properties": {name: pattern(each) for name, each in value.items()},
            "required": list(value),
        }
    if isinstance(value, list):
        return both(*({"contains": pattern(each)} for each in value))
    return {"const": value}


def _having(properties: dict[str, Schema]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _string(known: Mapping[str, frozenset[str]]) -> Schema:
    """A code whose system goes without saying."""
    return {"enum": _right({each for codes in known.values() for each in codes})}


def _right(codes: Iterable[str]) -> list[str]:
    """Those that are codes indeed; of what is enumerated that is not asked again."""
    return sorted(each for each in codes if CHECKS["code"](each) is None)


_WAYS: Final[Mapping[str, Callable[[Mapping[str, frozenset[str]]], Schema]]] = {
    **dict.fromkeys(("code", "string", "uri", "url", "canonical", "id", "oid"), _string),
    **dict.fromkeys(("Coding", "Quantity", "Age", "Count", "Distance", "Duration"), coding),
    "CodeableConcept": concept,
}
"""By the type of the values."""


def members(value_sets: Mapping[str, ValueSet]) -> type:
    """The keyword `MEMBER`, as the library asks for it: the exact checker's own judgement."""

    class Members:
        def __init__(self, _schema: object, value: list[str], _path: object) -> None:
            strength, url, maximum, kind = value
            binding = Binding(Strength(strength), url, maximum)
            outer = value_sets.get(maximum) if maximum else None
            self._judge = judge(binding, value_sets.get(url), outer, kind)

        def validate(self, instance: Any) -> None:
            """Raises where the exact checker finds an error."""
            found = self._judge and self._judge(instance)
            if found and found.severity is Severity.ERROR:
                raise ValueError(found)

    return Members
