"""What the laboratory found at each visit: order, specimen, results, report (US Core 6.1.0)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from harness.reference.data.building import (
    Code,
    Json,
    absent,
    concept,
    in_loinc,
    in_snomed,
    quantity,
    reference,
    resource,
)
from harness.reference.data.chart import Chart
from harness.reference.data.findings import finding
from harness.reference.data.instants import instant
from harness.reference.data.places import LABORATORY_ID
from harness.reference.data.systems import DIAGNOSTIC_SECTION, INTERPRETATION, PROTOCOLS
from harness.reference.data.vocabulary import MG_PER_DL, PERCENT, SNOMED, Unit

MMOL_PER_L: Final = Unit("mmol/L", "mmol/L")
BLOOD: Final = ("119297000", "Blood specimen")
URINE: Final = ("122575003", "Urine specimen")
NOT_DETECTED: Final = ("260415000", "Not detected")
LAB: Final = "us-core-observation-lab"


@dataclass(frozen=True, slots=True)
class Test:
    """One number that the laboratory measures; it is normal between `low` and `high`."""

    key: str
    code: Code
    unit: Unit
    low: float
    high: float
    digits: int = 1


@dataclass(frozen=True, slots=True)
class Panel:
    """What is ordered and reported together."""

    key: str
    code: Code
    specimen: Code
    tests: tuple[Test, ...]


CHEMISTRY: Final = Panel(
    "chemistry",
    ("24323-8", "Comprehensive metabolic 2000 panel - Serum or Plasma"),
    BLOOD,
    (
        Test("a1c", ("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood"), PERCENT, 4, 6.5),
        Test("creatinine", ("2160-0", "Creatinine [Mass/volume] in Serum or Plasma"),
             MG_PER_DL, 0.6, 1.2),
        Test("potassium", ("2823-3", "Potassium [Moles/volume] in Serum or Plasma"),
             MMOL_PER_L, 3.5, 5.1),
        Test("ldl", ("13457-7", "Cholesterol in LDL [Mass/volume] by calculation"),
             MG_PER_DL, 50, 130, 0),
    ),
)  # fmt: skip
URINALYSIS: Final = Panel("urinalysis", ("24356-8", "Urinalysis complete panel - Urine"), URINE, ())
COLOR: Final = ("5778-6", "Color of Urine")
PROTEIN: Final = ("20454-5", "Protein [Presence] in Urine by Test strip")
KETONES: Final = ("5797-6", "Ketones [Mass/volume] in Urine by Test strip")


def laboratory(chart: Chart) -> Iterator[Json]:
    """Yields the work of the laboratory for each visit: blood each time, urine at the first."""
    for number in range(1, len(chart.visits) + 1):
        yield from _panel(chart, CHEMISTRY, number)
    yield from _panel(chart, URINALYSIS, 1)


def _panel(chart: Chart, panel: Panel, visit: int) -> Iterator[Json]:
    suffix = f"{panel.key}-{visit}"
    taken = chart.during(visit, 12)
    shared: dict[str, Any] = {
        "basedOn": [reference(f"ServiceRequest/{chart.id(f'order-{suffix}')}")],
        "encounter": chart.visit(visit),
        "performer": [reference(f"Organization/{LABORATORY_ID}")],
    }
    found = _urine(chart, visit, taken, shared)
    if panel.tests:
        chance = chart.chance("laboratory", visit)
        found = [_number(chart, one, visit, taken, chance, shared) for one in panel.tests]
    yield _specimen(chart, panel, suffix, taken)
    yield from found
    yield _report(chart, panel, suffix, taken, found, shared)


def _number(
    chart: Chart, test: Test, visit: int, taken: datetime, chance: Random, shared: dict[str, Any]
) -> Json:
    value = round(chance.uniform(test.low * 0.9, test.high * 1.2), test.digits)
    flag = "L" if value < test.low else "H" if value > test.high else "N"
    return finding(
        chart,
        f"lab-{test.key}-{visit}",
        LAB,
        ("laboratory",),
        test.code,
        taken,
        valueQuantity=quantity(value, test.unit),
        interpretation=[concept(INTERPRETATION, flag)],
        referenceRange=[
            {"low": quantity(test.low, test.unit), "high": quantity(test.high, test.unit)}
        ],
        specimen=reference(f"Specimen/{chart.id(f'specimen-chemistry-{visit}')}"),
        **shared,
    )


def _urine(chart: Chart, visit: int, taken: datetime, shared: dict[str, Any]) -> list[Json]:
    """Returns what is no number: words, a code, and a test that could not be made."""
    results: tuple[tuple[str, Code, dict[str, Any]], ...] = (
        ("color", COLOR, {"valueString": "Yellow"}),
        ("protein", PROTEIN, {"valueCodeableConcept": in_snomed(NOT_DETECTED)}),
        ("ketones", KETONES, {"dataAbsentReason": absent("not-performed")}),
    )
    specimen = reference(f"Specimen/{chart.id(f'specimen-urinalysis-{visit}')}")
    return [
        finding(
            chart, f"lab-{key}-{visit}", LAB, ("laboratory",), code, taken,
            specimen=specimen, **value, **shared,
        )
        for key, code, value in results
    ]  # fmt: skip


def _specimen(chart: Chart, panel: Panel, suffix: str, taken: datetime) -> Json:
    return resource(
        "Specimen",
        chart.id(f"specimen-{suffix}"),
        "us-core-specimen",
        taken + timedelta(minutes=2),
        identifier=[{"system": PROTOCOLS + "specimen", "value": chart.id(suffix)}],
        accessionIdentifier={"system": PROTOCOLS + "accession", "value": chart.id(suffix)},
        status="available",
        type=concept(SNOMED, *panel.specimen),
        subject=chart.subject,
        collection={"collectedDateTime": chart.local(taken)},
    )


def _report(
    chart: Chart,
    panel: Panel,
    suffix: str,
    taken: datetime,
    found: list[Json],
    shared: dict[str, Any],
) -> Json:
    issued = taken + timedelta(hours=3)
    return resource(
        "DiagnosticReport",
        chart.id(f"report-{suffix}"),
        "us-core-diagnosticreport-lab",
        issued,
        status="final",
        category=[concept(DIAGNOSTIC_SECTION, "LAB", "Laboratory")],
        code=in_loinc(panel.code),
        subject=chart.subject,
        effectiveDateTime=chart.local(taken),
        issued=instant(issued),
        specimen=[reference(f"Specimen/{chart.id(f'specimen-{suffix}')}")],
        result=[reference(f"Observation/{one['id']}") for one in found],
        **shared | {"performer": [*shared["performer"], chart.clinician(0)]},
    )
