"""Of Observation and the US Core profiles."""

from harness.tests.unit.validation.pairs import Pairs, Placed

CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
UCUM = "http://unitsofmeasure.org"
CVX, NDC = "http://hl7.org/fhir/sid/cvx", "http://hl7.org/fhir/sid/ndc"
ABSENT = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason"}
SHOT = {"system": CVX, "code": "140"}
PACKAGE = {"system": NDC, "code": "49281-0421-50"}
PRACTITIONER = {"reference": "Practitioner/1"}
ORGANIZATION = {"reference": "Organization/1"}
SYSTOLIC = {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]}


def coded(system: str, code: str) -> dict[str, object]:
    return {"coding": [{"system": system, "code": code}]}


OBSERVATIONS: Pairs = {
    "obs-3 Observation.referenceRange": ({"text": "a"}, {"appliesTo": [{"text": "a"}]}),
    "obs-6 Observation": (
        {"dataAbsentReason": {"text": "a"}},
        {"dataAbsentReason": {"text": "a"}, "valueString": "b"},
    ),
    "obs-7 Observation": (
        {"code": SYSTOLIC, "valueInteger": 1, "component": [{"code": {"text": "a"}}]},
        {"code": SYSTOLIC, "valueInteger": 1, "component": [{"code": SYSTOLIC}]},
    ),
    "vs-2 Observation": ({"hasMember": [{"reference": "Observation/1"}]}, {"status": "final"}),
    "us-core-2 Observation": ({"valueBoolean": False}, {"status": "final"}),
    "vs-3 Observation.component": ({"valueString": "a"}, {"code": SYSTOLIC}),
    "us-core-26 Observation.component": ({"dataAbsentReason": {"text": "a"}}, {"code": SYSTOLIC}),
    "vs-1 Observation.effective": ("2024-01-31", "2024-01"),
    "us-core-1 Observation.effective": ("2024-01-31T10:00:00Z", "2024"),
    "us-core-3 Observation.value": (
        {"value": 1, "system": UCUM, "code": "g"},
        {"value": 1, "system": "urn:units", "code": "g"},
    ),
    "us-core-4 Observation.value": (
        {"coding": [{"system": "urn:own"}, {"system": "http://snomed.info/sct"}]},
        {"coding": [{"system": "urn:own"}]},
    ),
    "us-core-3 Observation": (
        {"resourceType": "Observation", "valueQuantity": {"value": 1, "system": UCUM}},
        {"resourceType": "Observation", "valueQuantity": {"value": 1, "system": "urn:units"}},
    ),
    "us-core-22 Observation.referenceRange": (
        {"low": {"value": 1, "system": UCUM}, "high": {"value": 2}},
        {"low": {"value": 1, "system": UCUM}, "high": {"value": 2, "system": "urn:units"}},
    ),
    "us-core-24 Observation": (
        {"code": coded("http://loinc.org", "72166-2"), "valueCodeableConcept": {"text": "a"}},
        {"code": coded("http://loinc.org", "72166-2"), "valueQuantity": {"value": 1}},
    ),
    "us-core-25 Observation": (
        {"code": coded("http://snomed.info/sct", "782516008"), "valueQuantity": {"value": 1}},
        {"code": coded("http://snomed.info/sct", "782516008"), "valueString": "1"},
    ),
}

REPORTS: Pairs = {
    "us-core-8 DiagnosticReport": (
        {"status": "final", "effectiveDateTime": "2024-01-01"},
        {"status": "final"},
    ),
    "us-core-10 DiagnosticReport": ({"status": "registered"}, {"status": "partial"}),
    "us-core-9 DiagnosticReport": (
        {"status": "final", "issued": "2024-01-01T00:00:00Z"},
        {"status": "corrected"},
    ),
    "us-core-6 DocumentReference.content.attachment": (
        {"url": "Binary/1"},
        {"contentType": "text/plain"},
    ),
    "us-core-7 Procedure": (
        {"status": "completed", "performedString": "in May"},
        {"status": "in-progress"},
    ),
    "sdcqr-1 QuestionnaireResponse": ({"subject": {"reference": "Patient/1"}}, {}),
    "sdcqr-2 QuestionnaireResponse": (
        {"item": [{"linkId": "1", "answer": [{"valueInteger": 1}]}, {"linkId": "1"}]},
        {
            "item": [
                {
                    "linkId": "1",
                    "item": [
                        {"linkId": "1.1", "answer": [{"valueInteger": 1}]},
                        {"linkId": "1.1", "answer": [{"valueInteger": 2}]},
                    ],
                }
            ]
        },
    ),
}

