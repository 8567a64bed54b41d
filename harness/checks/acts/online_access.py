"""Acts of online access: a refresh token that is good while the user is online.

https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html#scopes-for-requesting-a-refresh-token
"""

from __future__ import annotations

from dataclasses import replace

from harness.checks.acting import Run, act
from harness.checks.acts.ehr_launch import Started, proceed, start
from harness.checks.acts.launch import exchanged, launched
from harness.checks.acts.refresh import send_refresh
from harness.checks.launching import Launch
from harness.config.ehr import DriverKind, LaunchSource
from harness.errors import NotApplicable, NotConfigured, NotSupported, PrerequisiteFailed
from harness.http.exchange import Exchange
from harness.smart.discovery import Discovery

ONLINE, OFFLINE = "online_access", "offline_access"
BY_HAND = "the EHR launch is manual, and this takes another one"


def online(started: Started) -> Started:
    """The same start of a launch that asks for online access in the place of offline access."""
    spec = started.plan.spec
    scopes = (*(each for each in spec.scopes if each not in (ONLINE, OFFLINE)), ONLINE)
    return replace(started, plan=replace(started.plan, spec=replace(spec, scopes=scopes)))


@act
async def online_launch(run: Run, discovery: Discovery, ehr_launch: Launch) -> Launch:
    """An EHR launch that was granted online access.

    Raises:
        NotSupported: permission-online is not declared, or a further launch is not granted.
        NotApplicable: the launch is granted without it.
    """
    if not discovery.claims("permission-online"):
        raise NotSupported("permission-online is not declared")
    what = ehr_launch.authorization.plan
    if DriverKind.MANUAL is what.login.driver or LaunchSource.MANUAL is what.spec.source:
        raise NotConfigured(BY_HAND)
    started = online(await start(run))
    done = await proceed(run, discovery, started)
    if done.code is None:
        raise NotSupported(f"a further EHR launch is not granted: {done.outcome}")
    try:
        launch = launched(run, done, await exchanged(run, discovery, done))
    except PrerequisiteFailed as failed:
        raise NotSupported(f"a further EHR launch yields {failed}") from None
    if not launch.was_granted(ONLINE):
        raise NotApplicable(f"{ONLINE} is not granted")
    return launch


@act
async def online_refresh(run: Run, discovery: Discovery, online_launch: Launch) -> Exchange:
    """A refresh while the user is online."""
    token = online_launch.token.refresh_token
    if token is None:
        raise PrerequisiteFailed("online access yielded no refresh token")
    return await send_refresh(run, discovery, online_launch.authorization.plan, token)
