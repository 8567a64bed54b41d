"""`harness login`: sign in, and keep the refresh token."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from dataclasses import replace
from typing import Any

from harness.config.ehr import DriverKind, EhrFile, SecretRef
from harness.config.load import load_ehr, with_base
from harness.config.secrets import Secrets
from harness.config.tenant import Tenant, load_tenant
from harness.errors import ConfigError, ExitStatus, UsageError
from harness.http.client import HttpClient
from harness.http.clock import SystemClock
from harness.http.evidence import Evidence
from harness.http.limiter import HostLimiters
from harness.http.transport import Bounds
from harness.scheduler.jobs import Site
from harness.smart.discovery import discover
from harness.smart.ehr_vault import keep as keep_for_ehr
from harness.smart.ehr_vault import open_vault, vault_path
from harness.smart.entropy import system_entropy
from harness.smart.launch import Launcher
from harness.smart.sign_in import chosen, interactive, sign_in_at
from harness.smart.tokens import TokenResponse
from harness.smart.vault import new_key
from harness.sync.access.connect import sender, vault_of
from harness.sync.access.granted import not_covered
from harness.sync.access.login import keep, sign_in
from harness.sync.access.meter import Meter

_HELP = """\
Performs a SMART launch and stores the refresh token, encrypted, in a vault. Syncs and runs then
need nobody to sign in, for as long as the EHR lets the grant live.

--tenant: the launch of a tenant, whose vault its syncs use.
--ehr: a launch of an EHR file, by default the standalone one that a run takes. `pytest --ehr=NAME`
uses what is stored where the login of the launch has driver "refresh_token".

Where the login has driver "form" it signs in by itself; else it says which page to open in a
browser, and waits. Driver "refresh_token" with a user name and a password signs in by itself too,
in a sandbox.

The vault of an EHR file is encrypted with HARNESS_VAULT_KEY. Make a key once, and keep it:

    export HARNESS_VAULT_KEY="$(harness login --new-vault-key)"
"""


def register(subparsers: Any) -> None:
    """Add `login`."""
    parser = subparsers.add_parser(
        "login",
        help="sign in, and keep the refresh token",
        description=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whose = parser.add_mutually_exclusive_group(required=True)
    whose.add_argument("--tenant", metavar="T", help="a tenant by NAME or path")
    whose.add_argument("--ehr", metavar="NAME", help="an EHR file by NAME or path")
    whose.add_argument(
        "--new-vault-key", action="store_true", help="print a fresh key for vaults, and do no more"
    )
    parser.add_argument("--launch", metavar="NAME", help="which launch of the EHR file")
    parser.add_argument("--ehr-url", metavar="URL", help="the FHIR base to use in place of its own")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Sign in and store."""
    if args.ehr is None and (args.launch is not None or args.ehr_url is not None):
        raise UsageError("harness login: --launch and --ehr-url go with --ehr")
    if args.new_vault_key:
        sys.stdout.write(f"{new_key()}\n")
        return ExitStatus.OK
    if args.ehr is not None:
        return _run_ehr(args)
    tenant = load_tenant(args.tenant)
    token = asyncio.run(_login(tenant))
    sys.stdout.write(
        f"{tenant.name}: signed in, the refresh token is in the vault{_granted(token)}\n"
    )
    if lacking := not_covered(tenant.resources, token.scope):
        sys.stdout.write(
            f"{tenant.name}: no granted scope covers {', '.join(lacking)}; "
            "syncs will list that as missing\n"
        )
    return ExitStatus.OK


def _run_ehr(args: argparse.Namespace) -> int:
    ehr = load_ehr(args.ehr)
    if args.ehr_url is not None:
        ehr = with_base(ehr, args.ehr_url)
    spec = chosen(ehr, args.launch)
    token = asyncio.run(_login_ehr(ehr, args.launch))
    sys.stdout.write(
        f"{ehr.name}: signed in by launch {spec.name}, "
        f"the refresh token is in {vault_path(ehr)}{_granted(token)}\n"
    )
    login = ehr.login(spec.login)
    if login is not None and login.driver is not DriverKind.REFRESH_TOKEN:
        sys.stderr.write(f'runs use it once login {login.name} has driver = "refresh_token"\n')
    return ExitStatus.OK


async def _login_ehr(ehr: EhrFile, name: str | None) -> TokenResponse:
    secrets, clock = Secrets(os.environ), SystemClock()
    spec = chosen(ehr, name)
    vault = open_vault(ehr, secrets)  # before anybody signs in in vain
    acting, launch = interactive(ehr, spec)
    async with HttpClient(
        base=ehr.fhir_base,
        evidence=Evidence(),
        limiter=HostLimiters(ehr.limits, clock),
        clock=clock,
        tls=ehr.tls,
        headers=_headers(ehr, secrets),
        extra_origins=frozenset(ehr.auth.extra_origins),
        bounds=Bounds.of(ehr.limits),
        moved_from=ehr.moved_from,
    ) as http:
        found = await discover(http, acting)
        launcher = Launcher(http, acting, found, secrets, clock, system_entropy)
        token = await sign_in_at(launcher, launch)
    login = launcher.login(spec.login)
    await keep_for_ehr(vault, ehr, spec.client, login, token, secrets=secrets, now=clock.now())
    return token


async def _login(tenant: Tenant) -> TokenResponse:
    site = Site(os.environ, SystemClock(), system_entropy)
    world = site.world(tenant)
    if tenant.login is None:
        name = tenant.require_client().name
        raise ConfigError(f"tenant {tenant.name}: has no [login]; its client {name} needs none")
    vault, entry = vault_of(tenant, world.secrets)
    login = tenant.login
    if login.driver is not DriverKind.FORM:
        login = replace(login, driver=DriverKind.MANUAL)
    async with sender(tenant, world, Meter()) as http:
        token = await sign_in(tenant, login, world, http, await discover(http, tenant.ehr))
    await keep(vault, entry, token, world)
    return token


def _headers(ehr: EhrFile, secrets: Secrets) -> dict[str, str]:
    return {
        name: secrets.resolve(value).reveal() if isinstance(value, SecretRef) else value
        for name, value in ehr.headers.items()
    }


def _granted(token: TokenResponse) -> str:
    return f"; granted: {token.scope}" if token.scope is not None else ""
