"""Acts that look for another patient's data in every corner that a patient-level token reaches.

https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html#patient-specific-scopes
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from harness.checks.acting import Run, act
from harness.checks.acts.access import Probe, fhir_get
from harness.checks.acts.launch import negative
from harness.checks.launching import Launch
from harness.errors import ProtocolError
from harness.fhir.bundle import Bundle
from harness.http.exchange import Exchange

CORNERS: Mapping[str, str] = {
    "search-by-subject": "Observation?subject=Patient/{other}&category=vital-signs",
    "search-of-two-patients": "Observation?patient={own},{other}&category=vital-signs",
    "search-by-_id": "Patient?_id={other}",
    "search-without-patient": "Patient?_count=50",
    "include": "Observation?patient={other}&category=vital-signs&_include=Observation:patient",
    "reverse-include": "Patient?_id={other}&_revinclude=Observation:patient",
    "history": "Patient/{other}/_history",
    "version": "Patient/{other}/_history/1",
}


def about(exchange: Exchange, other: str) -> int:
    """How many resources of an answer are another patient's."""
    try:
        body = exchange.json_object()
    except ProtocolError:
        return 0
    if body.get("resourceType") != "Bundle":
        return int(body.get("resourceType") == "Patient" and body.get("id") == other)
    reference = f"Patient/{other}"
    found = (each.resource for each in Bundle.parse(body).entries)
    return sum(
        (each.get("resourceType") == "Patient" and each.get("id") == other)
        or str((each.get("subject") or {}).get("reference", "")).endswith(reference)
        for each in found
    )


@act
async def other_patient_corners(
    run: Run, launch: Launch, other_patient: str
) -> Mapping[str, Probe]:
    """Another patient, asked for in every way but the plain read and search."""
    negative(run)
    token, probes = launch.token.access_token, {}
    for name, path in CORNERS.items():
        asked = path.format(own=launch.patient, other=other_patient)
        exchange = await fhir_get(run, asked, token)
        probes[name] = Probe(exchange, about(exchange, other_patient))
    return probes


@act
async def token_in_query(run: Run, launch: Launch) -> Exchange:
    """The patient in context, with the token in the URL instead of the header (RFC 6750 2.3)."""
    negative(run)
    query = urlencode({"access_token": launch.token.access_token})
    return await fhir_get(run, f"Patient/{launch.patient}?{query}", None)
