"""Invariants of CodeSystem, ValueSet and ConceptMap.

https://hl7.org/fhir/R4/terminology-module.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.validation.invariants.nodes import items
from harness.validation.invariants.scope import Scope
from harness.validation.invariants.words import (
    all_different,
    among,
    any_of,
    at_most_one,
    exists,
    implies,
    no,
    table,
    true,
)


def codes_differ(node: Any, _: Scope) -> bool:
    """Within a code system definition, all the codes SHALL be unique."""
    return all_different(_codes(node))


def _codes(system: Any) -> Iterator[Any]:
    rest = [system]
    while rest:
        for concept in items(rest.pop(), "concept"):
            yield from items(concept, "code")
            rest.append(concept)


TRANSLATIONS = table(
    ("concept.code.combine($this.descendants().concept.code).isDistinct()", codes_differ),
    (
        (
            "comment.exists() or equivalence.empty() or ((equivalence != "
            "'narrower') and (equivalence != 'inexact'))"
        ),
        any_of(exists("comment"), no(among("equivalence", "narrower", "inexact"))),
    ),
    ("(mode = 'fixed') implies code.exists()", implies(among("mode", "fixed"), exists("code"))),
    (
        "(mode = 'other-map') implies url.exists()",
        implies(among("mode", "other-map"), exists("url")),
    ),
    ("valueSet.exists() or system.exists()", exists("valueSet", "system")),
    (
        "(concept.exists() or filter.exists()) implies system.exists()",
        implies(exists("concept", "filter"), exists("system")),
    ),
    ("concept.empty() or filter.empty()", at_most_one(exists("concept"), exists("filter"))),
    ("code.exists() or display.exists()", exists("code", "display")),
    ("code.exists() or abstract = true", any_of(exists("code"), true("abstract"))),
)
