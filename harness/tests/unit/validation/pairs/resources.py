"""Of clinical, administrative, questionnaire and testing resources."""

from harness.tests.unit.validation.pairs import Pairs, Placed

UCUM = "http://unitsofmeasure.org"
ALLERGY = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
STANDING = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
STATUS = "http://terminology.hl7.org/CodeSystem/condition-clinical"
CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
TEXT = {"text": "a"}
SOMEWHERE = {"reference": "Patient/1"}


def coded(system: str, code: str) -> dict[str, object]:
    return {"coding": [{"system": system, "code": code}]}


CLINICAL: Pairs = {
    "ait-1 AllergyIntolerance": (
        {"verificationStatus": coded(ALLERGY, "entered-in-error")},
        {"verificationStatus": coded(ALLERGY, "confirmed")},
    ),
    "ait-2 AllergyIntolerance": (
        {"verificationStatus": coded(ALLERGY, "confirmed"), "clinicalStatus": TEXT},
        {"verificationStatus": coded(ALLERGY, "entered-in-error"), "clinicalStatus": TEXT},
    ),
    "con-1 Condition.stage": ({"summary": TEXT}, {"type": TEXT}),
    "con-2 Condition.evidence": ({"detail": [SOMEWHERE]}, {"id": "a"}),
    "con-3 Condition": (
        {"category": [coded(CATEGORY, "encounter-diagnosis")]},
        {"category": [coded(CATEGORY, "problem-list-item")]},
    ),
    "con-4 Condition": (
        {"abatementString": "in May", "clinicalStatus": coded(STATUS, "resolved")},
        {"abatementString": "in May", "clinicalStatus": coded(STATUS, "active")},
    ),
    "con-5 Condition": (
        {"verificationStatus": coded(STANDING, "entered-in-error")},
        {"verificationStatus": coded(STANDING, "entered-in-error"), "clinicalStatus": TEXT},
    ),
    "cpl-3 CarePlan.activity": ({"detail": {}}, {"detail": {}, "reference": SOMEWHERE}),
    "ctm-1 CareTeam.participant": (
        {"member": {"reference": "Practitioner/1"}, "onBehalfOf": SOMEWHERE},
        {"member": {"reference": "Patient/1"}, "onBehalfOf": SOMEWHERE},
    ),
    "ctm-1 CareTeam.participant in a Bundle": (
        Placed(
            {"member": {"reference": "urn:a"}, "onBehalfOf": SOMEWHERE},
            {},
            (("urn:a", {"resourceType": "Practitioner"}),),
        ),
        Placed(
            {"member": {"reference": "urn:a"}, "onBehalfOf": SOMEWHERE},
            {},
            (("urn:a", {"resourceType": "RelatedPerson"}),),
        ),
    ),
    "fhs-1 FamilyMemberHistory": ({"ageString": "5"}, {"ageString": "5", "bornString": "1950"}),
    "fhs-2 FamilyMemberHistory": (
        {"ageAge": {"value": 5}, "estimatedAge": True},
        {"estimatedAge": True},
    ),
    "gol-1 Goal.target": ({"measure": TEXT, "detailString": "a"}, {"detailString": "a"}),
    "imm-1 Immunization.education": ({"documentType": "a"}, {"publicationDate": "2024"}),
    "imr-1 ImmunizationRecommendation.recommendation": (
        {"targetDisease": TEXT},
        {"forecastReason": [TEXT]},
    ),
    "mad-1 MedicationAdministration.dosage": ({"rateQuantity": {"value": 1}}, {"text": "a"}),
    "mdd-1 MedicationDispense": (
        {"whenPrepared": "2024-01-01", "whenHandedOver": "2024-01-01T10:00:00Z"},
        {"whenPrepared": "2024-01-02", "whenHandedOver": "2024-01-01T10:00:00Z"},
    ),
    "msq-3 MolecularSequence": ({"coordinateSystem": 0}, {"coordinateSystem": 2}),
    "msq-5 MolecularSequence.referenceSeq": (
        {"chromosome": TEXT, "genomeBuild": "a"},
        {"chromosome": TEXT},
    ),
    "msq-6 MolecularSequence.referenceSeq": (
        {"genomeBuild": "a"},
        {"genomeBuild": "a", "referenceSeqString": "CGT"},
    ),
    "nor-1 NutritionOrder": ({"supplement": [{}]}, {"status": "active"}),
    "prr-1 ServiceRequest": ({"orderDetail": [TEXT], "code": TEXT}, {"orderDetail": [TEXT]}),
    "ras-1 RiskAssessment.prediction.probability": (
        {"low": {"value": 1, "system": UCUM, "code": "%"}},
        {"low": {"value": 1, "system": UCUM, "code": "g"}},
    ),
    "ras-2 RiskAssessment.prediction": ({"probabilityDecimal": 100}, {"probabilityDecimal": 100.5}),
    "rqg-1 RequestGroup.action": ({"resource": SOMEWHERE}, {"resource": SOMEWHERE, "action": [{}]}),
    "inv-1 Task": (
        {"authoredOn": "2024-01-01T10:00:00Z", "lastModified": "2024-01-01T11:00:00+01:00"},
        {"authoredOn": "2024-01-01T10:00:00Z", "lastModified": "2024-01-01T10:00:00+01:00"},
    ),
}

