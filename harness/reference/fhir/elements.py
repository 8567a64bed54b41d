"""The elements of what clients may write, and of the datatypes in it (FHIR R4 4.0.1), as data.

`name:Type` is optional, `!` makes it required, `*` a list. What is not listed is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from harness.reference.fhir import structures


@dataclass(frozen=True, slots=True)
class Element:
    """One element: its type, and how often it may or must stand."""

    type: str
    many: bool = False
    required: bool = False


_VALUE = (
    "valueQuantity:Quantity valueCodeableConcept:CodeableConcept valueString:string "
    "valueBoolean:boolean valueInteger:integer valueRange:Range valueRatio:Ratio "
    "valueSampledData:SampledData valueTime:time valueDateTime:dateTime valuePeriod:Period"
)
_SOURCE: Final = {
    "Observation": (
        "resourceType:code! id:id meta:Meta implicitRules:uri language:code text:Narrative "
        "contained:Any* modifierExtension:Extension* identifier:Identifier* basedOn:Reference* "
        "partOf:Reference* status:code! category:CodeableConcept* code:CodeableConcept! "
        "subject:Reference focus:Reference* encounter:Reference effectiveDateTime:dateTime "
        "effectivePeriod:Period effectiveTiming:Any effectiveInstant:instant issued:instant "
        f"performer:Reference* {_VALUE} dataAbsentReason:CodeableConcept "
        "interpretation:CodeableConcept* note:Annotation* bodySite:CodeableConcept "
        "method:CodeableConcept specimen:Reference device:Reference "
        "referenceRange:ReferenceRange* hasMember:Reference* derivedFrom:Reference* "
        "component:Component*"
    ),
    "Component": (
        f"modifierExtension:Extension* code:CodeableConcept! {_VALUE} "
        "dataAbsentReason:CodeableConcept interpretation:CodeableConcept* "
        "referenceRange:ReferenceRange*"
    ),
    "ReferenceRange": (
        "modifierExtension:Extension* low:Quantity high:Quantity type:CodeableConcept "
        "appliesTo:CodeableConcept* age:Range text:string"
    ),
    "Meta": (
        "versionId:id lastUpdated:instant source:uri profile:uri* security:Coding* tag:Coding*"
    ),
    "Narrative": "status:code! div:string!",
    "Identifier": (
        "use:code type:CodeableConcept system:uri value:string period:Period assigner:Reference"
    ),
    "CodeableConcept": "coding:Coding* text:string",
    "Coding": "system:uri version:string code:code display:string userSelected:boolean",
    "Reference": "reference:string type:uri identifier:Identifier display:string",
    "Quantity": "value:decimal comparator:code unit:string system:uri code:code",
    "Range": "low:Quantity high:Quantity",
    "Ratio": "numerator:Quantity denominator:Quantity",
    "Period": "start:dateTime end:dateTime",
    "SampledData": (
        "origin:Quantity! period:decimal! factor:decimal lowerLimit:decimal upperLimit:decimal "
        "dimensions:positiveInt! data:string"
    ),
    "Annotation": "authorReference:Reference authorString:string time:dateTime text:string!",
}

CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "Observation": ("effective", "value"),
    "Component": ("value",),
    **structures.CHOICES,
}
"""By type: beginnings of elements of which only one may stand (`value[x]`)."""

CODES: Final[Mapping[str, tuple[str, ...]]] = {
    "Observation.status": (
        "registered", "preliminary", "final", "amended", "corrected", "cancelled",
        "entered-in-error", "unknown",
    ),
    **structures.CODES,
}  # fmt: skip
"""By element of a resource: the codes of its value set, where the binding is required."""

WRITABLE: Final = ("Observation", *structures.RESOURCES)
"""The resource types whose elements are known, so that clients may write them."""


def _element(source: str) -> tuple[str, Element]:
    name, _, kind = source.partition(":")
    return name, Element(kind.rstrip("!*"), many="*" in kind, required="!" in kind)


_EVERYWHERE: Final = {"id": Element("string"), "extension": Element("Extension", many=True)}

ELEMENTS: Final[Mapping[str, Mapping[str, Element]]] = {
    kind: _EVERYWHERE | dict(map(_element, source.split()))
    for kind, source in {**_SOURCE, **structures.RESOURCES, **structures.PARTS}.items()
}
"""By type: the elements that may stand in it."""
