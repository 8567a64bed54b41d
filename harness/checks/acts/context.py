"""Acts of launch context: what the application learns beside its token, by whichever launch.

https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html#launch-context-arrives-with-your-access_token
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from harness.checks.acting import Run, act
from harness.checks.acts.access import fhir_get
from harness.checks.acts.identity import Identity
from harness.checks.acts.launch import authorized, exchanged, launched
from harness.checks.launching import Launch
from harness.errors import NotApplicable, NotConfigured, NotSupported, PrerequisiteFailed
from harness.http.exchange import Exchange
from harness.smart.context import Context, Problem
from harness.smart.discovery import Discovery

WORDS = ("intent", "tenant")
"""Members that may be any string."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """The context of one token response."""

    exchange: Exchange
    context: Context

    def has(self, member: str) -> bool:
        """Whether the member came."""
        return self.exchange.json_object().get(member) is not None

    def problems(self, member: str) -> tuple[Problem, ...]:
        """What departs from the form of a member."""
        value = self.exchange.json_object().get(member)
        if member in WORDS and isinstance(value, str):
            return ()
        return self.context.about(member)


@act
async def contexts(
    run: Run, launch: Launch | None = None, ehr_launch: Launch | None = None
) -> tuple[Learnt, ...]:
    """The context of the standalone launch and of the EHR launch, as far as there are any."""
    made = [each for each in (launch, ehr_launch) if each]
    if not made:
        raise NotConfigured("no launch: see `harness ehrs check`")
    return tuple(
        Learnt(each.exchange, Context.parse(each.exchange.json_object(), run.versions.smart))
        for each in made
    )


@act
async def encounter_launch(run: Run, discovery: Discovery, launch: Launch) -> Exchange:
    """A standalone launch that asks for an encounter as well."""
    if not discovery.claims("context-standalone-encounter"):
        raise NotSupported("context-standalone-encounter is not declared")
    what = launch.authorization.plan
    asked = dict.fromkeys((*what.spec.scopes, "launch/encounter"))
    done = await authorized(
        run, discovery, replace(what, spec=replace(what.spec, scopes=(*asked,)))
    )
    if done.code is None:
        raise NotConfigured(f"this client gets no launch/encounter: {done.outcome}")
    exchange = await exchanged(run, discovery, done)
    try:
        made = launched(run, done, exchange)
    except PrerequisiteFailed as failed:
        raise NotSupported(f"a further launch yields {failed}") from None
    if not made.granted.covers("launch/encounter"):
        raise NotApplicable("launch/encounter was not granted")
    return exchange


@act
async def patient_scope_launch(run: Run, discovery: Discovery, launch: Launch) -> Launch:
    """A standalone launch with patient-level scopes that does not ask for a patient by itself."""
    what = launch.authorization.plan
    asked = tuple(each for each in what.spec.scopes if each != "launch/patient")
    if asked == what.spec.scopes or not any(each.startswith("patient/") for each in asked):
        raise NotApplicable("the launch asks for no patient-level scope beside launch/patient")
    done = await authorized(run, discovery, replace(what, spec=replace(what.spec, scopes=asked)))
    if done.code is None:
        raise NotApplicable(f"patient-level scopes want launch/patient here: {done.outcome}")
    try:
        made = launched(run, done, await exchanged(run, discovery, done))
    except PrerequisiteFailed as failed:
        raise NotSupported(f"a further launch yields {failed}") from None
    if not any(each.level == "patient" for each in made.granted.resources):
        raise NotApplicable("no patient-level scope was granted without launch/patient")
    return made


@act
async def fhir_user_read(run: Run, launch: Launch, identity: Identity) -> Exchange:
    """The resource that fhirUser names, read with the token."""
    claimed = identity.token.claims.get("fhirUser")
    if identity.fhir_user_type is None or not isinstance(claimed, str):
        raise NotApplicable("the id_token names no fhirUser that could be read")
    base = f"{run.ehr.fhir_base}/"
    if urlsplit(claimed).scheme and not claimed.startswith(base):
        raise NotApplicable("fhirUser lies on another server than the one launched into")
    path = claimed.removeprefix(base).removeprefix("/")
    return await fhir_get(run, path, launch.token.access_token)
