"""The elements of the other resource types that clients may write (FHIR R4 4.0.1), as data.

Written as in `elements`: `name:Type` is optional, `!` makes it required, `*` a list.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_HEAD: Final = (
    "resourceType:code! id:id meta:Meta implicitRules:uri language:code text:Narrative "
    "contained:Any* modifierExtension:Extension* identifier:Identifier* "
)
_ONSET: Final = (
    "onsetDateTime:dateTime onsetAge:Quantity onsetPeriod:Period onsetRange:Range "
    "onsetString:string "
)

RESOURCES: Final[Mapping[str, str]] = {
    "AllergyIntolerance": (
        f"{_HEAD} clinicalStatus:CodeableConcept verificationStatus:CodeableConcept type:code "
        "category:code* criticality:code code:CodeableConcept patient:Reference! "
        f"encounter:Reference {_ONSET} recordedDate:dateTime recorder:Reference "
        "asserter:Reference lastOccurrence:dateTime note:Annotation* reaction:Reaction*"
    ),
    "Condition": (
        f"{_HEAD} clinicalStatus:CodeableConcept verificationStatus:CodeableConcept "
        "category:CodeableConcept* severity:CodeableConcept code:CodeableConcept "
        f"bodySite:CodeableConcept* subject:Reference! encounter:Reference {_ONSET} "
        "abatementDateTime:dateTime abatementAge:Quantity abatementPeriod:Period "
        "abatementRange:Range abatementString:string recordedDate:dateTime recorder:Reference "
        "asserter:Reference stage:Stage* evidence:Evidence* note:Annotation*"
    ),
    "Device": (
        f"{_HEAD} definition:Reference udiCarrier:UdiCarrier* status:code "
        "statusReason:CodeableConcept* distinctIdentifier:string manufacturer:string "
        "manufactureDate:dateTime expirationDate:dateTime lotNumber:string serialNumber:string "
        "deviceName:DeviceName* modelNumber:string partNumber:string type:CodeableConcept "
        "specialization:Specialization* version:DeviceVersion* property:DeviceProperty* "
        "patient:Reference owner:Reference contact:ContactPoint* location:Reference url:uri "
        "note:Annotation* safety:CodeableConcept* parent:Reference"
    ),
    "MedicationRequest": (
        f"{_HEAD} status:code! statusReason:CodeableConcept intent:code! "
        "category:CodeableConcept* priority:code doNotPerform:boolean reportedBoolean:boolean "
        "reportedReference:Reference medicationCodeableConcept:CodeableConcept "
        "medicationReference:Reference subject:Reference! encounter:Reference "
        "supportingInformation:Reference* authoredOn:dateTime requester:Reference "
        "performer:Reference performerType:CodeableConcept recorder:Reference "
        "reasonCode:CodeableConcept* reasonReference:Reference* instantiatesCanonical:uri* "
        "instantiatesUri:uri* basedOn:Reference* groupIdentifier:Identifier "
        "courseOfTherapyType:CodeableConcept insurance:Reference* note:Annotation* "
        "dosageInstruction:Dosage* dispenseRequest:Any substitution:Any "
        "priorPrescription:Reference detectedIssue:Reference* eventHistory:Reference*"
    ),
    "Provenance": (
        f"{_HEAD.replace('identifier:Identifier* ', '')} target:Reference*! "
        "occurredPeriod:Period occurredDateTime:dateTime recorded:instant! policy:uri* "
        "location:Reference reason:CodeableConcept* activity:CodeableConcept agent:Agent*! "
        "entity:ProvenanceEntity* signature:Any*"
    ),
    "DocumentReference": (
        f"{_HEAD} masterIdentifier:Identifier status:code! docStatus:code type:CodeableConcept "
        "category:CodeableConcept* subject:Reference date:instant author:Reference* "
        "authenticator:Reference custodian:Reference relatesTo:Any* description:string "
        "securityLabel:CodeableConcept* content:DocumentContent*! context:Any"
    ),
    "DiagnosticReport": (
        f"{_HEAD} basedOn:Reference* status:code! category:CodeableConcept* "
        "code:CodeableConcept! subject:Reference encounter:Reference effectiveDateTime:dateTime "
        "effectivePeriod:Period issued:instant performer:Reference* resultsInterpreter:Reference* "
        "specimen:Reference* result:Reference* imagingStudy:Reference* media:Any* "
        "conclusion:string conclusionCode:CodeableConcept* presentedForm:Attachment*"
    ),
}
"""By resource type: its elements."""

PARTS: Final[Mapping[str, str]] = {
    "Subscription": (
        f"{_HEAD.replace('identifier:Identifier* ', '')} status:code! contact:ContactPoint* "
        "end:instant reason:string! criteria:string! error:string channel:Channel!"
    ),
    "Channel": ("modifierExtension:Extension* type:code! endpoint:uri payload:code header:string*"),
    "Reaction": (
        "modifierExtension:Extension* substance:CodeableConcept manifestation:CodeableConcept*! "
        "description:string onset:dateTime severity:code exposureRoute:CodeableConcept "
        "note:Annotation*"
    ),
    "Stage": "modifierExtension:Extension* summary:CodeableConcept assessment:Reference* "
    "type:CodeableConcept",
    "Evidence": "modifierExtension:Extension* code:CodeableConcept* detail:Reference*",
    "UdiCarrier": (
        "modifierExtension:Extension* deviceIdentifier:string issuer:uri jurisdiction:uri "
        "carrierAIDC:string carrierHRF:string entryType:code"
    ),
    "DeviceName": "modifierExtension:Extension* name:string! type:code!",
    "Specialization": "modifierExtension:Extension* systemType:CodeableConcept! version:string",
    "DeviceVersion": (
        "modifierExtension:Extension* type:CodeableConcept component:Identifier value:string!"
    ),
    "DeviceProperty": (
        "modifierExtension:Extension* type:CodeableConcept! valueQuantity:Quantity* "
        "valueCode:CodeableConcept*"
    ),
    "ContactPoint": "system:code value:string use:code rank:positiveInt period:Period",
    "Dosage": (
        "modifierExtension:Extension* sequence:integer text:string "
        "additionalInstruction:CodeableConcept* patientInstruction:string timing:Any "
        "asNeededBoolean:boolean asNeededCodeableConcept:CodeableConcept site:CodeableConcept "
        "route:CodeableConcept method:CodeableConcept doseAndRate:Any* maxDosePerPeriod:Ratio "
        "maxDosePerAdministration:Quantity maxDosePerLifetime:Quantity"
    ),
    "Agent": (
        "modifierExtension:Extension* type:CodeableConcept role:CodeableConcept* who:Reference! "
        "onBehalfOf:Reference"
    ),
    "ProvenanceEntity": "modifierExtension:Extension* role:code! what:Reference! agent:Agent*",
    "DocumentContent": "modifierExtension:Extension* attachment:Attachment! format:Coding",
    "Attachment": (
        "contentType:code language:code data:string url:uri size:integer hash:string "
        "title:string creation:dateTime"
    ),
}
"""By name: the elements of their parts, of datatypes that no Observation has, and of what is
written and kept in another way."""

CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "AllergyIntolerance": ("onset",),
    "Condition": ("onset", "abatement"),
    "MedicationRequest": ("reported", "medication"),
    "Provenance": ("occurred",),
    "DiagnosticReport": ("effective",),
    "Dosage": ("asNeeded",),
}
"""By type: beginnings of elements of which only one may stand."""

_CONDITION_STATUS: Final = ("active", "recurrence", "relapse", "inactive", "remission", "resolved")
_NOW: Final = ("preliminary", "final", "amended", "entered-in-error")

CODES: Final[Mapping[str, tuple[str, ...]]] = {
    "AllergyIntolerance.clinicalStatus": ("active", "inactive", "resolved"),
    "AllergyIntolerance.verificationStatus": (
        "unconfirmed", "presumed", "confirmed", "refuted", "entered-in-error",
    ),
    "AllergyIntolerance.type": ("allergy", "intolerance"),
    "AllergyIntolerance.category": ("food", "medication", "environment", "biologic"),
    "AllergyIntolerance.criticality": ("low", "high", "unable-to-assess"),
    "Condition.clinicalStatus": _CONDITION_STATUS,
    "Condition.verificationStatus": (
        "unconfirmed", "provisional", "differential", "confirmed", "refuted", "entered-in-error",
    ),
    "Device.status": ("active", "inactive", "entered-in-error", "unknown"),
    "MedicationRequest.status": (
        "active", "on-hold", "cancelled", "completed", "entered-in-error", "stopped", "draft",
        "unknown",
    ),
    "MedicationRequest.intent": (
        "proposal", "plan", "order", "original-order", "reflex-order", "filler-order",
        "instance-order", "option",
    ),
    "MedicationRequest.priority": ("routine", "urgent", "asap", "stat"),
    "DocumentReference.status": ("current", "superseded", "entered-in-error"),
    "DocumentReference.docStatus": _NOW,
    "Subscription.status": ("requested", "active", "error", "off"),
    "DiagnosticReport.status": (
        "registered", "partial", *_NOW, "corrected", "appended", "cancelled", "unknown",
    ),
}  # fmt: skip
"""By element: the codes of its value set, where the binding is required."""
