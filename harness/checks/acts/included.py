"""Acts of what a search brings along: by `_include` and `_revinclude`, within what may be seen.

http://hl7.org/fhir/R4/search.html#include
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from harness.checks.acting import Run, act
from harness.checks.acts.access import (
    IDENTIFIERS,
    SEARCHES,
    Access,
    Probe,
    fhir_client,
    fhir_get,
    new_identifier,
)
from harness.checks.acts.launch import negative
from harness.checks.acts.leaks import resources_of
from harness.checks.found import bundle_of, objects
from harness.checks.launching import Launch
from harness.checks.scratch import created_id
from harness.config.ehr import Permit
from harness.errors import NotPermitted, NotSupported
from harness.fhir.bundle import Resource
from harness.fhir.observations import Measured, heart_rate
from harness.http.exchange import Exchange

CREATED = 201
_REFERENCE = re.compile(r"(?:^|/)([A-Z][A-Za-z]*/[A-Za-z0-9.\-]{1,64})(?:/_history/[^/]+)?$")


@dataclass(frozen=True, slots=True)
class Along:
    """What came along with a search.

    Attributes:
        exchange: the search.
        provenance: how many Provenance resources came along.
        strangers: how many of them refer to none of the matches.
    """

    exchange: Exchange
    provenance: int
    strangers: int


@act
async def provenance_along(run: Run, access: Access) -> Along:
    """Vital signs of the patient, with the Provenance that refers to them."""
    asked = {"patient": access.patient, "category": "vital-signs", "_count": "20"}
    query = urlencode({**asked, "_revinclude": "Provenance:target"}, safe=":")
    exchange = await fhir_get(run, f"Observation?{query}", access.bearer)
    found = [each.resource for each in bundle_of(exchange).entries]
    came = [each for each in found if each.get("resourceType") == "Provenance"]
    matched = {_name(each) for each in found if each.get("resourceType") == "Observation"}
    strange = [each for each in came if (to := targets(each)) and not to & matched]
    return Along(exchange, len(came), len(strange))


def targets(provenance: Resource) -> set[str]:
    """What a Provenance refers to, as `Type/id`; references that are no URLs are left out."""
    given = (each.get("reference") for each in objects(provenance.get("target")))
    found = (_REFERENCE.search(each) for each in given if isinstance(each, str))
    return {each[1] for each in found if each}


def _name(resource: Resource) -> str:
    return f"{resource.get('resourceType')}/{resource.get('id')}"


@act(after=SEARCHES)
async def other_performer(run: Run, launch: Launch, other_patient: str) -> Probe:
    """An own Observation that another patient made, searched for with whoever made it."""
    negative(run)
    if not run.permits(Permit.WRITE):
        raise NotPermitted("permit has no write")
    measured = Measured(launch.patient, run.clock.now(), (IDENTIFIERS, new_identifier(run)))
    made: dict[str, Any] = heart_rate(measured, 72)
    made["performer"] = [{"reference": f"Patient/{other_patient}"}]
    token = launch.token.access_token
    written = await run.scratch.create(fhir_client(run, token), made)
    name = created_id(written, "Observation") if written.status == CREATED else None
    if name is None:
        raise NotSupported(f"such an Observation is not taken: status {written.status}")
    asked = {"patient": launch.patient, "_id": name, "_include": "Observation:performer"}
    exchange = await fhir_get(run, f"Observation?{urlencode(asked, safe=':')}", token)
    found = [(each.get("resourceType"), each.get("id")) for each in resources_of(exchange)]
    return Probe(exchange, found.count(("Patient", other_patient)))
