"""Invariants of the US Core profiles of results, conditions and care.

Those of when something was observed, and whether, are in `observation.py`.

https://hl7.org/fhir/us/core/
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from harness.validation.invariants.datatypes import UCUM
from harness.validation.invariants.nodes import each
from harness.validation.invariants.scope import Scope, target_type
from harness.validation.invariants.words import (
    Holds,
    all_of,
    always,
    among,
    any_of,
    coded,
    empty,
    every,
    exists,
    implies,
    some,
    table,
)

_CVX, _NDC = "http://hl7.org/fhir/sid/cvx", "http://hl7.org/fhir/sid/ndc"
_SNOMED = "http://snomed.info/sct"
_CONDITION_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
_HEALTH_CONCERN = "http://hl7.org/fhir/us/core/CodeSystem/condition-category"

_ndc_for_cvx = implies(some("coding", among("system", _CVX)), some("coding", among("system", _NDC)))
_in_ucum = any_of(empty("system"), among("system", UCUM))
_reported = among(
    *("status", "partial", "preliminary", "final", "amended", "corrected", "appended")
)


def ucum_quantity(node: Any, _: Scope) -> bool:
    """SHALL use UCUM for coded quantity units; of other values there is nothing to say.

    It stands on the value or on the Observation. On the value, the expression of 3.1.1 to 6.1.0
    looks for a value within the value; 7.0.0 has it right.
    """
    quantity = _value(node, "valueQuantity")
    return quantity.__class__ is not dict or quantity.get("system", UCUM) == UCUM


def snomed_concept(node: Any, _: Scope) -> bool:
    """SHOULD use SNOMED CT for coded results; likewise."""
    systems = [*each(_value(node, "valueCodeableConcept"), "coding", "system")]
    return not systems or _SNOMED in systems


def _value(node: Any, name: str) -> Any:
    """The value of an Observation in this type, or the node itself when it is no Observation."""
    return node.get(name) if node.__class__ is dict and "resourceType" in node else node


def acts_on_behalf(node: Any, scope: Scope) -> bool:
    """OnBehalfOf SHALL be present when who is a Practitioner or Device."""
    if node.__class__ is not dict or "onBehalfOf" in node or "_onBehalfOf" in node:
        return True
    return target_type(node.get("who"), scope) not in ("Practitioner", "Device")


def _observes(*codes: str) -> Holds:
    return some("code.coding", among("code", *codes))


def _valued_as(name: str) -> Holds:
    """If there is a value, it is of this type."""
    return any_of(exists(name), empty("value[x]"))


_RESULTS = table(
    (
        (
            "valueCodeableConcept.coding.system.empty() or "
            "valueCodeableConcept.coding.system = 'http://snomed.info/sct'"
        ),
        snomed_concept,
    ),
    (
        (
            "value.ofType(CodeableConcept).coding.system.empty() or "
            "value.ofType(CodeableConcept).coding.system = 'http://snomed.info/sct'"
        ),
        snomed_concept,
    ),
    (
        (
            "ofType(CodeableConcept).coding.system.empty() or "
            "(ofType(CodeableConcept).coding.system contains "
            "'http://snomed.info/sct')"
        ),
        snomed_concept,
    ),
    (
        ("valueQuantity.system.empty() or valueQuantity.system = 'http://unitsofmeasure.org'"),
        ucum_quantity,
    ),
    (
        (
            "value.ofType(Quantity).system.empty() or "
            "value.ofType(Quantity).system = 'http://unitsofmeasure.org'"
        ),
        ucum_quantity,
    ),
    (
        (
            "ofType(Quantity).system.empty() or ofType(Quantity).system = "
            "'http://unitsofmeasure.org'"
        ),
        ucum_quantity,
    ),
    (
        (
            "(low.system.empty() or low.system = 'http://unitsofmeasure.org') and "
            "(high.system.empty() or high.system = 'http://unitsofmeasure.org')"
        ),
        all_of(every("low", _in_ucum), every("high", _in_ucum)),
    ),
    (
        (
            "(status='partial' or status='preliminary' or status='final' or "
            "status='amended' or status='corrected' or status='appended' ) implies "
            "effective.exists()"
        ),
        implies(_reported, exists("effective[x]")),
    ),
    (
        (
            "(status='partial' or status='preliminary' or status='final' or "
            "status='amended' or status='corrected' or status='appended' ) implies "
            "issued.exists()"
        ),
        implies(_reported, exists("issued")),
    ),
    (
        (
            "code.coding.where(code in '72166-2'|'11367-0').exists() implies "
            "value.is(CodeableConcept)"
        ),
        implies(_observes("72166-2", "11367-0"), _valued_as("valueCodeableConcept")),
    ),
    (
        ("code.coding.where(code in '401201003'|'782516008').exists() implies value.is(Quantity)"),
        implies(_observes("401201003", "782516008"), _valued_as("valueQuantity")),
    ),
)

_CARE = table(
    # Up to 6.1.0 the expression asks for no NDC code, against its sentence; 7.0.0 has it right
    ("coding.where(system='http://hl7.org/fhir/sid/ndc').empty()", _ndc_for_cvx),
    (
        ("vaccineCode.coding.where(system='http://hl7.org/fhir/sid/ndc').empty()"),
        every("vaccineCode", _ndc_for_cvx),
    ),
    (
        (
            "vaccineCode.coding.where(system='http://hl7.org/fhir/sid/cvx')"
            ".exists() implies "
            "vaccineCode.coding.where(system='http://hl7.org/fhir/sid/ndc')"
            ".exists()"
        ),
        every("vaccineCode", _ndc_for_cvx),
    ),
    ("url.exists() or data.exists()", exists("url", "data")),
    (
        (
            "where(category.memberOf('http://hl7"
            ".org/fhir/us/core/ValueSet/us-core-condition-category')).exists()"
        ),
        any_of(
            coded("category", _CONDITION_CATEGORY, "problem-list-item", "encounter-diagnosis"),
            coded("category", _HEALTH_CONCERN, "health-concern"),
            coded("category", _SNOMED, "16100001"),
        ),
    ),
    (
        (
            "udiCarrier.empty() or (udiCarrier.carrierAIDC.exists() or "
            "udiCarrier.carrierHRF.exists())"
        ),
        implies(exists("udiCarrier"), some("udiCarrier", exists("carrierAIDC", "carrierHRF"))),
    ),
    (
        (
            "udiCarrier.empty() or (manufactureDate.exists() or "
            "expirationDate.exists() or lotNumber.exists() or "
            "serialNumber.exists() or distinctIdentifier.exists())"
        ),
        implies(
            exists("udiCarrier"),
            exists(
                "manufactureDate",
                "expirationDate",
                "lotNumber",
                "serialNumber",
                "distinctIdentifier",
            ),
        ),
    ),
    (
        ("(status='completed' or status='in-progress') implies performed.exists()"),
        implies(among("status", "completed", "in-progress"), exists("performed[x]")),
    ),
    (
        (
            "(intent='order' or intent='original-order' or intent='reflex-order'or "
            "intent='filler-order' or intent='instance-order') implies "
            "requester.exists()"
        ),
        implies(
            among(
                "intent",
                "order",
                "original-order",
                "reflex-order",
                "filler-order",
                "instance-order",
            ),
            exists("requester"),
        ),
    ),
    (
        "status='completed' implies whenHandedOver.exists()",
        implies(among("status", "completed"), exists("whenHandedOver")),
    ),
    # Two versions state it on onBehalfOf itself, where it cannot be missed
    (
        (
            "(($this.agent.who.resolve() is Practitioner) or "
            "($this.agent.who.resolve() is Device)) implies exists()"
        ),
        always,
    ),
    (
        (
            "((%resource.agent.who.resolve() is Practitioner) or "
            "(%resource.agent.who.resolve() is Device)) implies exists()"
        ),
        always,
    ),
    (
        (
            "((who.resolve() is Practitioner) or (who.resolve() is Device)) "
            "implies onBehalfOf.exists()"
        ),
        acts_on_behalf,
    ),
    (
        (
            "who.exists((resolve() is Practitioner) or (resolve() is Device)) "
            "implies onBehalfOf.exists()"
        ),
        acts_on_behalf,
    ),
)

TRANSLATIONS: Mapping[str, Holds] = MappingProxyType({**_RESULTS, **_CARE})
