"""Invariants of clinical resources, but Observation.

https://hl7.org/fhir/R4/resourcelist.html
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from harness.validation.invariants.datatypes import UCUM
from harness.validation.invariants.scope import Scope, target_type
from harness.validation.invariants.words import (
    Holds,
    all_of,
    among,
    any_of,
    at_most_one,
    bounded,
    coded,
    counted,
    empty,
    every,
    exactly_one,
    exists,
    implies,
    in_order,
    no,
    same,
    table,
)

_ALLERGY_STANDING = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
_CONDITION_STANDING = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_CONDITION_STATUS = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_CONDITION_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"

_allergy_in_error = coded("verificationStatus", _ALLERGY_STANDING, "entered-in-error")
_condition_in_error = coded("verificationStatus", _CONDITION_STANDING, "entered-in-error")
_over = coded("clinicalStatus", _CONDITION_STATUS, "resolved", "remission", "inactive")
_on_problem_list = coded("category", _CONDITION_CATEGORY, "problem-list-item")


def only_practitioners_act_for_another(node: Any, scope: Scope) -> bool:
    """OnBehalfOf can only be populated when member is a Practitioner."""
    if node.__class__ is not dict or "onBehalfOf" not in node:
        return True
    return target_type(node.get("member"), scope) in (None, "Practitioner")


_percent = all_of(among("code", "%"), among("system", UCUM))

_CONDITIONS = table(
    (
        (
            "verificationStatus.coding.where(system = "
            "'http://terminology.hl7"
            ".org/CodeSystem/allergyintolerance-verification' and code = "
            "'entered-in-error').exists() or clinicalStatus.exists()"
        ),
        any_of(_allergy_in_error, exists("clinicalStatus")),
    ),
    (
        (
            "verificationStatus.coding.where(system = "
            "'http://terminology.hl7"
            ".org/CodeSystem/allergyintolerance-verification' and code = "
            "'entered-in-error').empty() or clinicalStatus.empty()"
        ),
        implies(_allergy_in_error, empty("clinicalStatus")),
    ),
    # con-3 compares a concept with a string; R5 has it as the sentence says
    (
        (
            "clinicalStatus.exists() or "
            "verificationStatus.coding.where(system='http://terminology.hl7"
            ".org/CodeSystem/condition-ver-status' and code = "
            "'entered-in-error').exists() or "
            "category.select($this='problem-list-item').empty()"
        ),
        any_of(exists("clinicalStatus"), _condition_in_error, no(_on_problem_list)),
    ),
    (
        (
            "abatement.empty() or "
            "clinicalStatus.coding.where(system='http://terminology.hl7"
            ".org/CodeSystem/condition-clinical' and (code='resolved' or "
            "code='remission' or code='inactive')).exists()"
        ),
        implies(exists("abatement[x]"), _over),
    ),
    (
        (
            "verificationStatus.coding.where(system='http://terminology.hl7"
            ".org/CodeSystem/condition-ver-status' and "
            "code='entered-in-error').empty() or clinicalStatus.empty()"
        ),
        implies(_condition_in_error, empty("clinicalStatus")),
    ),
    ("summary.exists() or assessment.exists()", exists("summary", "assessment")),
    ("code.exists() or detail.exists()", exists("code", "detail")),
    ("age.empty() or born.empty()", at_most_one(exists("age[x]"), exists("born[x]"))),
    ("age.exists() or estimatedAge.empty()", any_of(exists("age[x]"), empty("estimatedAge"))),
    (
        "probability is decimal implies (probability as decimal) <= 100",
        bounded("probabilityDecimal", most=100),
    ),
    (
        (
            "(low.empty() or ((low.code = '%') and (low.system = %ucum))) and "
            "(high.empty() or ((high.code = '%') and (high.system = %ucum)))"
        ),
        all_of(every("low", _percent), every("high", _percent)),
    ),
    (
        "substanceExposureRisk.exists() and code.empty()",
        all_of(exists("substanceExposureRisk"), empty("code")),
    ),
)

_CARE = table(
    ("detail.empty() or reference.empty()", at_most_one(exists("detail"), exists("reference"))),
    (
        (
            "onBehalfOf.exists() implies (member.resolve().iif(empty(), true, "  # codespell:ignore
            "ofType(Practitioner).exists()))"
        ),
        only_practitioners_act_for_another,
    ),
    ("resource.exists() != action.exists()", exactly_one(exists("resource"), exists("action"))),
    (
        "(detail.exists() and measure.exists()) or detail.exists().not()",
        implies(exists("detail[x]"), exists("measure")),
    ),
    ("documentType.exists() or reference.exists()", exists("documentType", "reference")),
    ("vaccineCode.exists() or targetDisease.exists()", exists("vaccineCode", "targetDisease")),
    ("dose.exists() or rate.exists()", exists("dose", "rate[x]")),
    (
        ("whenHandedOver.empty() or whenPrepared.empty() or whenHandedOver >= whenPrepared"),
        in_order("whenPrepared", "whenHandedOver"),
    ),
    (
        "oralDiet.exists() or supplement.exists() or enteralFormula.exists()",
        exists("oralDiet", "supplement", "enteralFormula"),
    ),
    ("orderDetail.empty() or code.exists()", implies(exists("orderDetail"), exists("code"))),
    (
        ("lastModified.exists().not() or authoredOn.exists().not() or lastModified >= authoredOn"),
        in_order("authoredOn", "lastModified"),
    ),
)

_SEQUENCES = table(
    ("coordinateSystem = 1 or coordinateSystem = 0", among("coordinateSystem", 0, 1)),
    (
        (
            "(chromosome.empty() and genomeBuild.empty()) or (chromosome.exists() "
            "and genomeBuild.exists())"
        ),
        same(exists("chromosome"), exists("genomeBuild")),
    ),
    (
        (
            "(genomeBuild.count()+referenceSeqId.count()+ "
            "referenceSeqPointer.count()+ referenceSeqString.count()) = 1"
        ),
        counted(
            "genomeBuild",
            "referenceSeqId",
            "referenceSeqPointer",
            "referenceSeqString",
            least=1,
            most=1,
        ),
    ),
)

TRANSLATIONS: Mapping[str, Holds] = MappingProxyType({**_CONDITIONS, **_CARE, **_SEQUENCES})
