"""Invariants of ElementDefinition.

https://hl7.org/fhir/R4/elementdefinition.html#invs
"""

from __future__ import annotations

from typing import Any

from harness.validation.invariants.scope import Scope
from harness.validation.invariants.words import (
    always,
    among,
    any_of,
    at_most_one,
    counted,
    distinct,
    empty,
    exists,
    implies,
    is_number,
    matches,
    starts,
    table,
    true,
)

_NAME = r"""[^\s.,:;'"/|?!@#$%&*()\[\]{}]{1,64}"""


def least_is_not_above_most(node: Any, _: Scope) -> bool:
    """Min <= Max."""
    if node.__class__ is not dict:
        return True
    least, most = node.get("min"), node.get("max")
    if not is_number(least) or most.__class__ is not str or not most.isdecimal():
        return True
    return len(most) > len(str(2**31)) or least <= int(most)


def is_a_count(node: Any, _: Scope) -> bool:
    """Max SHALL be a number or *."""
    return node.__class__ is not str or node == "*" or (node.isascii() and node.isdecimal())


TRANSLATIONS = table(
    (
        (
            "min.empty() or max.empty() or (max = '*') or "
            "iif(max != '*', min <= max.toInteger())"  # codespell:ignore
        ),
        least_is_not_above_most,
    ),
    (
        (
            "contentReference.empty() or (type.empty() and defaultValue.empty() "
            "and fixed.empty() and pattern.empty() and example.empty() and "
            "minValue.empty() and maxValue.empty() and maxLength.empty() and "
            "binding.empty())"
        ),
        implies(
            exists("contentReference"),
            empty(
                "type",
                "defaultValue[x]",
                "fixed[x]",
                "pattern[x]",
                "example",
                "minValue[x]",
                "maxValue[x]",
                "maxLength",
                "binding",
            ),
        ),
    ),
    ("fixed.empty() or (type.count()  <= 1)", implies(exists("fixed[x]"), counted("type", most=1))),
    (
        "pattern.empty() or (type.count() <= 1)",
        implies(exists("pattern[x]"), counted("type", most=1)),
    ),
    ("pattern.empty() or fixed.empty()", at_most_one(exists("pattern[x]"), exists("fixed[x]"))),
    # select() gives one answer for each type, so that something always exists
    (
        (
            "binding.empty() or type.code.empty() or type.select((code = 'code') "
            "or (code = 'Coding') or (code='CodeableConcept') or (code = "
            "'Quantity') or (code = 'string') or (code = 'uri')).exists()"
        ),
        always,
    ),
    ("type.select(code).isDistinct()", distinct("type.code")),
    ("constraint.select(key).isDistinct()", distinct("constraint.key")),
    (
        "defaultValue.empty() or meaningWhenMissing.empty()",
        at_most_one(exists("defaultValue[x]"), exists("meaningWhenMissing")),
    ),
    (
        ("sliceName.empty() or sliceName.matches('^[a-zA-Z0-9\\\\/\\\\-_\\\\[\\\\]\\\\@]+$')"),
        matches("sliceName", r"[a-zA-Z0-9/\-_\[\]@]+"),
    ),
    (
        "(isModifier.exists() and isModifier) implies isModifierReason.exists()",
        implies(true("isModifier"), exists("isModifierReason")),
    ),
    (
        (
            "path.matches('[^\\\\s\\\\.,:;\\\\\\'\"\\\\/|?!@#$%&*()\\\\[\\\\]{}]{1,64}(\\\\"
            ".[^\\\\s\\\\.,:;\\\\\\'\"\\\\/|?!@#$%&*()\\\\[\\\\]{}]{1,64}(\\\\[x\\\\])?(\\\\:[^\\\\s\\\\"
            ".]+)?)*')"
        ),
        matches("path", rf"{_NAME}(?:\.{_NAME}(?:\[x\])?(?::[^\s.]+)?)*+"),
    ),
    (
        "path.matches('[A-Za-z][A-Za-z0-9]*(\\\\.[a-z][A-Za-z0-9]*(\\\\[x])?)*')",
        matches("path", r"[A-Za-z][A-Za-z0-9]*+(?:\.[a-z][A-Za-z0-9]*+(?:\[x])?)*+"),
    ),
    (
        "sliceIsConstraining.exists() implies sliceName.exists()",
        implies(exists("sliceIsConstraining"), exists("sliceName")),
    ),
    ("discriminator.exists() or description.exists()", exists("discriminator", "description")),
    ("empty() or ($this = '*') or (toInteger() >= 0)", is_a_count),
    (
        "aggregation.empty() or (code = 'Reference') or (code = 'canonical')",
        implies(exists("aggregation"), among("code", "Reference", "canonical")),
    ),
    (
        "(code='Reference' or code = 'canonical') or targetProfile.empty()",
        any_of(among("code", "Reference", "canonical"), empty("targetProfile")),
    ),
    ("expression.exists()", exists("expression")),
    (
        (
            "valueSet.exists() implies (valueSet.startsWith('http:') or "
            "valueSet.startsWith('https') or valueSet.startsWith('urn:'))"
        ),
        implies(exists("valueSet"), starts("valueSet", "http:", "https", "urn:")),
    ),
)
