"""One Observation that no home device measured: laboratory, examination, answer, life (US Core)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from harness.reference.data.building import Code, Json, concept, in_loinc, resource
from harness.reference.data.chart import Chart
from harness.reference.data.instants import instant
from harness.reference.data.systems import US_CORE_CATEGORY
from harness.reference.data.vocabulary import OBSERVATION_CATEGORY

CATEGORIES: Final[Mapping[str, tuple[str, str]]] = {
    "laboratory": (OBSERVATION_CATEGORY, "Laboratory"),
    "vital-signs": (OBSERVATION_CATEGORY, "Vital Signs"),
    "social-history": (OBSERVATION_CATEGORY, "Social History"),
    "survey": (OBSERVATION_CATEGORY, "Survey"),
    "procedure": (OBSERVATION_CATEGORY, "Procedure"),
    "imaging": (OBSERVATION_CATEGORY, "Imaging"),
    "exam": (OBSERVATION_CATEGORY, "Exam"),
    "sdoh": (US_CORE_CATEGORY, "SDOH"),
    "functional-status": (US_CORE_CATEGORY, "Functional Status"),
    "disability-status": (US_CORE_CATEGORY, "Disability Status"),
    "cognitive-status": (US_CORE_CATEGORY, "Cognitive Status"),
}


def finding(
    chart: Chart,
    suffix: str,
    profile: str,
    categories: tuple[str, ...],
    code: Code,
    taken: datetime,
    **elements: Any,
) -> Json:
    """Returns a final Observation, stored ten minutes after it was taken.

    Args:
        chart: whose record it is.
        suffix: of its id.
        profile: name of its US Core profile.
        categories: keys of `CATEGORIES`.
        code: of LOINC.
        taken: when; `effectivePeriod` among the elements takes its place.
        elements: more elements, such as `valueString`.
    """
    stored = taken + timedelta(minutes=10)
    when = None if "effectivePeriod" in elements else chart.local(taken)
    return resource(
        "Observation",
        chart.id(suffix),
        profile,
        stored,
        status="final",
        category=[category(one) for one in categories],
        code=in_loinc(code),
        subject=chart.subject,
        effectiveDateTime=when,
        issued=instant(stored),
        **elements,
    )


def category(code: str) -> Json:
    """Returns the category of an Observation, a key of `CATEGORIES`."""
    system, display = CATEGORIES[code]
    return concept(system, code, display)
