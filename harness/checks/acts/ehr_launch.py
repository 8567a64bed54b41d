"""Acts of the EHR launch: the EHR starts the application, which then asks for authorization.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#launch-app-ehr-launch
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.checks.acting import Run, act
from harness.checks.acts.access import fhir_get
from harness.checks.acts.launch import authorized, exchanged, launched, negative, planned
from harness.checks.acts.other_clients import another
from harness.checks.launching import Authorization, Launch, Plan, Variation
from harness.config.ehr import LaunchKind
from harness.errors import (
    LoginFailed,
    NotApplicable,
    NotConfigured,
    NotSupported,
    PrerequisiteFailed,
)
from harness.http.client import SMALL
from harness.http.exchange import Exchange
from harness.smart.context import Context
from harness.smart.discovery import Discovery
from harness.smart.ehr_launch import LaunchContext, received, with_launch
from harness.smart.entropy import fresh
from harness.smart.sign_in import suited


@dataclass(frozen=True, slots=True)
class Started:
    """How the EHR started the application.

    Attributes:
        plan: what was launched.
        context: what came to the launch URI; None where nothing did.
        from_this_ehr: whether `iss` is the FHIR endpoint of the EHR file.
        page: what the EHR showed instead.
    """

    plan: Plan
    context: LaunchContext | None
    from_this_ehr: bool = False
    page: str | None = None

    @property
    def outcome(self) -> str:
        """How it ended, in one line without secrets."""
        if self.context is None:
            return f"the launch URI was never reached: {self.page}"
        missing = [name for name in ("iss", "launch") if not getattr(self.context, name)]
        return f"without {' and '.join(missing)}" if missing else "with iss and launch"

    def require(self) -> LaunchContext:
        """What came to the launch URI.

        Raises:
            PrerequisiteFailed: nothing did.
        """
        if self.context is None or not self.context.launch:
            raise PrerequisiteFailed(self.outcome)
        return self.context


def ehr_plan(run: Run) -> Plan:
    """The first EHR launch of the EHR file.

    Raises:
        NotConfigured: it has none.
    """
    spec = suited(run.ehr, LaunchKind.EHR, run.versions.smart)
    if spec is None:
        raise NotConfigured("no launch of kind ehr")
    return planned(run, replace(spec, scopes=with_launch(spec.scopes)))


async def start(run: Run) -> Started:
    """Have the EHR start the application; that it does not is a value."""
    what = ehr_plan(run)
    try:
        context = await received(run.http, run.ehr, what.spec, what.login, run.secrets)
    except LoginFailed as failed:
        return Started(what, None, page=str(failed))
    return Started(what, context, from_this_ehr=context.is_for(run.ehr))


async def proceed(
    run: Run, discovery: Discovery, started: Started, launch: str | None = None
) -> Authorization:
    """Ask for authorization in the EHR's own session, with its handle or another one."""
    context = started.require()
    return await authorized(
        run,
        discovery,
        started.plan,
        variation=Variation(launch=launch or context.launch),
        cookies=context.cookies,
        again=False,
    )


@act
async def ehr_start(run: Run, discovery: Discovery) -> Started:
    """The EHR starts the application."""
    if not discovery.claims("launch-ehr"):
        raise NotSupported("launch-ehr is not declared")
    return await start(run)


@act
async def ehr_authorization(run: Run, discovery: Discovery, ehr_start: Started) -> Authorization:
    """The authorization request with the handle that the EHR gave."""
    return await proceed(run, discovery, ehr_start)


@act
async def ehr_token_exchange(
    run: Run, discovery: Discovery, ehr_authorization: Authorization
) -> Exchange:
    """The code of the EHR launch, exchanged for a token."""
    return await exchanged(run, discovery, ehr_authorization)


@act
async def ehr_launch(
    run: Run, ehr_authorization: Authorization, ehr_token_exchange: Exchange
) -> Launch:
    """The EHR launch, known to have yielded a token."""
    return launched(run, ehr_authorization, ehr_token_exchange)


@act
async def ehr_context(run: Run, ehr_launch: Launch) -> Context:
    """What the application learns beside its token."""
    return Context.parse(ehr_launch.exchange.json_object(), run.versions.smart)


@act
async def ehr_patient_read(run: Run, ehr_launch: Launch) -> Exchange:
    """The patient in the EHR's context, read with the token."""
    if not any(ehr_launch.granted.allows(level, "Patient", "r") for level in ("user", "patient")):
        raise NotApplicable("the token does not cover Patient")
    return await fhir_get(run, f"Patient/{ehr_launch.patient}", ehr_launch.token.access_token)


@act
async def ehr_encounter_read(run: Run, ehr_launch: Launch, ehr_context: Context) -> Exchange:
    """The encounter in the EHR's context, read with the token."""
    if ehr_context.encounter is None:
        raise NotApplicable("no encounter is in context")
    if not any(ehr_launch.granted.allows(level, "Encounter", "r") for level in ("user", "patient")):
        raise NotApplicable("the token does not cover Encounter")
    path = f"Encounter/{ehr_context.encounter}"
    return await fhir_get(run, path, ehr_launch.token.access_token)


@act
async def smart_style(run: Run, ehr_context: Context) -> Exchange:
    """The style of the EHR, from the URL that the token response names."""
    if ehr_context.smart_style_url is None:
        raise NotApplicable("the token response names no smart_style_url")
    if ehr_context.about("smart_style_url"):
        raise NotApplicable("smart_style_url is no URL, which is judged by itself")
    return await run.http.get(ehr_context.smart_style_url, max_bytes=SMALL)


@act
async def unknown_handle(run: Run, discovery: Discovery, ehr_launch: Launch) -> Authorization:
    """An authorization request with a launch handle that was never given."""
    del ehr_launch
    negative(run)
    return await proceed(run, discovery, await start(run), launch=fresh(run.entropy))


@act
async def reused_handle(run: Run, discovery: Discovery, ehr_launch: Launch) -> Authorization:
    """An authorization request with a launch handle that has done its work."""
    del ehr_launch
    negative(run)
    started = await start(run)
    first = await proceed(run, discovery, started)
    if first.code is None:
        raise NotSupported(f"a further launch is not granted: {first.outcome}")
    return await proceed(run, discovery, started)


@act
async def foreign_handle(run: Run, discovery: Discovery, ehr_launch: Launch) -> Authorization:
    """An authorization request of one application with the launch handle of another one."""
    negative(run)
    other = another(run, ehr_launch.authorization.plan.client)
    started = await start(run)
    return await proceed(run, discovery, replace(started, plan=replace(started.plan, client=other)))
