"""Acts that look for another patient's data in every corner that a patient-level token reaches.

https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html#patient-specific-scopes
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from harness.checks.acting import Run, act
from harness.checks.acts.access import Probe, fhir_get
from harness.checks.acts.launch import negative
from harness.checks.found import object_
from harness.checks.launching import Launch
from harness.errors import ProtocolError
from harness.fhir.bundle import Bundle, Resource
from harness.http.client import FHIR_JSON
from harness.http.exchange import Exchange

MOST_NESTED = 2
"""Bundles in Bundles that are looked into."""


@dataclass(frozen=True, slots=True)
class Corner:
    """One way to ask for another patient's data; both may name `{own}`, `{other}` and `{base}`.

    Attributes:
        path: below the FHIR base.
        form: posted as a form; None for GET.
    """

    path: str
    form: str | None = None


_VITALS = "category=vital-signs"
CORNERS: Mapping[str, Corner] = {
    "search-by-subject": Corner(f"Observation?subject=Patient/{{other}}&{_VITALS}"),
    "search-by-typed-subject": Corner(f"Observation?subject:Patient={{other}}&{_VITALS}"),
    "search-by-reference": Corner(f"Observation?patient=Patient/{{other}}&{_VITALS}"),
    "search-by-url": Corner(f"Observation?patient={{base}}/Patient/{{other}}&{_VITALS}"),
    "search-of-two-patients": Corner(f"Observation?patient={{own}},{{other}}&{_VITALS}"),
    "search-by-post": Corner("Observation/_search", f"patient={{other}}&{_VITALS}"),
    "search-by-_id": Corner("Patient?_id={other}"),
    "search-without-patient": Corner("Patient?_count=50"),
    "include": Corner(f"Observation?patient={{other}}&{_VITALS}&_include=Observation:patient"),
    "reverse-include": Corner("Patient?_id={other}&_revinclude=Observation:patient"),
    "history": Corner("Patient/{other}/_history"),
    "version": Corner("Patient/{other}/_history/1"),
}


def about(exchange: Exchange, other: str) -> int:
    """How many resources of an answer are another patient's."""
    try:
        return _strangers(exchange.json_object(), other, MOST_NESTED)
    except ProtocolError:
        return 0


def _strangers(resource: Resource, other: str, depth: int) -> int:
    """A Bundle counts what is in it, and in the Bundles that a batch is answered with."""
    if resource.get("resourceType") == "Bundle" and depth:
        found = [each.resource for each in Bundle.parse(resource).entries]
        return sum(_strangers(each, other, depth - 1) for each in found)
    if resource.get("resourceType") == "Patient":
        return int(resource.get("id") == other)
    whose = (object_(resource.get(name)).get("reference") for name in ("subject", "patient"))
    return int(any(str(each or "").endswith(f"Patient/{other}") for each in whose))


@act
async def other_patient_corners(
    run: Run, launch: Launch, other_patient: str
) -> Mapping[str, Probe]:
    """Another patient, asked for in every way but the plain read and search."""
    negative(run)
    token, probes = launch.token.access_token, {}
    for name, corner in CORNERS.items():
        exchange = await _asked(run, corner, token, own=launch.patient, other=other_patient)
        probes[name] = Probe(exchange, about(exchange, other_patient))
    return probes


async def _asked(run: Run, corner: Corner, token: str, **names: str) -> Exchange:
    """One corner, looked into."""
    base = run.ehr.fhir_base
    path = corner.path.format(base=base, **names)
    if corner.form is None:
        return await fhir_get(run, path, token)
    form = parse_qsl(corner.form.format(base=base, **names))
    accept = {"Accept": FHIR_JSON}
    return await run.http.post_form(
        f"{base}/{path}", form, headers=accept, bearer=token, repeatable=True
    )


@act
async def token_in_query(run: Run, launch: Launch) -> Exchange:
    """The patient in context, with the token in the URL instead of the header (RFC 6750 2.3)."""
    negative(run)
    query = urlencode({"access_token": launch.token.access_token})
    return await fhir_get(run, f"Patient/{launch.patient}?{query}", None)
