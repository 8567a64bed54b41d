"""A tenant's login: a standalone launch whose refresh token goes to the tenant's vault.

SMART App Launch, https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html
"""

from __future__ import annotations

import asyncio

from harness.config.ehr import LaunchKind, LaunchSpec, Login
from harness.config.tenant import Tenant
from harness.errors import ConfigError, LoginFailed
from harness.http.client import HttpClient
from harness.smart.discovery import Discovery
from harness.smart.drivers import authorize
from harness.smart.launch import Launcher
from harness.smart.stored import Access
from harness.smart.tokens import TokenResponse
from harness.smart.vault import Entry, Vault
from harness.sync.world import World


async def sign_in(
    tenant: Tenant, login: Login, world: World, http: HttpClient, discovery: Discovery
) -> TokenResponse:
    """Launch by the login's driver, and exchange the code.

    Raises:
        LoginFailed: the driver did not get to the end, or the grant has no refresh token.
        OAuthError: the EHR refused.
        ConfigError: the client has no redirect URI, or a secret is missing.
    """
    launcher = Launcher(http, tenant.ehr, discovery, world.secrets, world.clock, world.entropy)
    client = tenant.require_client()
    spec = LaunchSpec("sync", LaunchKind.STANDALONE, client.name, login.name, tenant.scopes)
    request = launcher.request_for(spec)
    arrival = await authorize(http, request, login, world.secrets, tenant.ehr)
    if not arrival.response.state_matches:
        raise LoginFailed("the redirect came back with another state than was sent")
    exchange = await launcher.exchange(client, request, arrival.response.require_code())
    token = TokenResponse.parse(exchange, world.clock.now())
    if token.refresh_token is None:
        raise LoginFailed(
            "the EHR granted no refresh token",
            hint="ask for offline_access in scopes, and check that the app is registered for it",
        )
    return token


async def keep(vault: Vault, entry: Entry, token: TokenResponse, world: World) -> None:
    """Store the refresh token of a login, whatever the vault held before."""
    if token.refresh_token is None:
        raise ConfigError(f"{entry}: there is no refresh token to keep")
    now = world.clock.now()
    scope = str(token.scope) if token.scope is not None else None
    access = Access.of(token, now)
    await asyncio.to_thread(
        vault.put, entry, token.refresh_token, now=now, scope=scope, access=access
    )
