"""`harness login`: sign in, and keep the refresh token."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from dataclasses import replace
from typing import Any

from harness.config.ehr import DriverKind
from harness.config.tenant import Tenant, load_tenant
from harness.errors import ConfigError, ExitStatus
from harness.http.clock import SystemClock
from harness.scheduler.jobs import Site
from harness.smart.discovery import discover
from harness.smart.entropy import system_entropy
from harness.smart.tokens import TokenResponse
from harness.sync.connect import sender, vault_of
from harness.sync.login import keep, sign_in
from harness.sync.meter import Meter

_HELP = """\
Performs the SMART launch of a tenant and stores the refresh token, encrypted, in its vault. Syncs
then need nobody to sign in, for as long as the EHR lets the grant live.

Where the tenant's login has driver "form" it signs in by itself, with the tenant's own user; else
it says which page to open in a browser, and waits.
"""


def register(subparsers: Any) -> None:
    """Add `login`."""
    parser = subparsers.add_parser(
        "login",
        help="sign in, and keep the refresh token",
        description=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--tenant", required=True, metavar="T", help="a tenant by NAME or path")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Sign in and store."""
    tenant = load_tenant(args.tenant)
    token = asyncio.run(_login(tenant))
    scope = f"; granted: {token.scope}" if token.scope is not None else ""
    sys.stdout.write(f"{tenant.name}: signed in, the refresh token is in the vault{scope}\n")
    return ExitStatus.OK


async def _login(tenant: Tenant) -> TokenResponse:
    site = Site(os.environ, SystemClock(), system_entropy)
    world = site.world(tenant, {})
    if tenant.login is None:
        raise ConfigError(
            f"tenant {tenant.name}: has no [login]; its client {tenant.client.name} needs none"
        )
    vault, entry = vault_of(tenant, world.secrets)
    login = tenant.login
    if login.driver is not DriverKind.FORM:
        login = replace(login, driver=DriverKind.MANUAL)
    async with sender(tenant, world, Meter()) as http:
        token = await sign_in(tenant, login, world, http, await discover(http, tenant.ehr))
    await keep(vault, entry, token, world)
    return token
