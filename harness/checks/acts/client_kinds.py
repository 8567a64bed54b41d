"""Acts of each kind of client: a launch by a public one, by one with a secret, by one with a key.

https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html#client-types
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from harness.checks.acting import Run, act
from harness.checks.acts.launch import authorized, exchanged, negative, planned, with_code
from harness.checks.acts.launch_errors import Attempt
from harness.checks.acts.refresh import send_refresh
from harness.checks.launching import Authorization, Launch, Plan, Variation
from harness.config.ehr import ClientAuth, LaunchKind, OAuthClient
from harness.errors import NotApplicable, NotConfigured, NotSupported, ProtocolError, Skip
from harness.http.exchange import Exchange
from harness.smart.discovery import Discovery
from harness.smart.sign_in import suited

KINDS: Mapping[str, frozenset[ClientAuth]] = {
    "public": frozenset({ClientAuth.NONE}),
    "symmetric": frozenset({ClientAuth.SECRET_BASIC, ClientAuth.SECRET_POST}),
    "asymmetric": frozenset({ClientAuth.PRIVATE_KEY_JWT}),
}
"""How a client of each kind may authenticate."""

CAPABILITIES = {
    "public": "client-public",
    "symmetric": "client-confidential-symmetric",
    "asymmetric": "client-confidential-asymmetric",
}

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class ClientLaunch:
    """A launch by a client of some kind, up to the token response."""

    authorization: Authorization
    exchange: Exchange

    @property
    def refresh_token(self) -> str:
        """The refresh token.

        Raises:
            NotSupported: the code yielded no token; that is judged where the kind is declared.
            NotApplicable: no refresh token came with it.
        """
        try:
            body = self.exchange.json_object()
        except ProtocolError:
            body = {}
        if not isinstance(body.get("access_token"), str):
            raise NotSupported("the code yielded no access token")
        token = body.get("refresh_token")
        if not isinstance(token, str):
            raise NotApplicable("no refresh token came with the access token")
        return token


def of(found: Mapping[str, Value | Skip], kind: str) -> Value:
    """What was found for a kind of client.

    Raises:
        Skip: the word with which it was left out.
    """
    value = found[kind]
    if isinstance(value, Skip):
        raise type(value)(value.reason)
    return value


def kind_of(client: OAuthClient) -> str:
    """The kind of a client."""
    return next(kind for kind, ways in KINDS.items() if client.auth in ways)


def plan_of(run: Run, kind: str) -> Plan:
    """The standalone launch that suits the version, of those by clients of a kind.

    Raises:
        NotConfigured: the EHR file has none.
    """
    own = {each.name for each in run.ehr.clients if each.auth in KINDS[kind]}
    launches = tuple(each for each in run.ehr.launches if each.client in own)
    spec = suited(replace(run.ehr, launches=launches), LaunchKind.STANDALONE, run.versions.smart)
    if spec is None:
        raise NotConfigured(f"no standalone launch by a {kind} client")
    return planned(run, spec)


async def for_each_kind(make: Callable[[str], Awaitable[Value]]) -> Mapping[str, Value | Skip]:
    """What `make` yields for each kind of client, or why it is left out."""
    made: dict[str, Value | Skip] = {}
    for kind in KINDS:
        try:
            made[kind] = await make(kind)
        except Skip as skip:
            made[kind] = skip
    return made


@act
async def client_launches(
    run: Run, discovery: Discovery, authorization: Authorization, token_exchange: Exchange
) -> Mapping[str, ClientLaunch | Skip]:
    """A launch by each kind of client; the first launch is the one of its kind."""

    async def launched(kind: str) -> ClientLaunch:
        if kind == kind_of(authorization.plan.client):
            return ClientLaunch(authorization, token_exchange)
        done = await with_code(run, discovery, plan_of(run, kind))
        return ClientLaunch(done, await exchanged(run, discovery, done))

    return await for_each_kind(launched)


@act
async def client_refreshes(
    run: Run,
    discovery: Discovery,
    authorization: Authorization,
    client_launches: Mapping[str, ClientLaunch | Skip],
    refresh_exchange: Exchange | None = None,
) -> Mapping[str, Exchange | Skip]:
    """A refresh by each kind of client; for that of the first launch, the first refresh."""

    async def refreshed(kind: str) -> Exchange:
        if kind != kind_of(authorization.plan.client):
            launch = of(client_launches, kind)
            what = launch.authorization.plan
            return await send_refresh(run, discovery, what, launch.refresh_token)
        if refresh_exchange is None:
            raise NotApplicable("the first launch yields no refresh token")
        return refresh_exchange

    return await for_each_kind(refreshed)


@act
async def public_no_pkce(
    run: Run,
    discovery: Discovery,
    launch: Launch,
    client_launches: Mapping[str, ClientLaunch | Skip],
) -> Attempt:
    """A launch by a public client without challenge and without verifier."""
    negative(run)
    if kind_of(launch.authorization.plan.client) == "public":
        raise NotApplicable("the first launch is by a public client, and is judged by itself")
    what = of(client_launches, "public").authorization.plan
    tried = await authorized(run, discovery, what, variation=Variation(pkce=None))
    return Attempt(tried, await exchanged(run, discovery, tried) if tried.code else None)
