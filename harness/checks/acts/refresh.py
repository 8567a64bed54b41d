"""Acts of refresh: on a launch of their own, because a refresh may end the life of older tokens.

SMART App Launch, "Refresh access token":
https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#refresh-access-token
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.checks.acting import Run, act
from harness.checks.acts.launch import negative, plan, whole_launch
from harness.checks.launching import Launch, Plan
from harness.config.ehr import DriverKind
from harness.errors import (
    NotApplicable,
    NotSupported,
    OAuthError,
    PrerequisiteFailed,
    ProtocolError,
)
from harness.http.exchange import Exchange
from harness.smart import grants
from harness.smart.client_auth import authenticate
from harness.smart.discovery import Discovery
from harness.smart.entropy import fresh
from harness.smart.scopes import ScopeSet
from harness.smart.tokens import TokenResponse

WIDER = "user/Patient.rs"


@dataclass(frozen=True, slots=True)
class Refreshed:
    """A refresh and the launch that it goes back to; `token` is None where it was refused."""

    exchange: Exchange
    original: Launch
    token: TokenResponse | None

    @property
    def added_scopes(self) -> tuple[str, ...]:
        """Scopes that the launch did not have."""
        if self.token is None or self.token.scope is None:
            return ()
        return tuple(str(each) for each in self.token.scope.widened(self.original.granted))

    @property
    def lost_scopes(self) -> tuple[str, ...]:
        """Resource scopes that the launch had and the refresh does not say."""
        before = self.original.token.scope
        if self.token is None or self.token.scope is None or before is None:
            return ()
        lost = self.token.scope.missing(before)
        return tuple(str(each) for each in lost if each.is_resource)

    @property
    def rotated(self) -> bool:
        """Whether the refresh token was replaced by another one."""
        new = self.token.refresh_token if self.token else None
        return new is not None and new != self.original.token.refresh_token


async def send_refresh(
    run: Run, discovery: Discovery, what: Plan, token: str, scope: str | None = None
) -> Exchange:
    """One refresh request by the client of `what`."""
    endpoint = str(discovery.configuration.token_endpoint)
    proof = authenticate(what.client, run.secrets, endpoint, run.clock.now(), run.entropy)
    return await grants.refresh(run.http, endpoint, proof, refresh_token=token, scope=scope)


async def offline_launch(run: Run, discovery: Discovery) -> tuple[Launch, str]:
    """A launch of its own, and its refresh token.

    Raises:
        NotApplicable: the launch does not ask for offline_access.
        NotSupported: the first launch yielded a refresh token, and this one does not.
    """
    what = plan(run)
    if not {"offline_access", "online_access"} & set(what.spec.scopes):
        raise NotApplicable(f"launch {what.spec.name!r} asks for no refresh token")
    launch = await whole_launch(run, discovery, what)
    if launch.token.refresh_token is None:
        raise NotSupported("a further launch yields no refresh token")
    return launch, launch.token.refresh_token


def refreshed_from(run: Run, exchange: Exchange, original: Launch) -> Refreshed:
    """A refresh as a value; a refusal is one too."""
    try:
        token = TokenResponse.parse(exchange, run.clock.now())
    except (OAuthError, ProtocolError):
        token = None
    return Refreshed(exchange, original, token)


@act
async def refresh_launch(run: Run, discovery: Discovery, launch: Launch | None = None) -> Launch:
    """The launch whose refresh token is used; the only one there is, where a person signs in."""
    if launch is not None and launch.token.refresh_token is None:
        if launch.was_granted("offline_access"):
            raise PrerequisiteFailed("the launch yielded no refresh token")
        raise NotApplicable("offline_access is not granted, and no refresh token came")
    if launch is not None and plan(run).login.driver is DriverKind.MANUAL:
        return launch
    return (await offline_launch(run, discovery))[0]


@act
async def refresh_exchange(run: Run, discovery: Discovery, refresh_launch: Launch) -> Exchange:
    """The first refresh."""
    token = str(refresh_launch.token.refresh_token)
    return await send_refresh(run, discovery, refresh_launch.authorization.plan, token)


@act
async def refreshed(run: Run, refresh_launch: Launch, refresh_exchange: Exchange) -> Refreshed:
    """The first refresh, known to have yielded an access token."""
    done = refreshed_from(run, refresh_exchange, refresh_launch)
    if done.token is None:
        raise PrerequisiteFailed("the refresh yielded no access token")
    return done


@act
async def refreshed_read(run: Run, refreshed: Refreshed) -> Exchange:
    """The patient in context, read with the refreshed token."""
    assert refreshed.token is not None  # noqa: S101 - `refreshed` promises it
    url = f"{run.ehr.fhir_base}/Patient/{refreshed.original.patient}"
    return await run.http.get(
        url, accept="application/fhir+json", bearer=refreshed.token.access_token
    )


@act
async def rotated_refresh_token(
    run: Run, discovery: Discovery, refreshed: Refreshed, refreshed_read: Exchange
) -> Exchange:
    """The replaced refresh token once more; after everything else, for it may end the grant."""
    del refreshed_read
    negative(run)
    token = str(refreshed.original.token.refresh_token)
    return await send_refresh(run, discovery, refreshed.original.authorization.plan, token)


@act
async def widened_refresh(run: Run, discovery: Discovery, launch: Launch) -> Refreshed:
    """A refresh that asks for more than was approved."""
    negative(run)
    if ScopeSet.parse(WIDER).missing(launch.granted) == ():
        raise NotApplicable(f"the launch was granted {WIDER} already")
    original, token = await offline_launch(run, discovery)
    wanted = f"{original.granted} {WIDER}"
    exchange = await send_refresh(run, discovery, original.authorization.plan, token, wanted)
    return refreshed_from(run, exchange, original)


@act
async def unknown_refresh_token(run: Run, discovery: Discovery, refresh_launch: Launch) -> Exchange:
    """A refresh with a token that was never issued, by a client that holds another one."""
    negative(run)
    return await send_refresh(run, discovery, refresh_launch.authorization.plan, fresh(run.entropy))
