"""Notes, reports with text and pictures, and what was found with them (US Core 6.1.0)."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from harness.reference.data.building import (
    Code,
    Json,
    absent,
    coding,
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
from harness.reference.data.laboratory import CHEMISTRY
from harness.reference.data.people import ORGANIZATION_ID
from harness.reference.data.systems import DOCUMENT_CATEGORY, FORMAT, HL7, PROTOCOLS
from harness.reference.data.vocabulary import LOINC, Unit

NOTES: Final = (
    ("11506-3", "Progress note"),
    ("34117-2", "History and physical note"),
    ("11488-4", "Consult note"),
    ("28570-0", "Procedure note"),
    ("18842-5", "Discharge summary"),
    ("18748-4", "Diagnostic imaging study"),
    ("11502-2", "Laboratory report"),
    ("11526-1", "Pathology study"),
)
"""The clinical notes of US Core 6.1.0, "Clinical Notes Guidance"."""
REPORTS: Final = {
    "cardiology": (("LP29708-2", "Cardiology"), ("34534-8", "12 lead EKG panel")),
    "radiology": (("LP29684-5", "Radiology"), ("36643-5", "XR Chest 2 Views")),
    "pathology": (("LP7839-6", "Pathology"),
                  ("60567-5", "Comprehensive pathology report panel")),
}  # fmt: skip
PLAIN_TEXT: Final = coding(FORMAT, "urn:ihe:iti:xds:2017:mimeTypeSufficient", "mimeType Sufficient")
CLINICAL: Final = "us-core-observation-clinical-result"
SINUS_RHYTHM: Final = ("64730000", "Normal sinus rhythm")
MILLISECOND: Final = Unit("ms", "ms")


def documents(chart: Chart) -> Iterator[Json]:
    """Yields a note of each kind; the text of every other one is a Binary of its own."""
    for index, kind in enumerate(NOTES):
        visit = index % len(chart.visits) + 1
        written = chart.during(visit, 28 + index)
        text = f"{kind[1]} about {chart.who.full_name}. Synthetic, of no meaning."
        attachment: Json = {"contentType": "text/plain", "title": kind[1]}
        if index % 2:
            attachment["url"] = f"Binary/{chart.id(f'text-{index + 1}')}"
            yield _binary(chart, f"text-{index + 1}", text, written)
        else:
            attachment["data"] = _encoded(text)
        yield _document(chart, index + 1, kind, visit, written, attachment)


def reports(chart: Chart) -> Iterator[Json]:
    """Yields an electrocardiogram, a picture of the chest and a finding of pathology."""
    found = {
        "cardiology": list(_electrocardiogram(chart)),
        "radiology": [_impression(chart)],
        "pathology": [],
    }
    for visit, (key, (section, code)) in enumerate(REPORTS.items(), start=1):
        taken = chart.during(visit, 12)
        yield from found[key]
        yield _media(chart, key, taken)
        yield _report(chart, key, visit, taken, (section, code), found[key])


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _binary(chart: Chart, suffix: str, text: str, stored: datetime) -> Json:
    return resource(
        "Binary",
        chart.id(suffix),
        None,
        stored,
        contentType="text/plain",
        securityContext=chart.subject,
        data=_encoded(text),
    )


def _document(
    chart: Chart, number: int, kind: Code, visit: int, written: datetime, attachment: Json
) -> Json:
    replaced = number == len(NOTES) and chart.full
    return resource(
        "DocumentReference",
        chart.id(f"note-{number}"),
        "us-core-documentreference",
        written + timedelta(minutes=1),
        identifier=[{"system": PROTOCOLS + "document", "value": chart.id(f"note-{number}")}],
        status="superseded" if replaced else "current",
        type=in_loinc(kind),
        category=[concept(DOCUMENT_CATEGORY, "clinical-note", "Clinical Note")],
        subject=chart.subject,
        date=instant(written),
        author=[chart.clinician(visit)],
        custodian=reference(f"Organization/{ORGANIZATION_ID}"),
        content=[{"attachment": attachment, "format": PLAIN_TEXT}],
        context={
            "encounter": [chart.visit(visit)],
            "period": {
                "start": chart.local(chart.during(visit, 0)),
                "end": chart.local(chart.during(visit, 30)),
            },
        },
    )


def _electrocardiogram(chart: Chart) -> Iterator[Json]:
    results: tuple[tuple[str, Code, dict[str, Any]], ...] = (
        ("impression", ("8601-7", "EKG impression"), {"valueString": "Normal sinus rhythm"}),
        ("rhythm", ("8884-9", "Heart rate rhythm"), {"valueCodeableConcept":
         in_snomed(SINUS_RHYTHM)}),
        ("interval", ("8625-6", "P-R Interval"), {"valueQuantity": quantity(160, MILLISECOND)}),
        ("axis", ("8632-2", "QRS axis"), {"dataAbsentReason": absent("error")}),
    )  # fmt: skip
    for key, code, value in results:
        yield finding(
            chart, f"ecg-{key}", CLINICAL, ("procedure",), code, chart.during(1, 12),
            encounter=chart.visit(1), performer=[chart.clinician(1)], **value,
        )  # fmt: skip


def _impression(chart: Chart) -> Json:
    return finding(
        chart, "chest", CLINICAL, ("imaging",),
        ("19005-8", "Radiology Imaging study [Impression] (narrative)"), chart.during(2, 12),
        valueString="Clear lungs.", performer=[chart.clinician(2)],
    )  # fmt: skip


def _media(chart: Chart, key: str, taken: datetime) -> Json:
    attachment = {"contentType": "image/png", "url": "https://pictures.example.org/none.png"}
    return resource(
        "Media",
        chart.id(f"picture-{key}"),
        None,
        taken + timedelta(minutes=3),
        status="completed",
        type=concept(HL7 + "media-type", "image", "Image"),
        subject=chart.subject,
        createdDateTime=chart.local(taken),
        content=attachment,
    )


def _report(
    chart: Chart,
    key: str,
    visit: int,
    taken: datetime,
    codes: tuple[Code, Code],
    found: list[Json],
) -> Json:
    section, code = codes
    issued = taken + timedelta(hours=2)
    result = [reference(f"Observation/{one['id']}") for one in found]
    if not result:  # what the laboratory found at the same visit
        result = [reference(f"Observation/{chart.id(f'lab-{CHEMISTRY.tests[0].key}-{visit}')}")]
    text = f"{code[1]} of {chart.who.full_name}. Nothing to note."
    return resource(
        "DiagnosticReport",
        chart.id(f"report-{key}"),
        "us-core-diagnosticreport-note",
        issued,
        status="final",
        category=[concept(LOINC, *section)],
        code=in_loinc(code),
        subject=chart.subject,
        encounter=chart.visit(visit),
        effectiveDateTime=chart.local(taken),
        issued=instant(issued),
        performer=[chart.clinician(visit), reference(f"Organization/{ORGANIZATION_ID}")],
        result=result,
        media=[{"link": reference(f"Media/{chart.id(f'picture-{key}')}")}],
        presentedForm=[{"contentType": "text/plain", "data": _encoded(text)}],
    )
