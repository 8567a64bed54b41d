"""The act that needs no login: a token from the refresh token that an earlier one left.

The vault entry is the EHR file's own, never a tenant's; the rotated token is stored before use.
"""

from __future__ import annotations

from harness.checks.acting import Run, act
from harness.checks.acts.launch import plan
from harness.config.ehr import DriverKind
from harness.errors import NotApplicable, ProtocolError
from harness.smart.discovery import Discovery
from harness.smart.drivers.refresh_token import open_session
from harness.smart.ehr_vault import open_vault
from harness.smart.identity import Identity
from harness.smart.tokens import TokenResponse

LONGEST = 120.0
"""Seconds that the grant is kept to this run while it is refreshed."""


@act
async def stored_grant(run: Run, discovery: Discovery) -> TokenResponse:
    """An access token for a login with the driver `refresh_token`."""
    what = plan(run)
    if what.login.driver is not DriverKind.REFRESH_TOKEN:
        raise NotApplicable(f"login {what.login.name!r} signs in by itself")
    endpoint = discovery.endpoint("token_endpoint")
    identity = Identity(run.http, what.client, run.secrets, endpoint, run.clock, run.entropy)
    vault = open_vault(run.ehr, run.secrets)
    session = await open_session(identity, run.ehr, what.login, vault)
    async with session.reserved(LONGEST):
        await session.access_token()
    if session.token is None:
        raise ProtocolError("the refresh token yielded no access token")
    return session.token
