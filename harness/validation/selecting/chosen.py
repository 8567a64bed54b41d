"""By which type, category or code a resource is meant by a US Core profile.

Sources: the code pattern or the required category slice of each profile in the versions that have
it, https://hl7.org/fhir/us/core/profiles-and-extensions.html, and for what a profile says in words
alone the page of that profile. A rule holds in the versions that have its profile. Not here,
because what they hold does not tell: implantable devices among others, simple observations, and
what a profile takes besides its main code from some version on (pack-years as a smoking status).
"""

from __future__ import annotations

from typing import NamedTuple

LOINC = "http://loinc.org"
_OBSERVATION = "http://terminology.hl7.org/CodeSystem/observation-category"
_CONDITION = "http://terminology.hl7.org/CodeSystem/condition-category"
_CLINICAL_TEST = "http://hl7.org/fhir/us/core/CodeSystem/us-core-observation-category"
_R4 = "http://hl7.org/fhir/StructureDefinition/"
_PROFILES = "http://hl7.org/fhir/us/core/StructureDefinition/"


class Rule(NamedTuple):
    """One way in which a profile is meant.

    Attributes:
        profile: its URL.
        type: of the resource.
        member: `code` or `category`, whose codings decide; None where the type alone does.
        system: of the codes.
        codes: of which one is enough; where `member` is None, codes of `category` that exclude it.
        unless: URL of a profile in whose versions the rule does not hold.
    """

    profile: str
    type: str
    member: str | None = None
    system: str = LOINC
    codes: tuple[str, ...] = ()
    unless: str | None = None


def _us_core(name: str) -> str:
    return f"{_PROFILES}{name}"


_ALONE = (
    *("AllergyIntolerance", "CarePlan", "CareTeam", "Condition", "Coverage", "Encounter", "Goal"),
    *("Immunization", "Location", "Medication", "MedicationDispense", "MedicationRequest"),
    *("Organization", "Patient", "Practitioner", "PractitionerRole", "Procedure", "Provenance"),
    *("QuestionnaireResponse", "RelatedPerson", "ServiceRequest", "Specimen"),
)
_OBSERVATION_CODES = {
    "head-occipital-frontal-circumference-percentile": "8289-1",
    "pediatric-bmi-for-age": "59576-9",
    "pediatric-weight-for-height": "77606-2",
    "us-core-average-blood-pressure": "96607-7",
    "us-core-blood-pressure": "85354-9",
    "us-core-bmi": "39156-5",
    "us-core-body-height": "8302-2",
    "us-core-body-temperature": "8310-5",
    "us-core-body-weight": "29463-7",
    "us-core-care-experience-preference": "95541-9",
    "us-core-head-circumference": "9843-4",
    "us-core-heart-rate": "8867-4",
    "us-core-observation-adi-documentation": "45473-6",
    "us-core-observation-occupation": "11341-5",
    "us-core-observation-pregnancyintent": "86645-9",
    "us-core-observation-pregnancystatus": "82810-3",
    "us-core-observation-sexual-orientation": "76690-7",
    # 2708-6 alone is what R4 means by oxygen saturation.
    "us-core-pulse-oximetry": "59408-5",
    "us-core-respiratory-rate": "9279-1",
    "us-core-smokingstatus": "72166-2",
    "us-core-treatment-intervention-preference": "75773-2",
}
# 3.1.1 has no profiles of its own for these and names those of R4:
# https://hl7.org/fhir/us/core/STU3.1.1/index.html#us-core-profiles
_R4_VITAL_SIGNS = {
    "bodyheight": "8302-2",
    "bodytemp": "8310-5",
    "bodyweight": "29463-7",
    "bp": "85354-9",
    "heartrate": "8867-4",
    "resprate": "9279-1",
}
_OBSERVATION_CATEGORIES = {
    "us-core-observation-clinical-test": "clinical-test",
    "us-core-observation-imaging": "imaging",
    "us-core-observation-lab": "laboratory",
    "us-core-observation-screening-assessment": "survey",
    "us-core-observation-social-history": "social-history",
    "us-core-observation-survey": "survey",
    "us-core-vital-signs": "vital-signs",
}
_SYSTEMS = {"clinical-test": _CLINICAL_TEST}
_NOTES = ("LP29684-5", "LP29708-2", "LP7839-6")
_ADVANCE_DIRECTIVES = ("42348-3",)

RULES: tuple[Rule, ...] = (
    *(Rule(_us_core(f"us-core-{name.lower()}"), name) for name in _ALONE),
    *(
        Rule(_us_core(name), "Observation", "code", codes=(code,))
        for name, code in _OBSERVATION_CODES.items()
    ),
    *(
        Rule(f"{_R4}{name}", "Observation", "code", LOINC, (code,), _us_core("us-core-vital-signs"))
        for name, code in _R4_VITAL_SIGNS.items()
    ),
    *(
        Rule(_us_core(name), "Observation", "category", _SYSTEMS.get(code, _OBSERVATION), (code,))
        for name, code in _OBSERVATION_CATEGORIES.items()
    ),
    Rule(
        _us_core("us-core-observation-clinical-result"),
        "Observation",
        "category",
        _OBSERVATION,
        ("exam", "imaging", "procedure"),
    ),
    Rule(
        _us_core("us-core-condition-encounter-diagnosis"),
        "Condition",
        "category",
        _CONDITION,
        ("encounter-diagnosis",),
    ),
    Rule(
        _us_core("us-core-condition-problems-health-concerns"),
        "Condition",
        "category",
        _CONDITION,
        ("problem-list-item",),
    ),
    Rule(
        _us_core("us-core-condition-problems-health-concerns"),
        "Condition",
        "category",
        "http://hl7.org/fhir/us/core/CodeSystem/condition-category",
        ("health-concern",),
    ),
    Rule(
        _us_core("us-core-diagnosticreport-lab"),
        "DiagnosticReport",
        "category",
        "http://terminology.hl7.org/CodeSystem/v2-0074",
        ("LAB",),
    ),
    Rule(_us_core("us-core-diagnosticreport-note"), "DiagnosticReport", "category", LOINC, _NOTES),
    Rule(
        _us_core("us-core-adi-documentreference"),
        "DocumentReference",
        "category",
        LOINC,
        _ADVANCE_DIRECTIVES,
    ),
    Rule(_us_core("us-core-documentreference"), "DocumentReference", codes=_ADVANCE_DIRECTIVES),
)
