"""`harness write`: an application's writes to a tenant's EHR; what is queued, and what died."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.cli.arguments import seconds
from harness.cli.stopping import stop_on_signals
from harness.config.tenant import Tenant, load_tenant
from harness.errors import ExitStatus, UsageError
from harness.http.clock import SystemClock
from harness.scheduler.jobs import Site
from harness.scheduler.leases import LeaseHeld
from harness.scheduler.outbox import deliver, require_enabled, submit, teller, waiting
from harness.smart.entropy import system_entropy
from harness.sync.outbox.box import Box
from harness.sync.outbox.model import OPEN, Entry, State
from harness.sync.outbox.reading import MOST_BYTES, drafts_in
from harness.sync.outbox.telling import Outgoing, Teller
from harness.sync.store.places import place_of
from harness.sync.store.store import Store

_HELP = """\
Keeps the writes of a file in the tenant's outbox and delivers them: one resource, a Bundle or
NDJSON. Each is at the EHR once, whatever becomes of answers, and is read back. A resource that was
read from the EHR, with its id and meta.versionId, is changed; any other is created.
Without FILE what is queued is delivered. The tenant file has to say [outbox] enabled = true.

Status 0: all confirmed. 7: some are still queued; the scheduler, the next sync or the next write
goes on with them. 1: some were refused for good, see --list --dead.
"""

_LOOK = 0.25
_WAIT = 30.0


def register(subparsers: Any) -> None:
    """Add `write`."""
    parser = subparsers.add_parser(
        "write",
        help="write an application's resources to a tenant's EHR",
        description=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--tenant", required=True, metavar="T", help="a tenant file by NAME or path"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("file", nargs="?", metavar="FILE", help="what to write; - is standard input")
    what.add_argument("--list", action="store_true", help="show what is queued and what died")
    what.add_argument("--retry", metavar="ID", help="take up a dead entry again, or: all")
    what.add_argument("--drop", type=int, metavar="ID", help="forget a dead or queued entry")
    parser.add_argument("--dead", action="store_true", help="with --list: the dead ones alone")
    parser.add_argument("--queue-only", action="store_true", help="keep them, deliver later")
    parser.add_argument(
        "--wait",
        type=seconds,
        default=_WAIT,
        metavar="SECONDS",
        help=f"wait so long for what is not due yet ({_WAIT:.0f})",
    )
    parser.add_argument(
        "--words",
        action="store_true",
        help="show the EHR's own words though the data is real; they may name people",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """`harness write`."""
    tenant = load_tenant(args.tenant)
    if args.list:
        return _list(tenant, args)
    require_enabled(tenant)
    ids = _submitted(tenant, args)
    stays = args.queue_only or args.drop is not None
    outgoing = waiting(tenant) if stays else asyncio.run(_deliver(tenant, args.wait))
    with Store(place_of(tenant, os.environ)) as store:
        box = Box(store)
        found = [box.entry(each) for each in ids]
        entries = [each for each in found if each is not None]
        _print(entries, teller(tenant, store, words=args.words), args, outgoing)
    if args.drop is not None:
        return ExitStatus.OK
    return _status([each.state for each in entries]) if ids else _outcome(outgoing)


def _list(tenant: Tenant, args: argparse.Namespace) -> int:
    place = place_of(tenant, os.environ)
    if not place.exists():
        _print([], Teller(lambda _id, _kind: ""), args, Outgoing())
        return ExitStatus.OK
    with Store(place) as store:
        states = {State.DEAD} if args.dead else OPEN | {State.DEAD}
        entries = Box(store).entries(sorted(states))
        _print(entries, teller(tenant, store, words=args.words), args, waiting(tenant))
    return ExitStatus.OK


def _submitted(tenant: Tenant, args: argparse.Namespace) -> list[int]:
    """The entries that this command is about; none where it delivers whatever there is."""
    now = datetime.now(UTC)
    with Store(place_of(tenant, os.environ)) as store:
        box = Box(store)
        if args.drop is not None:
            box.drop(args.drop)
            return []
        if args.retry is not None:
            return [box.retry(each, now).id for each in _to_retry(box, args.retry)]
        if args.file is None:
            return []
        content, where = _content(args.file)
        drafts = drafts_in(content, tenant.name, where)
        return list(dict.fromkeys(submit(tenant, box, each, now)[0].id for each in drafts))


def _to_retry(box: Box, which: str) -> list[int]:
    if which == "all":
        return [each.id for each in box.entries([State.DEAD])]
    if not which.isdecimal():
        raise UsageError(f"--retry: expected the number of an entry, or all, got {which!r}")
    return [int(which)]


def _content(file: str) -> tuple[bytes, str]:
    if file == "-":
        return sys.stdin.buffer.read(MOST_BYTES + 1), "standard input"
    try:
        with Path(file).open("rb") as stream:
            return stream.read(MOST_BYTES + 1), file
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from None


async def _deliver(tenant: Tenant, wait: float) -> Outgoing:
    site = Site(os.environ, SystemClock(), system_entropy)
    try:
        return await deliver(tenant, site, patience=wait, on_start=stop_on_signals)
    except LeaseHeld:
        return await _watched(tenant, wait)


async def _watched(tenant: Tenant, wait: float) -> Outgoing:
    """Another process delivers; wait for it."""
    end = asyncio.get_running_loop().time() + wait
    # The other process tells by the store alone.
    while (left := waiting(tenant)).open and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110
        await asyncio.sleep(_LOOK)
    return left


def _print(
    entries: Sequence[Entry], told: Teller, args: argparse.Namespace, outgoing: Outgoing
) -> None:
    if args.json:
        value = {"entries": [told.json(each) for each in entries], "outbox": outgoing.as_json()}
        sys.stdout.write(json.dumps(value, indent=2) + "\n")
        return
    for each in entries:
        sys.stdout.write(told.line(each) + "\n")
    if not entries or outgoing.open or outgoing.dead:
        sys.stdout.write(outgoing.line() + "\n")


def _status(states: Sequence[State]) -> ExitStatus:
    if State.DEAD in states:
        return ExitStatus.NOT_CONFORMANT
    return ExitStatus.INCOMPLETE if OPEN & set(states) else ExitStatus.OK


def _outcome(outgoing: Outgoing) -> ExitStatus:
    if outgoing.died:
        return ExitStatus.NOT_CONFORMANT
    return ExitStatus.INCOMPLETE if outgoing.open else ExitStatus.OK
