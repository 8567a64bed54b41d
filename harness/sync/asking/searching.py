"""What FHIR R4 and US Core say on searching each type: its clinical date, its categories.

https://hl7.org/fhir/R4/searchparameter-registry.html, https://hl7.org/fhir/us/core/STU6.1/
"""

from __future__ import annotations

EVENT_DATES = {
    "DiagnosticReport": "date",
    "DocumentReference": "date",
    "Encounter": "date",
    "Immunization": "date",
    "MedicationAdministration": "effective-time",
    "MedicationDispense": "whenhandedover",
    "Observation": "date",
    "Procedure": "date",
    "QuestionnaireResponse": "authored",
}
"""The date of types that record events: what is new has a recent date.

Types that record a state (Condition, MedicationRequest, Goal) are not here: they change years after
their date, so that no window finds the change, and they are few enough to be read whole.
"""

CATEGORIES = {
    "CarePlan": ("assess-plan",),
    "Condition": ("problem-list-item", "encounter-diagnosis", "health-concern"),
    "DiagnosticReport": ("LAB", "LP29684-5", "LP29708-2", "LP7839-6"),
    "DocumentReference": ("clinical-note",),
    "Observation": (
        "vital-signs",
        "laboratory",
        "social-history",
        "survey",
        "exam",
        "imaging",
        "procedure",
        "therapy",
        "activity",
        "sdoh",
        "functional-status",
        "disability-status",
        "cognitive-status",
        "treatment-intervention-preference",
        "care-experience-preference",
    ),
}
"""Categories to ask for one by one, where a search needs one and the EHR file names none."""
