"""Acts of writing about another patient with a token that is bound to one.

https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html#patient-specific-scopes
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from harness.checks.acting import Run, act
from harness.checks.acts.access import SEARCHES, Access, fhir_client
from harness.checks.acts.launch import planned, whole_launch
from harness.checks.acts.observing import compared, current_version, new, resource_of
from harness.checks.acts.outside import of_another
from harness.checks.acts.updates import edited
from harness.checks.acts.write import stored
from harness.checks.acts.write_scopes import Forbidden
from harness.checks.found import object_
from harness.checks.launching import Launch
from harness.errors import LoginFailed, NotConfigured, PrerequisiteFailed, Skip
from harness.fhir.client import FhirClient
from harness.http.exchange import Exchange
from harness.smart.discovery import Discovery
from harness.smart.drivers import Choices


@act(after=SEARCHES)
async def moved_observation(
    run: Run, writable: Access, other_patient: str, created: Exchange
) -> Forbidden:
    """An Observation of the patient in context, changed to be another patient's."""
    done = await stored(run, writable, new(run, writable.patient, "heart-rate"))
    before = done.require_read()
    if before.status != 200 or done.id is None:
        raise PrerequisiteFailed("the Observation could not be read")
    changed = edited(before, 98) | {"subject": {"reference": f"Patient/{other_patient}"}}
    send = partial(writable.client.update, changed, if_match=current_version(before))
    exchange = await run.scratch.updated(writable.client, changed, send, identity=done.id)
    left = await writable.client.read("Observation", done.id)
    return Forbidden(exchange, exchange.status < 300 and _moved(left, other_patient))


def _moved(read: Exchange, patient: str) -> bool:
    if read.status != 200:
        return True
    subject = object_(resource_of(read).get("subject")).get("reference")
    return str(subject).endswith(f"Patient/{patient}")


@act(after=SEARCHES)
async def other_patient_changes(
    run: Run,
    discovery: Discovery,
    launch: Launch,
    writable: Access,
    other_patient: str,
    created: Exchange,
) -> Mapping[str, Forbidden]:
    """An Observation that somebody else wrote about another patient, changed and deleted."""
    theirs = await _writer(run, discovery, launch, other_patient)
    done = await stored(run, theirs, new(run, other_patient, "heart-rate"))
    if done.id is None or not done.stored:
        raise NotConfigured("nobody else can write about the other patient")
    before, mine = done.require_read(), writable.client
    changed = edited(before, 97)
    send = partial(mine.update, changed, if_match=current_version(before))
    update = await run.scratch.updated(theirs.client, changed, send, identity=done.id)
    updated = await theirs.client.read("Observation", done.id)
    changed_all_the_same = bool(compared(resource_of(before), updated).differences)
    delete = await mine.delete("Observation", done.id)
    left = await theirs.client.read("Observation", done.id)
    return {
        "update": Forbidden(update, changed_all_the_same),
        "delete": Forbidden(delete, left.status != 200),
    }


async def _writer(run: Run, discovery: Discovery, launch: Launch, patient: str) -> Access:
    """Somebody who may write about another patient than the one of the launch.

    Raises:
        NotConfigured: the EHR file names no such launch.
    """
    spec = of_another(run, launch.authorization.plan.spec, "another-person")
    if spec is None:
        raise NotConfigured("no launch by another person may write Observations")
    try:
        other = await whole_launch(run, discovery, planned(run, spec), Choices(patient=patient))
    except (LoginFailed, Skip) as why:
        raise NotConfigured(f"launch {spec.name!r} cannot open the other patient") from why
    if other.token.patient not in (None, patient):
        raise NotConfigured(f"launch {spec.name!r} opens another patient than was chosen")
    client: FhirClient = fhir_client(run, other.token.access_token)
    return Access(other.token.access_token, patient, client)
