"""`harness sync run`."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from harness.cli import progress
from harness.cli.stopping import stop_on_signals
from harness.config.tenant import Tenant, load_tenant
from harness.http.clock import SystemClock
from harness.reporting import folders, sync_report
from harness.scheduler.jobs import Site
from harness.scheduler.turn import write_and_sync
from harness.smart.entropy import system_entropy
from harness.sync.account import Account
from harness.sync.standing import Progress
from harness.sync.telling import pretty


def run(args: argparse.Namespace) -> int:
    """`harness sync run`."""
    tenant = load_tenant(args.tenant)
    root = folders.reports_root(args.reports)
    account = asyncio.run(_sync(tenant, args.timeout))
    folder = sync_report.write(account, root)
    if args.json:
        _print(pretty(account.as_json() | {"report": str(folder)}))
    else:
        _print("\n".join([*account.lines(), f"  report: {folder}"]))
    return account.exit_status


async def _sync(tenant: Tenant, bound: float | None) -> Account:
    site = Site(os.environ, SystemClock(), system_entropy)
    gc.freeze()  # what was imported stays, and need not be looked through for garbage
    with _progress() as told:
        return await write_and_sync(
            tenant,
            site,
            folders.new_run(site.clock.now()),
            bound=bound,
            on_start=stop_on_signals,
            on_progress=told,
        )


@contextmanager
def _progress() -> Iterator[Callable[[Progress], None]]:
    """A line on the terminal that follows the run; nothing where there is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _progress: None
        return
    from rich.console import Console

    began = SystemClock().monotonic()
    console = Console(stderr=True)
    with console.status("asking the EHR") as line:

        def told(now: Progress) -> None:
            line.update(progress.line(now, SystemClock().monotonic() - began))

        yield told


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
