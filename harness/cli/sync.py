"""`harness sync`: pull a tenant's changes now; compare and show its state.

Only what a subcommand needs is imported, when it is called.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module
from typing import Any

from harness.cli import export
from harness.cli.arguments import seconds

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
    one.set_defaults(run=_late("syncing", "run"))
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
    status.set_defaults(run=_late("comparing", "show"))


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
    parser.set_defaults(run=_late("comparing", "compare"))


def _late(module: str, name: str) -> Callable[[argparse.Namespace], int]:
    def run(args: argparse.Namespace) -> int:
        return int(getattr(import_module(f"harness.cli.{module}"), name)(args))

    return run
