"""Vital signs with a story of their own: those of a child, with oxygen, and one that failed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

from harness.reference.data.building import Json, absent, in_loinc, quantity, resource
from harness.reference.data.chart import Chart
from harness.reference.data.findings import category, finding
from harness.reference.data.instants import instant
from harness.reference.data.vocabulary import (
    BLOOD_PRESSURE,
    OXYGEN_SATURATION,
    PERCENT,
    Unit,
    loinc,
)

CENTIMETRE: Final = Unit("cm", "cm")
LITRE_PER_MINUTE: Final = Unit("L/min", "L/min")
GROWTH: Final = (
    ("head", "us-core-head-circumference", ("9843-4", "Head Occipital-frontal circumference"),
     CENTIMETRE, 41),
    ("head-percentile", "head-occipital-frontal-circumference-percentile",
     ("8289-1", "Head Occipital-frontal circumference Percentile"), PERCENT, 48),
    ("bmi-percentile", "pediatric-bmi-for-age",
     ("59576-9", "Body mass index (BMI) [Percentile] Per age and sex"), PERCENT, 55),
    ("weight-percentile", "pediatric-weight-for-height",
     ("77606-2", "Weight-for-length Per age and sex"), PERCENT, 52),
)  # fmt: skip
AGES: Final = (60, 365, 730)
"""Days after birth at which a child was seen."""
FLOW: Final = ("3151-8", "Inhaled oxygen flow rate")
CONCENTRATION: Final = ("3150-0", "Inhaled oxygen concentration")


def childhood(chart: Chart) -> Iterator[Json]:
    """Yields what a child's booklet says, taken over when a full record was begun."""
    if not chart.full:
        return
    stored = chart.registered + timedelta(hours=15)
    for number, age in enumerate(AGES, start=1):
        seen = datetime.combine(chart.who.born + timedelta(days=age), time(15), UTC)
        for key, profile, code, unit, value in GROWTH:
            yield resource(
                "Observation",
                chart.id(f"child-{key}-{number}"),
                profile,
                stored,
                status="final",
                category=[category("vital-signs")],
                code=in_loinc(code),
                subject=chart.subject,
                effectiveDateTime=seen.date().isoformat(),
                issued=instant(stored),
                performer=[chart.clinician(0)],
                valueQuantity=quantity(value + number, unit),
            )


def at_the_bedside(chart: Chart) -> Iterator[Json]:
    """Yields oxygen saturation under oxygen, and a blood pressure that could not be taken."""
    if "lungs" in chart.diagnoses:
        components = (_component(FLOW, 6, LITRE_PER_MINUTE), _component(CONCENTRATION, 40, PERCENT))
        yield _sign(
            chart, "clinic-spo2-oxygen", OXYGEN_SATURATION.profile, OXYGEN_SATURATION.codings,
            valueQuantity=quantity(95, PERCENT), component=list(components),
        )  # fmt: skip
    if chart.full:
        nothing = absent("error")
        empty = [
            {"code": in_loinc(code), "dataAbsentReason": nothing}
            for code in BLOOD_PRESSURE.components
        ]
        yield _sign(
            chart, "clinic-bp-failed", BLOOD_PRESSURE.profile, BLOOD_PRESSURE.codings,
            dataAbsentReason=nothing, component=empty,
        )  # fmt: skip
        missing = [
            {"code": in_loinc(code), "dataAbsentReason": nothing} for code in (FLOW, CONCENTRATION)
        ]
        yield _sign(
            chart, "clinic-spo2-failed", OXYGEN_SATURATION.profile, OXYGEN_SATURATION.codings,
            dataAbsentReason=nothing, component=missing,
        )  # fmt: skip


def _component(code: tuple[str, str], value: float, unit: Unit) -> Json:
    return {"code": in_loinc(code), "valueQuantity": quantity(value, unit)}


def _sign(
    chart: Chart, suffix: str, profile: str, codes: tuple[tuple[str, str], ...], **value: Any
) -> Json:
    made = finding(
        chart, suffix, profile, ("vital-signs",), codes[0], chart.during(2, 4),
        encounter=chart.visit(2), performer=[chart.clinician(2)], **value,
    )  # fmt: skip
    made["code"]["coding"] = [loinc(code, display) for code, display in codes]
    return made
