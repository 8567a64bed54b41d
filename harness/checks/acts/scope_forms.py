"""Acts of scopes in their other forms: those of version 1, wildcards, and what a user can access.

https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html#scopes-for-requesting-fhir-resources
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from harness.checks.acting import Run, act
from harness.checks.acts.access import IDENTITY, OFFLINE, Probe, fhir_get, matches, probe
from harness.checks.acts.launch import (
    authorized,
    exchanged,
    holds_token,
    launched,
    planned,
    whole_launch,
)
from harness.checks.launching import Launch, Plan
from harness.config.ehr import LaunchKind
from harness.errors import NotApplicable, NotConfigured, NotSupported
from harness.fhir.capability import Capability
from harness.http.exchange import Exchange
from harness.smart.context import Context
from harness.smart.discovery import Discovery
from harness.smart.scopes import Scope, Syntax

CLINICAL = (
    "AllergyIntolerance",
    "CarePlan",
    "CareTeam",
    "Condition",
    "Coverage",
    "Device",
    "DiagnosticReport",
    "DocumentReference",
    "Encounter",
    "Goal",
    "Immunization",
    "MedicationDispense",
    "MedicationRequest",
    "Observation",
    "Procedure",
    "ServiceRequest",
)
"""Types of the patient compartment that US Core searches by patient."""

REFUSED = (401, 403)


@dataclass(frozen=True, slots=True)
class Version1:
    """What became of a scope that is spelled as in version 1.

    Attributes:
        scope: as asked for.
        refusal: why its token does not open what it names; None where it does.
    """

    scope: Scope
    refusal: str | None = None

    @property
    def opened(self) -> bool:
        """Whether its token opens what it names."""
        return self.refusal is None


@dataclass(frozen=True, slots=True)
class Wildcard:
    """What a token with a wildcard scope opens.

    Attributes:
        searched: how many of the declared types were searched.
        refused: the searches that were refused for want of scope, by type.
    """

    searched: int
    refused: dict[str, Exchange]


def named(run: Run, fits: Callable[[Scope], bool]) -> Plan | None:
    """The first standalone launch of the EHR file with a resource scope that fits."""
    for spec in run.ehr.launches:
        scopes = [Scope.parse(each) for each in spec.scopes]
        resources = [each for each in scopes if each.is_resource]
        if spec.kind is LaunchKind.STANDALONE and any(map(fits, resources)):
            return planned(run, spec)
    return None


def in_version_1(scopes: Iterable[str]) -> tuple[str, ...]:
    """The scopes to read the same types, spelled as in version 1; without identity and refresh."""
    parsed = [Scope.parse(each) for each in scopes]
    context = [str(e) for e in parsed if not e.is_resource and str(e) not in OFFLINE | IDENTITY]
    read = [f"{e.level}/{e.type}.read" for e in parsed if e.is_resource and e.permissions & {*"rs"}]
    return (*context, *dict.fromkeys(read))


@act
async def v1_launch(run: Run, discovery: Discovery, launch: Launch) -> Version1:
    """A launch with scopes of version 1, and a search with its token."""
    if not discovery.claims("permission-v1"):
        raise NotSupported("permission-v1 is not declared")
    own = launch.authorization.plan
    configured = named(run, lambda each: each.syntax is Syntax.V1)
    spelled = replace(own, spec=replace(own.spec, scopes=in_version_1(own.spec.scopes)))
    tried = await _read_as_version_1(run, discovery, configured or spelled)
    if configured is None and not tried.opened:
        # Scopes may be limited to those that a client is registered with, which nobody can see.
        raise NotConfigured("this client gets no scopes of version 1: name a launch that asks so")
    return tried


async def _read_as_version_1(run: Run, discovery: Discovery, what: Plan) -> Version1:
    read = [e for e in map(Scope.parse, what.spec.scopes) if e.syntax is Syntax.V1]
    # fhirUser opens the record of whoever signs in, so that Patient proves little.
    scope = next((each for each in read if each.type not in ("Patient", "*")), None)
    if scope is None:
        raise NotApplicable(f"launch {what.spec.name!r} reads nothing but Patient")
    done = await authorized(run, discovery, what)
    token = await exchanged(run, discovery, done) if done.code else None
    if token is None or not holds_token(token):
        return Version1(scope, f"no token: {done.outcome}")
    made = launched(run, done, token)
    if not made.granted.allows(str(scope.level), str(scope.type), "r"):
        return Version1(scope, f"granted: {made.granted}")
    found = await probe(run, str(scope.type), made.patient, made.token.access_token)
    if found.exchange.status in REFUSED:
        return Version1(scope, f"a search is answered with {found.exchange.status}")
    return Version1(scope)


@act
async def wildcard_reach(
    run: Run, discovery: Discovery, launch: Launch, capability: Capability
) -> Wildcard:
    """Each clinical type that is declared, searched with a token for all types."""
    what = named(run, lambda each: (each.level, each.type) == ("patient", "*"))
    if what is None:
        raise NotConfigured("no launch asks for patient/*: add one")
    made = await whole_launch(run, discovery, what)
    if not made.granted.allows("patient", "*", "s"):
        raise NotApplicable("the wildcard was not granted as asked for")
    declared = [
        each
        for each in CLINICAL
        if "search-type" in capability.interactions(each)
        and capability.has_search_parameter(each, "patient")
    ]
    refused = {}
    for each in declared:
        query = urlencode({"patient": made.patient, "_count": "1"})
        found = await fhir_get(run, f"{each}?{query}", made.token.access_token)
        if found.status in REFUSED:
            refused[each] = found
    return Wildcard(len(declared), refused)


@act
async def user_search(run: Run, ehr_launch: Launch, ehr_context: Context) -> Probe:
    """The patient who is open in the EHR, searched for with user-level scopes alone."""
    granted = ehr_launch.granted
    if granted.allows("patient", "Patient", "s") or not granted.allows("user", "Patient", "s"):
        raise NotApplicable("the EHR launch has no user-level scope alone to search Patient")
    if ehr_context.patient is None:
        raise NotApplicable("no patient is in context")
    query = urlencode({"_id": ehr_context.patient})
    exchange = await fhir_get(run, f"Patient?{query}", ehr_launch.token.access_token)
    return Probe(exchange, matches(exchange, "Patient"))
