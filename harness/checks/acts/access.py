"""Acts of access: who may read what, with which token (RFC 6750; SMART scopes and compartments).

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#access-fhir-api
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlencode

from harness.checks.acting import Run, act
from harness.checks.acts.launch import planned, whole_launch
from harness.checks.launching import Launch, Plan
from harness.config.ehr import AuthKind, Permit
from harness.errors import (
    NotApplicable,
    NotConfigured,
    NotPermitted,
    NotSupported,
    ProtocolError,
)
from harness.fhir.bundle import Bundle
from harness.fhir.client import FhirClient
from harness.fhir.observations import Measured, heart_rate
from harness.http.client import FHIR_JSON
from harness.http.exchange import Exchange
from harness.smart.discovery import Discovery
from harness.smart.drivers import Choices
from harness.smart.entropy import fresh
from harness.smart.id_token import IdToken
from harness.smart.scopes import Scope, Syntax
from harness.smart.tokens import TokenResponse

IDENTIFIERS = "https://fhir-harness.example.org/measurements"
"""The system of the identifiers of everything that a run writes."""

SEARCHES = (
    "by_bare_tokens",
    "by_codes",
    "by_period",
    "by_status",
    "small_page",
    "vital_signs",
    "by_code",
    "by_date",
    "by_last_updated",
    "by_patient_reference",
    "by_post",
    "by_precision",
    "paged",
    "limited_read",
)
"""Acts that compare searches with each other: nothing is written before they have ended."""

FORBIDDEN = 403
NOT_OFFERED = (404, 405, 501)
"""How a server says that there is no such interaction, whoever asks for it."""

OFFLINE = frozenset({"offline_access", "online_access"})
IDENTITY = frozenset({"openid", "fhirUser", "profile"})


@dataclass(frozen=True, slots=True)
class Access:
    """How FHIR requests are authorized, and whose data they may be about.

    `bearer` is None where the endpoint needs no token, or Basic credentials that the client sends.
    """

    bearer: str | None
    patient: str
    client: FhirClient


@dataclass(frozen=True, slots=True)
class Probe:
    """A search for what must not be found; `counted` is its Bundle.total, where it has one."""

    exchange: Exchange
    matches: int
    counted: int = 0

    @property
    def leaked(self) -> bool:
        """Whether anything was found, or told to be there."""
        return self.exchange.status == 200 and (self.matches > 0 or self.counted > 0)

    @property
    def outcome(self) -> str:
        """What came, without data."""
        total = f", and a total of {self.counted}" if self.counted > self.matches else ""
        return f"status {self.exchange.status} with {self.matches} matches{total}"


def new_identifier(run: Run) -> str:
    """An identifier for something that the run writes: no secret, and good as a FHIR id."""
    chance = fresh(run.entropy, 4).replace("_", ".")
    return f"{run.clock.now():%Y%m%dT%H%M%S}-{chance}"


def allowed(exchange: Exchange, what: str) -> None:
    """Go on where this token may do it: what is declared is offered, and not to everybody.

    Raises:
        NotSupported: it is forbidden, which is for the server to decide.
    """
    if exchange.status == FORBIDDEN:
        raise NotSupported(
            f"{what} is forbidden to this token (403), though plain reads and writes are not"
        )


async def fhir_get(run: Run, path: str, bearer: str | None) -> Exchange:
    """GET below the FHIR base."""
    return await run.http.get(f"{run.ehr.fhir_base}/{path}", accept=FHIR_JSON, bearer=bearer)


async def probe(run: Run, type_: str, patient: str, bearer: str | None) -> Probe:
    """Search a type by patient, with the category that some EHRs demand of Observations."""
    query = {"patient": patient} | ({"category": "vital-signs"} if type_ == "Observation" else {})
    exchange = await fhir_get(run, f"{type_}?{urlencode(query)}", bearer)
    return Probe(exchange, matches(exchange, type_), total(exchange))


def reveals(read: Exchange) -> bool:
    """Whether a read brought the resource; an OperationOutcome reveals nothing, whatever status."""
    return shows(read, "Patient", "Observation")


def shows(read: Exchange, *types: str) -> bool:
    """Whether a read brought a resource of one of these types."""
    try:
        kind = read.json_object().get("resourceType")
    except ProtocolError:
        return False
    return read.status == 200 and kind in types


def matches(exchange: Exchange, type_: str) -> int:
    """How many matches of a type a search brought."""
    try:
        found = Bundle.of(exchange)
    except ProtocolError:
        return 0
    return sum(each.get("resourceType") == type_ for each in found.matches)


def total(exchange: Exchange) -> int:
    """Bundle.total of a search; 0 where it says none."""
    try:
        return Bundle.of(exchange).total or 0
    except ProtocolError:
        return 0


@act
async def access(
    run: Run, launch: Launch | None = None, stored_grant: TokenResponse | None = None
) -> Access:
    """The token of the launch, or of a stored grant, or none where the endpoint wants none."""
    token = launch.token if launch else stored_grant
    if token is not None:
        bearer = token.access_token
        return Access(bearer, token.patient or _patient(run), fhir_client(run, bearer))
    if run.ehr.auth.kind is AuthKind.SMART:
        raise NotConfigured("no launch: see `harness ehrs check`")
    return Access(None, _patient(run), fhir_client(run, None))


def fhir_client(run: Run, bearer: str | None) -> FhirClient:
    """FHIR requests with one token, or without."""
    return FhirClient(run.http, run.ehr.fhir_base, bearer)


def _patient(run: Run) -> str:
    if not run.ehr.patients:
        raise NotConfigured("no patient: name one in `patients`, or ask for launch/patient")
    return run.ehr.patients[0]


@act
async def patient_read(run: Run, access: Access, launch: Launch | None = None) -> Exchange:
    """The patient in context."""
    levels = ("patient", "user")
    if launch and not any(launch.granted.allows(level, "Patient", "r") for level in levels):
        raise NotApplicable("the token does not cover Patient")
    return await fhir_get(run, f"Patient/{access.patient}", access.bearer)


def protected(run: Run, access: Access | None) -> str:
    """The path of something that only a token may read."""
    if run.ehr.auth.kind is not AuthKind.SMART:
        raise NotApplicable(f"auth.kind is {run.ehr.auth.kind}")
    known = access.patient if access else next(iter(run.ehr.patients), "example")
    return f"Patient/{known}"


@act
async def anonymous_read(run: Run, access: Access | None = None) -> Exchange:
    """A patient, asked for without a token."""
    return await fhir_get(run, protected(run, access), None)


@act
async def unknown_token_read(run: Run, access: Access | None = None) -> Exchange:
    """A patient, asked for with a token that was never issued."""
    return await fhir_get(run, protected(run, access), fresh(run.entropy))


def narrowed(what: Plan, keep: str, permissions: str) -> Plan:
    """A launch with the scopes of one resource type only, and no identity.

    Raises:
        NotApplicable: the launch has no such scope, or none besides.
    """
    scopes = [Scope.parse(each) for each in what.spec.scopes]
    kept = [each for each in scopes if each.type == keep and each.permissions & set(permissions)]
    if not kept or len([each for each in scopes if each.is_resource]) == len(kept) == 1:
        raise NotApplicable(f"launch {what.spec.name!r} has no {keep} scope beside others")
    context = [str(each) for each in scopes if not each.is_resource]
    context = [each for each in context if each not in OFFLINE | IDENTITY]
    only = [_spelled(each, permissions) for each in kept]
    return replace(what, spec=replace(what.spec, scopes=(*context, *dict.fromkeys(only))))


def _spelled(scope: Scope, permissions: str) -> str:
    if scope.syntax is Syntax.V1:
        return f"{scope.level}/{scope.type}.read"
    return str(scope.only(permissions))


async def launch_narrowed(run: Run, discovery: Discovery, what: Plan) -> Launch:
    """Launch with fewer scopes.

    Raises:
        NotApplicable: the server granted more than was asked for, so nothing is limited.
    """
    launch = await whole_launch(run, discovery, what, Choices(patient=what.login.patient))
    asked = launch.granted.widened(type(launch.granted).parse(what.spec.scopes))
    if any(each.is_resource for each in asked):
        raise NotApplicable("the server grants more resource scopes than a launch asks for")
    return launch


@act
async def limited_launch(run: Run, discovery: Discovery, launch: Launch) -> Launch:
    """A launch whose only resource scope is the patient's own record."""
    what = narrowed(launch.authorization.plan, "Patient", "rs")
    return await launch_narrowed(run, discovery, what)


