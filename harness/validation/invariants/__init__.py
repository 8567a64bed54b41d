"""Invariants of FHIR R4 and US Core, translated by hand and keyed on their FHIRPath expression.

https://hl7.org/fhir/R4/conformance-rules.html#constraints

A key such as `us-core-1` means one rule in one version and another in the next, so the exact text
of the expression is what a translation stands for. Where an expression says something else than
its sentence, the sentence is translated; `exemptions.toml` names those.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harness.validation.invariants import (
    administration,
    bundle,
    clinical,
    conformance,
    datatypes,
    element_definitions,
    elements,
    observation,
    questionnaire,
    structure_definitions,
    terminologies,
    testing,
    us_core_care,
    us_core_people,
)
from harness.validation.invariants.scope import Entries, Scope
from harness.validation.invariants.words import Holds

__all__ = ["TRANSLATIONS", "Entries", "Holds", "Scope", "translated"]

_SUBJECTS = (
    administration,
    bundle,
    clinical,
    conformance,
    datatypes,
    element_definitions,
    elements,
    observation,
    questionnaire,
    terminologies,
    testing,
    structure_definitions,
    us_core_care,
    us_core_people,
)

TRANSLATIONS: Mapping[str, Holds] = MappingProxyType(
    {expression: holds for each in _SUBJECTS for expression, holds in each.TRANSLATIONS.items()}
)
"""By expression."""


def translated(expression: str) -> Holds | None:
    """The invariant as a function of a node and its scope; None when there is no translation.

    The node is parsed JSON: an object, or the value of a primitive. True means that the invariant
    holds, or that the node does not tell. It never raises.
    """
    return TRANSLATIONS.get(expression)
