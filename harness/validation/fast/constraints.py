"""Invariants in a filter: as schema where one is known, else by the exact checker's own function.

The function of an inner element is called without the resource around it. One that asks for that
resource gets no answer, and then the filter does not accept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from harness.spec.definitions.model import Constraint
from harness.validation.fast.combining import both
from harness.validation.fast.primitives import Schema
from harness.validation.invariants import Scope, translated
from harness.validation.values.codes import UCUM

KEYWORD: Final = "fhirInvariants"
"""Of our own, with the expressions that have to hold."""

IMPLIED: Final = frozenset(
    {
        "hasValue() or (children().count() > id.count())",
        "extension.exists() != value.exists()",
        "htmlChecks()",
    }
)
"""What the schema of each object, extension and narrative says already."""

_IN_UCUM: Final[Schema] = {"const": UCUM}

SCHEMAS: Final[Mapping[str, dict[str, Any]]] = {
    "code.empty() or system.exists()": {"dependentRequired": {"code": ["system"]}},
    "value.empty() or system.exists()": {"dependentRequired": {"value": ["system"]}},
    "data.empty() or contentType.exists()": {"dependentRequired": {"data": ["contentType"]}},
    "low.exists() or high.exists() or text.exists()": {
        "anyOf": [{"required": ["low"]}, {"required": ["high"]}, {"required": ["text"]}]
    },
    "value.exists() or dataAbsentReason.exists()": {
        "anyOf": [
            {"required": [name]}
            for name in (
                *("valueQuantity", "valueCodeableConcept", "valueString", "valueRatio"),
                "dataAbsentReason",
            )
        ]
    },
    "(component.empty() and hasMember.empty()) implies "
    "(dataAbsentReason.exists() or value.exists())": {
        "anyOf": [
            {"required": [name]}
            for name in (
                *("valueQuantity", "component", "valueCodeableConcept", "valueString"),
                *("dataAbsentReason", "hasMember", "valueInteger", "valueBoolean"),
                *("valueDateTime", "valueRange", "valueRatio", "valuePeriod", "valueTime"),
            )
        ]
    },
    **{
        expression: {
            "properties": {
                "system": _IN_UCUM,
                "valueQuantity": {"properties": {"system": _IN_UCUM}},
            }
        }
        for expression in (
            "valueQuantity.system.empty() or valueQuantity.system = 'http://unitsofmeasure.org'",
            (
                "value.ofType(Quantity).system.empty() or "
                "value.ofType(Quantity).system = 'http://unitsofmeasure.org'"
            ),
            (
                "ofType(Quantity).system.empty() or "
                "ofType(Quantity).system = 'http://unitsofmeasure.org'"
            ),
        )
    },
    **{
        expression: {"dependentSchemas": {name: {KEYWORD: [expression]}}}
        for expression, name in (
            ("dataAbsentReason.empty() or value.empty()", "dataAbsentReason"),
            (
                (
                    "value.empty() or component.code.where(coding.intersect(%resource.code.coding)"
                    ".exists()).empty()"
                ),
                "component",
            ),
        )
    },
    "($this as dateTime).toString().length() >= 8": {"minLength": 8},
    "$this is dateTime implies $this.toString().length() >= 10": {"minLength": 10},
    "$this is DateTime implies $this.toString().length() >= 10": {"minLength": 10},
}
"""By expression. References to `#...` are refused where References are described."""

_REFERENCES = "reference.startsWith('#').not() or "
_CONTAINED = ("contained.contained.", "contained.where(", "contained.meta.")


def inner(constraints: Iterable[Constraint]) -> dict[str, Any]:
    """What an inner element has to meet, as a schema."""
    schemas: list[Schema] = []
    rest = []
    for each in _errors(constraints):
        if each.expression in SCHEMAS:
            schemas.append(SCHEMAS[each.expression])
        elif translated(each.expression) is not None:
            rest.append(each.expression)
    if rest:
        schemas.append({KEYWORD: rest})
    made = both(*schemas)
    return made if isinstance(made, dict) else {}


def outer(
    constraints: Iterable[Constraint],
) -> tuple[Schema, tuple[Callable[[Any, Scope], bool], ...]]:
    """What a whole resource has to meet, as a schema, and functions for the rest of it."""
    asked = dict.fromkeys(each.expression for each in _errors(constraints))
    known = [SCHEMAS[each] for each in asked if each in SCHEMAS]
    rest = (translated(each) for each in asked if each not in SCHEMAS)
    return both(*known), tuple(each for each in rest if each is not None)


class Invariants:
    """The keyword `KEYWORD`, as the library asks for it."""

    def __init__(self, _schema: object, value: list[str], _path: object) -> None:
        found = (translated(each) for each in value)
        self._holds = tuple(each for each in found if each is not None)

    def validate(self, instance: Any) -> None:
        """Raises where an invariant does not hold, or cannot be told here."""
        for holds in self._holds:
            if not holds(instance, _NOWHERE):
                raise ValueError(instance)


class _Nowhere:
    """The surroundings of an element: the resource stands alone, and is not at hand."""

    entries = None
    full_url = None

    def __getattr__(self, name: str) -> Any:
        raise LookupError(name)


_NOWHERE: Any = _Nowhere()


def _errors(constraints: Iterable[Constraint]) -> Iterable[Constraint]:
    """Those that make a resource invalid, and are not implied."""
    return (
        each
        for each in constraints
        if each.severity == "error"
        and each.expression not in IMPLIED
        and not each.expression.startswith((_REFERENCES, *_CONTAINED))
    )
