"""`harness sync`: pull a tenant's changes now; compare and show its state."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.cli import export, progress
from harness.cli.arguments import seconds
from harness.config import paths
from harness.config.secrets import Secrets
from harness.config.tenant import Tenant, load_tenant
from harness.errors import ExitStatus, HarnessError, UsageError
from harness.http.clock import SystemClock
from harness.reporting import folders, sync_report
from harness.scheduler.jobs import Site, verify
from harness.scheduler.outbox import write_and_sync
from harness.smart.entropy import system_entropy
from harness.sync.account import Account
from harness.sync.grant import grant_of
from harness.sync.places import place_of
from harness.sync.run import Progress, SyncRun
from harness.sync.status import Status, status_of
from harness.sync.verify_run import VerifyRun

_RUN_HELP = """\
Pulls what is new since the last sync into the tenant's store: one page of everything for each
patient first, then the rest. It goes on where an earlier run was cut off. Ctrl-C finishes the pages
under way. On a terminal one line tells how far it is, how fast, and about how long it takes yet.

Status 0: complete. 7: incomplete; what is missing and why is said. 1: nothing could be pulled.
The report goes to reports/tenants/TENANT/RUN/: Allure results and summary.json.
"""

_VERIFY_HELP = """\
Reads everything that the tenant syncs from the EHR, at the pace of its limits, and compares it with
the store, which stays as it is. What the store holds and the EHR did not list is read by its id.

Status 0: equal. 7: different, or not all could be compared; each resource and reason is said.
1: nothing could be compared.
"""


def register(subparsers: Any) -> None:
    """Add `sync` and its subcommands."""
    parser = subparsers.add_parser("sync", help="pull a tenant's changes now; show its state")
    under = parser.add_subparsers(title="subcommands", metavar="COMMAND")
    one = under.add_parser(
        "run",
        help="sync one tenant now",
        description=_RUN_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    one.add_argument("--tenant", required=True, metavar="T", help="a tenant file by NAME or path")
    one.add_argument("--reports", metavar="DIR", help="the folder of all reports")
    one.add_argument("--timeout", type=seconds, metavar="SECONDS", help="stop after so long")
    one.add_argument("--json", action="store_true", help="print the account as JSON")
    one.set_defaults(run=run)
    _register_verify(under)
    export.register(under)
    status = under.add_parser(
        "status",
        help="show watermarks, last runs, what can be resumed and how the grant stands",
        description="Show how far each tenant is synced, and whether its grant is good or lost, "
        "since when, and when it was last refreshed. Nothing is asked of the EHR.",
    )
    which = status.add_mutually_exclusive_group(required=True)
    which.add_argument("--tenant", metavar="T", help="a tenant file by NAME or path")
    which.add_argument("--all", action="store_true", help="every tenant file")
    status.add_argument("--json", action="store_true", help="print JSON")
    status.set_defaults(run=show)


def _register_verify(under: Any) -> None:
    parser = under.add_parser(
        "verify",
        help="compare a tenant's store with its EHR, resource by resource",
        description=_VERIFY_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--tenant", required=True, metavar="T", help="a tenant file by NAME or path"
    )
    parser.add_argument("--timeout", type=seconds, metavar="SECONDS", help="stop after so long")
    parser.add_argument(
        "--mark-deleted",
        action="store_true",
        help="let what the EHR has no more count as deleted in the store",
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.set_defaults(run=compare)


def compare(args: argparse.Namespace) -> int:
    """`harness sync verify`."""
    site = Site(os.environ, SystemClock(), system_entropy)
    tenant = load_tenant(args.tenant)
    found = asyncio.run(
        verify(tenant, site, mark=args.mark_deleted, bound=args.timeout, on_start=_stop_on_signals)
    )
    _print(json.dumps(found.as_json(), indent=2) if args.json else "\n".join(found.lines()))
    return found.exit_status


def run(args: argparse.Namespace) -> int:
    """`harness sync run`."""
    tenant = load_tenant(args.tenant)
    root = folders.reports_root(args.reports)
    account = asyncio.run(_sync(tenant, args.timeout))
    folder = sync_report.write(account, root)
    if args.json:
        _print(json.dumps(account.as_json() | {"report": str(folder)}, indent=2))
    else:
        _print("\n".join([*account.lines(), f"  report: {folder}"]))
    return account.exit_status


async def _sync(tenant: Tenant, bound: float | None) -> Account:
    site = Site(os.environ, SystemClock(), system_entropy)
    # What was imported stays; looking through it again and again is a tenth of a long pull.
    gc.freeze()
    gc.set_threshold(10_000)
    with _progress() as told:
        return await write_and_sync(
            tenant,
            site,
            folders.new_run(site.clock.now()),
            bound=bound,
            on_start=_stop_on_signals,
            on_progress=told,
        )


def _stop_on_signals(run: SyncRun | VerifyRun) -> None:
    """A first signal finishes the pages under way; a second one ends at once, losing nothing."""
    loop = asyncio.get_running_loop()

    def stop(number: signal.Signals) -> None:
        run.stop(f"told to stop by {number.name}")
        loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)


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
