"""`harness sync verify` and `harness sync status`."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from harness.cli.stopping import stop_on_signals
from harness.config import paths
from harness.config.secrets import Secrets
from harness.config.tenant import load_tenant
from harness.errors import ExitStatus, HarnessError, UsageError
from harness.http.clock import SystemClock
from harness.scheduler.jobs import Site, verify
from harness.smart.entropy import system_entropy
from harness.sync.access.grant import grant_of
from harness.sync.status import Status, status_of
from harness.sync.store.places import place_of


def compare(args: argparse.Namespace) -> int:
    """`harness sync verify`."""
    site = Site(os.environ, SystemClock(), system_entropy)
    tenant = load_tenant(args.tenant)
    found = asyncio.run(
        verify(tenant, site, mark=args.mark_deleted, bound=args.timeout, on_start=stop_on_signals)
    )
    _print(json.dumps(found.as_json(), indent=2) if args.json else "\n".join(found.lines()))
    return found.exit_status


def show(args: argparse.Namespace) -> int:
    """`harness sync status`."""
    files = [str(each) for each in paths.names("tenants").values()] if args.all else [args.tenant]
    if not files:
        raise UsageError("there are no tenant files", hint="see docs/operators.md")
    found = [_status(each) for each in files]
    if args.json:
        _print(json.dumps([each.as_json() for each in found], indent=2))
    else:
        _print("\n".join(line for each in found for line in each.lines(datetime.now(UTC))))
    return ExitStatus.OK


def _status(file: str) -> Status:
    try:
        tenant = load_tenant(file)
        found = status_of(tenant, place_of(tenant, os.environ))
        return replace(found, grant=grant_of(tenant, Secrets(os.environ)))
    except HarnessError as error:
        return Status(Path(file).stem, error=str(error))


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