ADMINISTRATION: Pairs = {
    "app-1 Appointment.participant": ({"type": [TEXT]}, {"status": "accepted"}),
    "app-2 Appointment": ({"start": "a", "end": "b"}, {"start": "a"}),
    "app-3 Appointment": ({"status": "waitlist"}, {"status": "booked", "start": "a"}),
    "app-4 Appointment": (
        {"cancelationReason": TEXT, "status": "cancelled"},
        {"cancelationReason": TEXT, "status": "booked"},
    ),
    "apr-1 AppointmentResponse": ({"actor": SOMEWHERE}, {"participantStatus": "accepted"}),
    "ces-1 CoverageEligibilityResponse.insurance.item": (
        {"category": TEXT},
        {"category": TEXT, "productOrService": TEXT},
    ),
    "cmp-1 Composition.section": ({"entry": [SOMEWHERE]}, {"title": "a"}),
    "cmp-2 Composition.section": (
        {"emptyReason": TEXT},
        {"emptyReason": TEXT, "entry": [SOMEWHERE]},
    ),
    "grp-1 Group": ({"actual": True, "member": [{}]}, {"actual": False, "member": [{}]}),
    "ipn-1 InsurancePlan": ({"name": "a"}, {"alias": ["a"]}),
    "lnk-1 Linkage": ({"item": [{}, {}]}, {"item": [{}]}),
    "lst-1 List": ({"emptyReason": TEXT}, {"emptyReason": TEXT, "entry": [{}]}),
    "lst-2 List": (
        {"mode": "changes", "entry": [{"deleted": True}]},
        {"mode": "working", "entry": [{"deleted": True}]},
    ),
    "lst-3 List": (
        {"mode": "working", "entry": [{"date": "2024"}]},
        {"mode": "snapshot", "entry": [{}, {"date": "2024"}]},
    ),
    "org-1 Organization": ({"identifier": [{"value": "a"}]}, {"active": True}),
    "org-2 Organization.address": ({"use": "work"}, {"use": "home"}),
    "org-3 Organization.telecom": ({"value": "a"}, {"use": "home"}),
    "pat-1 Patient.contact": ({"name": TEXT}, {"gender": "male"}),
    "ppc-1 Consent": ({"policyRule": TEXT}, {"status": "active"}),
    "ppc-2 Consent": (
        {"scope": coded("something", "patient-privacy"), "patient": SOMEWHERE},
        {"scope": coded("something", "patient-privacy")},
    ),
    "ppc-3 Consent": (
        {"scope": coded("urn:a", "research")},
        {"scope": coded("something", "research")},
    ),
    "ppc-4 Consent": ({"scope": TEXT}, {"scope": coded("something", "adr")}),
    "ppc-5 Consent": ({"patient": SOMEWHERE}, {"scope": coded("something", "treatment")}),
    "sev-1 AuditEvent.entity": ({"name": "a"}, {"name": "a", "query": "QQ=="}),
}

