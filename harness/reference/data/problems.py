"""Why a patient is monitored, what was found at visits, and what the patient does not tolerate."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from harness.reference.data.building import (
    Code,
    Json,
    absent,
    concept,
    in_snomed,
    reference,
    resource,
)
from harness.reference.data.chart import Chart
from harness.reference.data.instants import instant
from harness.reference.data.systems import ASSERTED_DATE, HEALTH_CONCERN, US_CORE_CATEGORY
from harness.reference.data.vocabulary import (
    ALLERGY_CLINICAL,
    ALLERGY_VERIFICATION,
    CONDITION_CATEGORY,
    CONDITION_CLINICAL,
    CONDITION_VERIFICATION,
)

PROBLEMS: Final = "us-core-condition-problems-health-concerns"
DIAGNOSES: Final = {
    "hypertension": ("38341003", "Hypertensive disorder, systemic arterial"),
    "diabetes": ("44054006", "Diabetes mellitus type 2"),
    "lungs": ("13645005", "Chronic obstructive lung disease"),
}
SUBSTANCES: Final = (
    ("716186003", "No known allergy"),
    ("764146007", "Penicillin"),
    ("256277009", "Grass pollen"),
)
HIVES: Final = ("126485001", "Urticaria")
SHRIMP: Final = ("227037002", "Fish - dietary")
AT_VISITS: Final = (
    ("195662009", "Acute viral pharyngitis"),
    ("444814009", "Viral sinusitis"),
    ("10509002", "Acute bronchitis"),
)
FOOD_INSECURITY: Final = ("733423003", "Food insecurity")
STRESS: Final = ("73595000", "Stress")
ANKLE: Final = ("44465007", "Sprain of ankle")


def conditions(chart: Chart) -> Iterator[Json]:
    """Yields the problem list, health concerns and the diagnoses of visits."""
    for number, diagnosis in enumerate(chart.diagnoses, start=1):
        recorded = chart.registered + timedelta(hours=number)
        yield _problem(chart, f"problem-{diagnosis}", DIAGNOSES[diagnosis], recorded)
    yield _problem(
        chart,
        "problem-resolved",
        ANKLE,
        chart.registered + timedelta(hours=5),
        status="resolved",
        abatementDateTime=chart.local(chart.registered + timedelta(days=40)),
    )
    yield _problem(
        chart,
        "social",
        FOOD_INSECURITY if chart.who.ordinal % 2 else STRESS,
        chart.during(1, 25),
        category=[
            concept(HEALTH_CONCERN, "health-concern", "Health Concern"),
            concept(US_CORE_CATEGORY, "sdoh", "SDOH"),
        ],
    )
    for number in range(1, len(chart.visits) + 1):
        yield _diagnosis(chart, number)


def allergies(chart: Chart) -> Iterator[Json]:
    """Yields what the patient does not tolerate, or that nothing is known."""
    yield _allergy(chart, "allergy", SUBSTANCES[chart.who.ordinal % 3], hours=9)
    if chart.full:
        reaction = [{"manifestation": [in_snomed(HIVES)], "severity": "mild"}]
        more = {"reaction": reaction, "criticality": "low"}
        yield _allergy(chart, "allergy-food", SHRIMP, hours=10, **more)
        yield _allergy(chart, "allergy-unknown", None, hours=11)
        refuted = {"verificationStatus": concept(ALLERGY_VERIFICATION, "entered-in-error")}
        error = _allergy(chart, "allergy-error", SUBSTANCES[2], hours=12, **refuted)
        del error["clinicalStatus"]  # invariant ait-2
        yield error


def _problem(
    chart: Chart,
    suffix: str,
    code: Code,
    recorded: datetime,
    status: str = "active",
    **elements: Any,
) -> Json:
    category = [concept(CONDITION_CATEGORY, "problem-list-item", "Problem List Item")]
    return resource(
        "Condition",
        chart.id(suffix),
        PROBLEMS,
        recorded,
        extension=_asserted(recorded),
        clinicalStatus=concept(CONDITION_CLINICAL, status),
        verificationStatus=concept(CONDITION_VERIFICATION, "confirmed"),
        category=elements.pop("category", category),
        code=in_snomed(code),
        subject=chart.subject,
        onsetDateTime=(recorded - timedelta(days=30)).date().isoformat(),
        recordedDate=instant(recorded),
        recorder=chart.clinician(0),
        **elements,
    )


def _diagnosis(chart: Chart, number: int) -> Json:
    """Returns what a visit ended with; it was over after two weeks."""
    recorded = chart.during(number, 20)
    unknown = number == len(chart.visits) and chart.full
    return resource(
        "Condition",
        chart.id(f"seen-{number}"),
        "us-core-condition-encounter-diagnosis",
        recorded,
        extension=_asserted(recorded),
        clinicalStatus=concept(CONDITION_CLINICAL, "resolved"),
        verificationStatus=concept(CONDITION_VERIFICATION, "confirmed"),
        category=[concept(CONDITION_CATEGORY, "encounter-diagnosis", "Encounter Diagnosis")],
        code=absent("unknown") if unknown else in_snomed(AT_VISITS[number % len(AT_VISITS)]),
        subject=chart.subject,
        encounter=chart.visit(number),
        onsetDateTime=chart.local(recorded - timedelta(days=3)),
        abatementDateTime=chart.local(recorded + timedelta(days=14)),
        recordedDate=chart.local(recorded),
        recorder=chart.clinician(number),
    )


def _asserted(moment: datetime) -> list[Json]:
    return [{"url": ASSERTED_DATE, "valueDateTime": instant(moment)}]


def _allergy(chart: Chart, suffix: str, code: Code | None, hours: int, **elements: Any) -> Json:
    recorded = chart.registered + timedelta(hours=hours)
    made = resource(
        "AllergyIntolerance",
        chart.id(suffix),
        "us-core-allergyintolerance",
        recorded,
        clinicalStatus=concept(ALLERGY_CLINICAL, "active"),
        verificationStatus=concept(ALLERGY_VERIFICATION, "confirmed"),
        code=in_snomed(code) if code else absent("unknown"),
        patient=reference(chart.who.reference),
        recordedDate=instant(recorded),
    )
    return made | elements