@act
async def read_only_launch(run: Run, discovery: Discovery, launch: Launch) -> Launch:
    """A launch whose only resource scope is reading Observations."""
    what = narrowed(launch.authorization.plan, "Observation", "rs")
    return await launch_narrowed(run, discovery, what)


@act
async def limited_search(run: Run, access: Access, limited_launch: Launch) -> Probe:
    """Observations, with a token that does not cover them."""
    return await probe(run, "Observation", access.patient, limited_launch.token.access_token)


@act
async def limited_read(run: Run, access: Access, limited_launch: Launch) -> Exchange:
    """One Observation, with a token that does not cover it."""
    found = await probe(run, "Observation", access.patient, access.bearer)
    if not found.matches:
        raise NotApplicable("the patient has no vital signs to try it with")
    first = Bundle.of(found.exchange).matches[0]
    return await fhir_client(run, limited_launch.token.access_token).read(
        "Observation", str(first.get("id"))
    )


@act
async def uncovered_patient_read(run: Run, access: Access, read_only_launch: Launch) -> Exchange:
    """The patient in context, with a token that covers their Observations and not the Patient."""
    return await fhir_get(run, f"Patient/{access.patient}", read_only_launch.token.access_token)


@act(after=SEARCHES)
async def limited_create(run: Run, access: Access, read_only_launch: Launch) -> Exchange:
    """An Observation, written with a token that may only read."""
    if not run.permits(Permit.WRITE):
        raise NotPermitted("permit has no write")
    measured = Measured(access.patient, run.clock.now(), (IDENTIFIERS, new_identifier(run)))
    reader = fhir_client(run, read_only_launch.token.access_token)
    exchange = await run.scratch.create(reader, heart_rate(measured, 72))
    if exchange.status in NOT_OFFERED:
        raise NotSupported(f"Observations are not created here: status {exchange.status}")
    return exchange