DISPLAY = {"linkId": "1", "type": "display"}
QUESTION = {"linkId": "1", "type": "string"}

QUESTIONNAIRES: Pairs = {
    "que-1 Questionnaire.item": ({"type": "group", "item": [QUESTION]}, {"type": "group"}),
    "que-2 Questionnaire": (
        {"item": [{"linkId": "1", "item": [{"linkId": "1.1"}]}]},
        {"item": [{"linkId": "1", "item": [{"linkId": "1"}]}]},
    ),
    "que-3 Questionnaire.item": ({**QUESTION, "code": [{}]}, {**DISPLAY, "code": [{}]}),
    "que-4 Questionnaire.item": (
        {"answerValueSet": "urn:a"},
        {"answerValueSet": "urn:a", "answerOption": [{}]},
    ),
    "que-5 Questionnaire.item": (
        {"type": "choice", "answerOption": [{}]},
        {"type": "boolean", "answerOption": [{}]},
    ),
    "que-6 Questionnaire.item": ({**QUESTION, "required": True}, {**DISPLAY, "repeats": False}),
    "que-7 Questionnaire.item.enableWhen": (
        {"operator": "exists", "answerBoolean": True},
        {"operator": "exists", "answerString": "a"},
    ),
    "que-8 Questionnaire.item": ({**QUESTION, "initial": [{}]}, {"type": "group", "initial": [{}]}),
    "que-9 Questionnaire.item": ({**QUESTION, "readOnly": True}, {**DISPLAY, "readOnly": True}),
    "que-10 Questionnaire.item": (
        {"type": "text", "maxLength": 5},
        {"type": "date", "maxLength": 5},
    ),
    "que-11 Questionnaire.item": ({"initial": [{}]}, {"initial": [{}], "answerOption": [{}]}),
    "que-12 Questionnaire.item": (
        {"enableWhen": [{}, {}, {}], "enableBehavior": "all"},
        {"enableWhen": [{}, {}, {}]},
    ),
    "que-13 Questionnaire.item": ({"repeats": True, "initial": [{}, {}]}, {"initial": [{}, {}]}),
    "qrs-1 QuestionnaireResponse.item": ({"answer": [{}]}, {"answer": [{}], "item": [{}]}),
}

TESTS: Pairs = {
    "tst-1 TestScript.setup.action": ({"operation": {}}, {"operation": {}, "assert": {}}),
    "inv-1 TestReport.setup.action": ({"assert": {}}, {}),
    "inv-2 TestReport.test.action": ({"assert": {}}, {}),
    "tst-3 TestScript.variable": (
        {"expression": "a", "path": "b"},
        {"expression": "a", "path": "b", "headerField": "c"},
    ),
    "tst-4 TestScript.metadata": ({"capability": [{"required": True}]}, {"capability": [{}]}),
    "tst-5 TestScript.setup.action.assert": ({"path": "a"}, {"path": "a", "response": "okay"}),
    "tst-6 TestScript.test.action.assert": ({"path": "a"}, {"path": "a", "response": "okay"}),
    "tst-7 TestScript.setup.action.operation": ({"url": "a"}, {"url": "a", "params": "/b"}),
    "tst-8 TestScript.test.action.operation": (
        {"type": {"code": "search"}},
        {"type": {"code": "read"}},
    ),
    "tst-9 TestScript.teardown.action.operation": ({"sourceId": "a"}, {}),
    "tst-10 TestScript.setup.action.assert": (
        {"compareToSourceId": "a", "compareToSourcePath": "b"},
        {"compareToSourceId": "a"},
    ),
    "tst-11 TestScript.test.action.assert": ({}, {"compareToSourcePath": "b"}),
    "tst-12 TestScript.setup.action.assert": (
        {"direction": "response", "response": "okay"},
        {"direction": "request", "response": "okay"},
    ),
    "tst-13 TestScript.test.action.assert": (
        {"response": "okay"},
        {"direction": "request", "responseCode": "200"},
    ),
}
