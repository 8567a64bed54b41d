"""`harness scheduler`: sync all tenants on their schedules."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.cli.arguments import seconds
from harness.config import paths
from harness.config.tenant import Tenant
from harness.errors import ExitStatus, UsageError
from harness.http.clock import SystemClock
from harness.reporting import folders, sync_report
from harness.scheduler.clockwork import ticking
from harness.scheduler.jobs import Ended, Site
from harness.scheduler.service import TICK, Service
from harness.smart.entropy import system_entropy

BOUND = 4 * 3600.0

_HELP = """\
Syncs every tenant when its schedule says so, each in a task of its own: one that fails or hangs
delays no other. It runs until SIGTERM or Ctrl-C, and then finishes the pages under way. Two
schedulers on one store do no harm: a lease keeps them apart.

  harness scheduler               runs until it is told to stop
  harness scheduler --once        syncs what is due now, then ends
  harness scheduler --once --all  syncs every tenant now, whatever its schedule says

Status with --once: 0 all complete, 7 some incomplete, 1 some failed.
"""


def register(subparsers: Any) -> None:
    """Add `scheduler`."""
    parser = subparsers.add_parser(
        "scheduler",
        help="sync all tenants on their schedules",
        description=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--once", action="store_true", help="sync what is due now, then end")
    parser.add_argument("--all", action="store_true", help="with --once: also what is not due")
    parser.add_argument("--tenants", metavar="DIR", help="the folder of the tenant files")
    parser.add_argument("--reports", metavar="DIR", help="the folder of all reports")
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=BOUND,
        metavar="SECONDS",
        help="how long one tenant's sync may take (default: %(default).0f)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run once, or until told to stop."""
    if args.all and not args.once:
        raise UsageError("harness scheduler: --all goes with --once")
    root = folders.reports_root(args.reports)
    site = Site(os.environ, SystemClock(), system_entropy)
    service = Service(
        site,
        _files(args.tenants),
        lambda: folders.new_run(site.clock.now()),
        lambda tenant, ended: _report(tenant, ended, root),
        args.timeout,
    )
    ended = asyncio.run(_once(service, every=args.all) if args.once else _until_told(service))
    return _status(ended) if args.once else ExitStatus.OK


async def _once(service: Service, *, every: bool) -> tuple[Ended, ...]:
    _on_signals(lambda: service.stop("told to stop"))
    service.tick(every=every)
    return await service.drain()


async def _until_told(service: Service) -> tuple[Ended, ...]:
    told = asyncio.Event()
    _on_signals(told.set)
    service.tick()
    with ticking(service.tick, TICK):
        await told.wait()
    service.stop("the scheduler was told to stop")
    return await service.drain()


def _on_signals(action: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, action)


def _files(folder: str | None) -> Callable[[], Mapping[str, Path]]:
    """Where tenant files are, looked up anew at each tick."""
    if folder is None:
        return lambda: paths.names("tenants")
    chosen = Path(folder).expanduser()
    if not chosen.is_dir():
        raise UsageError(f"--tenants: {folder} is no folder")
    return lambda: {each.stem: each for each in sorted(chosen.glob("*.toml"))}


def _report(tenant: Tenant | None, ended: Ended, root: Path) -> None:
    lines = [f"sync of {ended.tenant}: {ended.error}"] if ended.error else []
    if tenant is not None and ended.account is not None:
        folder = sync_report.write(ended.account, root)
        lines = [*ended.account.lines(), f"  report: {folder}"]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _status(ended: tuple[Ended, ...]) -> int:
    """The worst of all: failed, then incomplete."""
    each = {e.account.exit_status if e.account else ExitStatus.NOT_CONFORMANT for e in ended}
    for status in (ExitStatus.NOT_CONFORMANT, ExitStatus.INCOMPLETE):
        if status in each:
            return status
    return ExitStatus.OK
