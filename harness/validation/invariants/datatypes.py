"""Invariants of data types.

https://hl7.org/fhir/R4/datatypes.html and https://hl7.org/fhir/R4/metadatatypes.html
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from harness.validation.invariants.nodes import items
from harness.validation.invariants.scope import Scope, contained
from harness.validation.invariants.words import (
    Holds,
    all_of,
    always,
    among,
    any_of,
    at_most_one,
    bounded,
    empty,
    exactly_one,
    exists,
    implies,
    in_order,
    is_number,
    no,
    same,
    starts,
    table,
)

UCUM = "http://unitsofmeasure.org"

_ucum_if_any = any_of(empty("system"), among("system", UCUM))
_code_if_value = any_of(exists("code"), empty("value"))
_MEALS = frozenset(("C", "CM", "CD", "CV"))


def system_with_code(node: Any, _: Scope) -> bool:
    """If a code for the unit is present, the system SHALL also be present."""
    return node.__class__ is not dict or "code" not in node or "system" in node or "_system" in node


def low_is_not_above_high(node: Any, _: Scope) -> bool:
    """If present, low SHALL have a lower value than high; of one unit, or they do not compare."""
    if node.__class__ is not dict:
        return True
    low, high = node.get("low"), node.get("high")
    if low.__class__ is not dict or high.__class__ is not dict:
        return True
    if any(low.get(name) != high.get(name) for name in ("system", "code", "unit")):
        return True
    least, most = low.get("value"), high.get("value")
    return not (is_number(least) and is_number(most)) or least <= most


def leads_to_contained(node: Any, scope: Scope) -> bool:
    """A local reference SHALL lead to a contained resource; `#` alone is the container."""
    reference = node.get("reference") if node.__class__ is dict else None
    if reference.__class__ is not str or reference[:1] != "#" or reference == "#":
        return True
    return contained(reference[1:], scope) is not None


def whole(node: Any, _: Scope) -> bool:
    """A count has no decimal point."""
    count = node.get("value") if node.__class__ is dict else None
    return not is_number(count) or isinstance(count, int) or "." not in str(count)


def meal_has_no_offset(node: Any, _: Scope) -> bool:
    """If there's an offset, there must be a when, and not C, CM, CD, CV."""
    if node.__class__ is not dict or "offset" not in node:
        return True
    when = [each for each in items(node, "when") if each.__class__ is str]
    return bool(when) and _MEALS.isdisjoint(when)


_QUANTITIES = table(
    (
        (
            "(code.exists() or value.empty()) and (system.empty() or system = "
            "%ucum) and (value.empty() or value.hasValue().not() or value > 0)"
        ),
        all_of(_code_if_value, _ucum_if_any, bounded("value", least=0), no(among("value", 0))),
    ),
    ("code.empty() or system.exists()", system_with_code),
    ("comparator.empty()", empty("comparator")),
    (
        (
            "(code.exists() or value.empty()) and (system.empty() or system = "
            "%ucum) and (code.empty() or code = '1') and (value.empty() or "
            "value.hasValue().not() or value.toString().contains('.').not())"
        ),
        all_of(_code_if_value, _ucum_if_any, any_of(empty("code"), among("code", "1")), whole),
    ),
    (
        ("(code.exists() or value.empty()) and (system.empty() or system = %ucum)"),
        all_of(_code_if_value, _ucum_if_any),
    ),
    (
        "code.exists() implies ((system = %ucum) and value.exists())",
        implies(exists("code"), all_of(among("system", UCUM), exists("value"))),
    ),
    (
        (
            "(code.exists() or value.empty()) and (system.empty() or system = "
            "'urn:iso:std:iso:4217')"
        ),
        all_of(_code_if_value, any_of(empty("system"), among("system", "urn:iso:std:iso:4217"))),
    ),
    ("low.empty() or high.empty() or (low <= high)", low_is_not_above_high),
    (
        (
            "(numerator.empty() xor denominator.exists()) and (numerator.exists() "
            "or extension.exists())"
        ),
        all_of(same(exists("numerator"), exists("denominator")), exists("numerator", "extension")),
    ),
)

_TIMING = table(
    ("start.hasValue().not() or end.hasValue().not() or (start <= end)", in_order("start", "end")),
    (
        "duration.empty() or durationUnit.exists()",
        implies(exists("duration"), exists("durationUnit")),
    ),
    ("period.empty() or periodUnit.exists()", implies(exists("period"), exists("periodUnit"))),
    ("duration.exists() implies duration >= 0", bounded("duration", least=0)),
    ("period.exists() implies period >= 0", bounded("period", least=0)),
    ("periodMax.empty() or period.exists()", implies(exists("periodMax"), exists("period"))),
    (
        "durationMax.empty() or duration.exists()",
        implies(exists("durationMax"), exists("duration")),
    ),
    ("countMax.empty() or count.exists()", implies(exists("countMax"), exists("count"))),
    (
        ("offset.empty() or (when.exists() and ((when in ('C' | 'CM' | 'CD' | 'CV')).not()))"),
        meal_has_no_offset,
    ),
    ("timeOfDay.empty() or when.empty()", at_most_one(exists("timeOfDay"), exists("when"))),
)

_OTHERS = table(
    ("data.empty() or contentType.exists()", implies(exists("data"), exists("contentType"))),
    ("value.empty() or system.exists()", implies(exists("value"), exists("system"))),
    ("path.exists() xor searchParam.exists()", exactly_one(exists("path"), exists("searchParam"))),
    ("expression.exists() or reference.exists()", exists("expression", "reference")),
    # txt-1 and txt-2: what the primitive type xhtml is, and judged as such
    ("htmlChecks()", always),
    (
        (
            "reference.startsWith('#').not() or "
            "(reference.substring(1).trace('url') in "
            "%rootResource.contained.id.trace('ids'))"
        ),
        leads_to_contained,
    ),
    ("data.empty() or timing.empty()", at_most_one(exists("data"), exists("timing[x]"))),
    ("condition.exists() implies data.exists()", implies(exists("condition"), exists("data"))),
    (
        (
            "(type = 'named-event' implies name.exists()) and (type = 'periodic' "
            "implies timing.exists()) and (type.startsWith('data-') implies "
            "data.exists())"
        ),
        all_of(
            implies(among("type", "named-event"), exists("name")),
            implies(among("type", "periodic"), exists("timing[x]")),
            implies(starts("type", "data-"), exists("data")),
        ),
    ),
)

TRANSLATIONS: Mapping[str, Holds] = MappingProxyType({**_QUANTITIES, **_TIMING, **_OTHERS})