@act
async def other_launch(run: Run, discovery: Discovery, launch: Launch) -> Launch:
    """The launch of a second patient."""
    if run.ehr.other is None:
        raise NotConfigured("no second patient: fill in [other]")
    return await whole_launch(run, discovery, planned(run, run.ehr.other))


@act
async def other_patient(run: Run, launch: Launch, other_launch: Launch | None = None) -> str:
    """The id of a patient that the token of the launch must not reach."""
    levels = {each.level for each in launch.granted if each.is_resource}
    if levels != {"patient"}:
        raise NotApplicable("the token has more than patient-level scopes")
    if run.ehr.other_patient:
        return run.ehr.other_patient
    if other_launch is None:
        raise NotConfigured("no second patient: fill in [other]")
    other = other_launch.token.patient
    if other is None or other == launch.patient:
        raise NotConfigured("[other] leads to no other patient than the first launch")
    if f"/{own_record(launch)}".endswith(f"/Patient/{other}"):
        raise NotConfigured("[other] leads to the person who signs in, whose record fhirUser opens")
    return other


def own_record(launch: Launch) -> str | None:
    """The `fhirUser` of the launch: the person who signed in, whatever patient is in context."""
    try:
        return IdToken.parse(launch.token.id_token or "").fhir_user
    except ProtocolError:
        return None


@act
async def other_patient_read(run: Run, launch: Launch, other_patient: str) -> Exchange:
    """Another patient's record, with a patient-level token."""
    return await fhir_get(run, f"Patient/{other_patient}", launch.token.access_token)


@act
async def other_patient_search(run: Run, launch: Launch, other_patient: str) -> Probe:
    """Another patient's Observations, with a patient-level token."""
    return await probe(run, "Observation", other_patient, launch.token.access_token)
