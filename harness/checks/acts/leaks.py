"""Acts that look for another patient's data in every corner that a patient-level token reaches.

https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html#patient-specific-scopes
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from harness.checks.acting import Run, act
from harness.checks.acts.access import Access, Probe, fhir_client, fhir_get, own_record
from harness.checks.acts.launch import negative
from harness.checks.found import object_
from harness.checks.launching import Launch
from harness.errors import NotSupported, ProtocolError
from harness.fhir.bundle import Bundle, Resource
from harness.fhir.capability import Capability
from harness.http.client import FHIR_JSON
from harness.http.exchange import Exchange

_PATIENT = re.compile(r"(?:^|/)Patient/[A-Za-z0-9.\-]{1,64}(?:/_history/[^/]+)?$")
MOST_NESTED = 2
"""Bundles in Bundles that are looked into."""


@dataclass(frozen=True, slots=True)
class Corner:
    """One way to ask for another patient's data; all may name `{own}`, `{other}` and `{base}`.

    Attributes:
        path: below the FHIR base.
        form: posted as a form; None for GET.
        batch: what a batch asks for; it is posted to the base.
    """

    path: str = ""
    form: str | None = None
    batch: tuple[str, ...] = ()


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
    "compartment": Corner(f"Patient/{{other}}/Observation?{_VITALS}"),
    "everything": Corner("Patient/{other}/$everything?_count=50"),
    "own-everything": Corner("Patient/{own}/$everything?_type=Patient,Encounter&_count=50"),
    "batch": Corner(batch=("Patient/{other}", f"Observation?patient={{other}}&{_VITALS}")),
    "include": Corner(f"Observation?patient={{other}}&{_VITALS}&_include=Observation:patient"),
    "reverse-include": Corner("Patient?_id={other}&_revinclude=Observation:patient"),
    "history": Corner("Patient/{other}/_history"),
    "version": Corner("Patient/{other}/_history/1"),
    "history-of-a-type": Corner("Observation/_history?_count=50"),
    "history-of-all": Corner("_history?_count=50"),
}


def about_others(exchange: Exchange, own: Iterable[str]) -> int:
    """How many resources of an answer are other patients', and have nothing to do with `own`.

    Args:
        exchange: of any request.
        own: ids of the patient in context, and of the person who signed in.
    """
    mine = tuple(f"Patient/{each}" for each in own)
    return sum(is_others(each, mine) for each in resources_of(exchange))


def is_others(resource: Resource, own: tuple[str, ...]) -> bool:
    """Whether a resource is another patient's; one that refers to `own` is in its compartment."""
    if any(_ends(each, own) for each in _references(resource)):
        return False
    if resource.get("resourceType") == "Patient":
        return f"Patient/{resource.get('id')}" not in own
    whose = (object_(resource.get(name)).get("reference") for name in ("subject", "patient"))
    return any(isinstance(each, str) and _PATIENT.search(each) for each in whose)


def resources_of(exchange: Exchange) -> Iterator[Resource]:
    """The resources of an answer: it, or what is in its Bundle and in the Bundles of a batch."""
    try:
        yield from _unpacked(exchange.json_object(), MOST_NESTED)
    except ProtocolError:
        return


def _unpacked(resource: Resource, depth: int) -> Iterator[Resource]:
    if resource.get("resourceType") != "Bundle":
        yield resource
    elif depth:
        for each in Bundle.parse(resource).entries:
            yield from _unpacked(each.resource, depth - 1)


def _references(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        reference = value.get("reference")
        if isinstance(reference, str):
            yield reference
        for each in value.values():
            yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)


def _ends(reference: str, own: tuple[str, ...]) -> bool:
    return any(reference == each or reference.endswith(f"/{each}") for each in own)


@act
async def other_patient_corners(
    run: Run, launch: Launch, other_patient: str
) -> Mapping[str, Probe]:
    """Another patient, asked for in every way but the plain read and search."""
    negative(run)
    token, probes = launch.token.access_token, {}
    own = {launch.patient, (own_record(launch) or "").rpartition("/")[2]}
    for name, corner in CORNERS.items():
        names = {"base": run.ehr.fhir_base, "own": launch.patient, "other": other_patient}
        exchange = await _asked(run, corner, token, names)
        probes[name] = Probe(exchange, about_others(exchange, own))
    return probes


async def _asked(run: Run, corner: Corner, token: str, names: Mapping[str, str]) -> Exchange:
    """One corner, looked into."""
    path = corner.path.format(**names)
    if corner.batch:
        return await batched(run, token, *(each.format(**names) for each in corner.batch))
    if corner.form is None:
        return await fhir_get(run, path, token)
    form = parse_qsl(corner.form.format(**names))
    url, accept = f"{run.ehr.fhir_base}/{path}", {"Accept": FHIR_JSON}
    return await run.http.post_form(url, form, headers=accept, bearer=token, repeatable=True)


async def batched(run: Run, token: str, *paths: str) -> Exchange:
    """Reads and searches, sent in one batch."""
    entries = [{"request": {"method": "GET", "url": each}} for each in paths]
    return await fhir_client(run, token).bundle(entries)


@act
async def limited_batch(
    run: Run, access: Access, limited_launch: Launch, capability: Capability
) -> Probe:
    """Observations, asked for in a batch with a token that does not cover them."""
    if "batch" not in capability.system_interactions:
        raise NotSupported("batch is not declared")
    query = urlencode({"patient": access.patient, "category": "vital-signs"})
    token = limited_launch.token.access_token
    exchange = await batched(run, token, f"Observation?{query}")
    found = [each.get("resourceType") for each in resources_of(exchange)]
    return Probe(exchange, found.count("Observation"))


@act
async def token_in_query(run: Run, launch: Launch) -> Exchange:
    """The patient in context, with the token in the URL instead of the header (RFC 6750 2.3)."""
    negative(run)
    query = urlencode({"access_token": launch.token.access_token})
    return await fhir_get(run, f"Patient/{launch.patient}?{query}", None)
