"""What an approval gives: a grant with its launch context, and a code for it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.reference.oauth import scopes
from harness.reference.oauth.launches import LaunchContext
from harness.reference.oauth.ledger import CODE_LIFE, Code, Grant, new_token
from harness.reference.varied.granting import fhir_user, long_code
from harness.reference.varied.granting import granted as varied

if TYPE_CHECKING:
    from harness.reference.instance import Instance
    from harness.reference.oauth.sessions import Pending
    from harness.reference.people import Person


def granted_scopes(
    instance: Instance, offered: tuple[str, ...], ticked: tuple[str, ...]
) -> tuple[str, ...]:
    """What a person granted of the scopes on the consent page."""
    granted = scopes.chosen(offered, ticked, instance.smart)
    if instance.has("scope-widened-at-consent"):
        granted = offered
    if instance.has("scopes-without-level-dropped"):
        granted = tuple(each for each in granted if "/" in each or each == scopes.LAUNCH)
    if instance.has("granular-scope-widened"):
        granted = tuple(dict.fromkeys(scope.partition("?")[0] for scope in granted))
    return varied(instance, offered, granted)


def new_code(
    instance: Instance, pending: Pending, person: Person, granted: tuple[str, ...]
) -> Code:
    """The authorization code for a request that a person approved."""
    now = instance.clock.now()
    wanted = pending.request
    grant = Grant(
        grant_id=secrets.token_urlsafe(16),
        client_id=wanted.client.client_id,
        scopes=granted,
        username=person.username,
        context=_context(instance, pending.context, person, granted),
        fhir_user=fhir_user(instance, person) if "fhirUser" in granted else None,
        nonce=wanted.nonce,
        granted_at=now,
    )
    value = long_code(instance, new_token())
    code = Code(value, grant, wanted.redirect_uri, wanted.code_challenge, now + CODE_LIFE)
    instance.ledger.add_code(code, now)
    return code


def _context(
    instance: Instance, context: LaunchContext, person: Person, granted: tuple[str, ...]
) -> LaunchContext:
    """What of the context the granted scopes let the app know."""
    if scopes.LAUNCH in granted:
        if instance.has("launch-context-patient-ignored"):
            return replace(context, patient=_other(person.patients, context.patient))
        return context
    patient = context.patient if scopes.needs_patient(granted) else None
    if patient and instance.has("patient-of-another"):
        patient = _other(instance.store.patient_ids(), patient)
    encounter = context.encounter if scopes.LAUNCH_ENCOUNTER in granted else None
    return LaunchContext(patient, encounter)


def _other(patients: Sequence[str], chosen: str | None) -> str | None:
    return next((each for each in patients if each != chosen), chosen)
