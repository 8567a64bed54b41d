"""Invariants of Observation, its vital signs and its US Core profiles.

https://hl7.org/fhir/R4/observation.html#invs
"""

from __future__ import annotations

from typing import Any

from harness.validation.invariants.nodes import each
from harness.validation.invariants.scope import Scope
from harness.validation.invariants.words import exists, spellings, table

_no_value = spellings("value[x]").isdisjoint
_SIMPLE = (str, bool)
_TO_THE_DAY = len("2024-02-29")


def says_why_only_without_value(node: Any, _: Scope) -> bool:
    """DataAbsentReason SHALL only be present if value[x] is not present."""
    return node.__class__ is not dict or "dataAbsentReason" not in node or _no_value(node)


def value_stands_once(node: Any, _: Scope) -> bool:
    """If a component has the code of the Observation, the Observation has no value of its own."""
    if node.__class__ is not dict or "component" not in node or _no_value(node):
        return True
    own = set(_codings(each(node, "code", "coding")))
    return own.isdisjoint(_codings(each(node, "component", "code", "coding")))


def _codings(codings: Any) -> Any:
    """Codings as FHIRPath compares them: every child counts that says something."""
    for coding in codings:
        if coding.__class__ is dict:
            said = ((name, child) for name, child in coding.items() if child.__class__ in _SIMPLE)
            yield tuple(sorted(said))


def has_value_or_reason_or_parts(node: Any, _: Scope) -> bool:
    """Without component or hasMember there is a value[x] or a data absent reason."""
    return (
        node.__class__ is not dict
        or "component" in node
        or "hasMember" in node
        or "dataAbsentReason" in node
        or not _no_value(node)
    )


def has_value_or_reason(node: Any, _: Scope) -> bool:
    """If there is no value, a data absent reason must be present."""
    return node.__class__ is not dict or "dataAbsentReason" in node or not _no_value(node)


def precise_to_the_day(node: Any, _: Scope) -> bool:
    """If effective[x] is a dateTime, it is at least precise to the day."""
    return node.__class__ is not str or len(node) >= _TO_THE_DAY


TRANSLATIONS = table(
    ("dataAbsentReason.empty() or value.empty()", says_why_only_without_value),
    (
        (
            "value.empty() or "
            "component.code.where(coding.intersect(%resource.code.coding).exists"
            "()).empty()"
        ),
        value_stands_once,
    ),
    (
        (
            "(component.empty() and hasMember.empty()) implies "
            "(dataAbsentReason.exists() or value.exists())"
        ),
        has_value_or_reason_or_parts,
    ),
    ("value.exists() or dataAbsentReason.exists()", has_value_or_reason),
    ("low.exists() or high.exists() or text.exists()", exists("low", "high", "text")),
    ("($this as dateTime).toString().length() >= 8", precise_to_the_day),
    (
        (
            "Observation.effectiveDateTime.exists() implies "
            "Observation.effectiveDateTime.toString().length() >= 8"
        ),
        precise_to_the_day,
    ),
    ("$this is DateTime implies $this.toString().length() >= 10", precise_to_the_day),
    ("$this is dateTime implies $this.toString().length() >= 10", precise_to_the_day),
)
