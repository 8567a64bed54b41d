"""Acts of discovery: the SMART configuration, the CapabilityStatement, and where the endpoints are.

SMART App Launch, "Using .well-known":
https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html#using-well-known
"""

from __future__ import annotations

from harness.checks.acting import Run, act
from harness.config.ehr import AuthKind
from harness.errors import NotApplicable, NotConfigured, PrerequisiteFailed, ProtocolError
from harness.fhir.capability import Capability
from harness.http.client import SMALL
from harness.http.exchange import Exchange
from harness.smart.discovery import Discovery, from_exchanges, well_known_urls

METADATA_BYTES = 16 * 1024 * 1024


@act
async def well_known(run: Run) -> Exchange:
    """The SMART configuration, asked for without a token."""
    if run.ehr.auth.kind is not AuthKind.SMART:
        raise NotApplicable(f"auth.kind is {run.ehr.auth.kind}: this endpoint has no SMART launch")
    return await run.http.get(well_known_urls(run.ehr.fhir_base)[0], max_bytes=SMALL)


@act
async def well_known_as_xml(run: Run, configuration: Exchange) -> Exchange:
    """The SMART configuration, asked for with an Accept header that it has to disregard."""
    return await run.http.get(
        configuration.request.url, accept="application/fhir+xml", max_bytes=SMALL
    )


@act
async def configuration(run: Run, well_known: Exchange) -> Exchange:
    """The SMART configuration, known to be a JSON object."""
    try:
        well_known.json_object()
    except ProtocolError as error:
        raise PrerequisiteFailed(f"no SMART configuration: {error}") from None
    if well_known.status != 200:
        raise PrerequisiteFailed(f"no SMART configuration: status {well_known.status}")
    return well_known


@act
async def metadata(run: Run) -> Exchange:
    """The CapabilityStatement, asked for without a token."""
    return await run.http.get(
        f"{run.ehr.fhir_base}/metadata", accept="application/fhir+json", max_bytes=METADATA_BYTES
    )


@act
async def capability(run: Run, metadata: Exchange) -> Capability:
    """The CapabilityStatement, known to be one."""
    del run
    try:
        return Capability.of(metadata)
    except ProtocolError as error:
        raise PrerequisiteFailed(f"no CapabilityStatement: {error}") from None


@act
async def discovery(run: Run, well_known: Exchange, metadata: Exchange) -> Discovery:
    """Every endpoint, and where it was found: EHR file, base, host root, CapabilityStatement."""
    root = None
    if well_known.status != 200:
        at_root = well_known_urls(run.ehr.fhir_base)[1]
        root = await run.http.get(at_root, max_bytes=SMALL) if at_root else None
    found = from_exchanges(run.ehr, well_known, root, metadata)
    if found.configuration.token_endpoint is None:
        raise NotConfigured("no token_endpoint was found, where it may stand: name it in [auth]")
    return found