CARE: Pairs = {
    "us-core-1 Condition": (
        {
            "category": [
                coded(
                    "http://terminology.hl7.org/CodeSystem/condition-category", "problem-list-item"
                )
            ]
        },
        {"category": [coded("urn:own", "problem-list-item")]},
    ),
    "us-core-1 Immunization.vaccineCode": ({"coding": [SHOT, PACKAGE]}, {"coding": [SHOT]}),
    "us-core-5 Immunization": (
        {"vaccineCode": {"coding": [SHOT, PACKAGE]}},
        {"vaccineCode": {"coding": [SHOT]}},
    ),
    "us-core-9 Device": (
        {"udiCarrier": [{}], "lotNumber": "1"},
        {"udiCarrier": [{"deviceIdentifier": "1"}]},
    ),
    "us-core-12 Device": (
        {"udiCarrier": [{"carrierHRF": "1"}]},
        {"udiCarrier": [{"deviceIdentifier": "1"}]},
    ),
    "us-core-15 Coverage": (
        {
            "identifier": [
                {"type": coded("http://terminology.hl7.org/CodeSystem/v2-0203", "MB"), "value": "1"}
            ]
        },
        {"identifier": [{"value": "1"}]},
    ),
    "us-core-20 MedicationDispense": (
        {"status": "completed", "whenHandedOver": "2024-01-01"},
        {"status": "completed"},
    ),
    "us-core-21 MedicationRequest": (
        {"intent": "order", "requester": PRACTITIONER},
        {"intent": "order"},
    ),
    "provenance-1 Provenance.agent": (
        {"who": PRACTITIONER, "onBehalfOf": ORGANIZATION},
        {"who": PRACTITIONER},
    ),
}

PEOPLE: Pairs = {
    "us-core-6 Patient": ({"name": [{"given": ["A"]}]}, {"name": [{"text": "A"}]}),
    "us-core-6 Patient.name": ({"extension": [ABSENT]}, {"family": "A", "extension": [ABSENT]}),
    "us-core-8 Patient.name": ({"family": "A"}, {"text": "A"}),
    "pd-1 PractitionerRole": ({"telecom": [{"value": "1"}]}, {"practitioner": PRACTITIONER}),
    "us-core-13 PractitionerRole": ({"practitioner": PRACTITIONER}, {"telecom": [{"value": "1"}]}),
    "us-core-14 RelatedPerson": ({"name": [{"text": "A"}]}, {"gender": "other"}),
    "us-core-16 Organization.identifier": ({"value": "1234567893"}, {"value": "123456789"}),
    "us-core-17 Organization.identifier": ({"value": "1234567893"}, {"value": "1234567890"}),
    "us-core-18 Organization.identifier": ({"value": "12D4567890"}, {"value": "1234567890"}),
    "us-core-19 Organization.identifier": ({"value": "12345"}, {"value": "1234"}),
    "us-core-23 Patient.extension": (
        {"extension": [{"url": "ombCategory", "valueCoding": {"code": "UNK"}}]},
        {
            "extension": [
                {"url": "ombCategory", "valueCoding": {"code": "2106-3"}},
                {"url": "ombCategory", "valueCoding": {"code": "UNK"}},
            ]
        },
    ),
}

HANDED_ON = {"who": {"reference": "urn:uuid:1"}}

ELSEWHERE: Pairs = {
    "provenance-1 Provenance.agent in a Bundle": (
        Placed(HANDED_ON, {}, (("urn:uuid:1", {"resourceType": "Patient"}),)),
        Placed(HANDED_ON, {}, (("urn:uuid:1", {"resourceType": "Device"}),)),
    ),
}
