"""Acts of scopes with one permission, which version 2 tells apart: read, search, create.

https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html#scopes-for-requesting-fhir-resources
"""

from __future__ import annotations

from harness.checks.acting import Run, act
from harness.checks.acts.access import (
    Access,
    Probe,
    fhir_client,
    launch_narrowed,
    narrowed,
    probe,
)
from harness.checks.launching import Launch
from harness.errors import NotApplicable
from harness.fhir.bundle import Bundle
from harness.http.exchange import Exchange
from harness.smart.discovery import Discovery
from harness.smart.scopes import Scope, Syntax


@act
async def lone_read(run: Run, discovery: Discovery, launch: Launch) -> Probe:
    """Observations, searched for with a permission to read them alone (version 2: `.r`)."""
    lone = await lone_permission(run, discovery, launch, "r")
    return await probe(run, "Observation", str(launch.patient), lone.token.access_token)


@act
async def lone_search(run: Run, discovery: Discovery, launch: Launch, access: Access) -> Exchange:
    """An Observation, read with a permission to search for them alone (version 2: `.s`)."""
    lone = await lone_permission(run, discovery, launch, "s")
    found = await probe(run, "Observation", access.patient, access.bearer)
    if not found.matches:
        raise NotApplicable("the patient has no vital signs to try it with")
    first = Bundle.of(found.exchange).matches[0]
    client = fhir_client(run, lone.token.access_token)
    return await client.read("Observation", str(first.get("id")))


async def lone_permission(
    run: Run, discovery: Discovery, launch: Launch, permission: str
) -> Launch:
    """A launch with one permission on Observation and no other.

    Raises:
        NotApplicable: the launch asks for scopes of version 1, or the server granted something
            else, which is its right.
    """
    what = narrowed(launch.authorization.plan, "Observation", permission)
    asked = [each for each in map(Scope.parse, what.spec.scopes) if each.is_resource]
    if any(each.syntax is Syntax.V1 for each in asked):
        raise NotApplicable("scopes of version 1 know no single permissions")
    lone = await launch_narrowed(run, discovery, what)
    if lone.token.scope is None or not any(each.is_resource for each in lone.granted):
        raise NotApplicable("the server grants no single permission")
    return lone
