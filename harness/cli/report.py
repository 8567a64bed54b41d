"""`harness report`: HTML from the results of a run."""

from __future__ import annotations

import argparse
import json
import sys
import webbrowser
from typing import Any

from harness.errors import ExitStatus

_EPILOG = """\
examples:
  harness report                        the latest run of all
  harness report epic-sandbox           the latest finished run against that EHR
  harness report epic-sandbox/20261121T075249Z-f14a46 --open

It needs Node.js: Allure 3 writes the page. Without Node, summary.json and junit.xml in the folder
of the run hold the same verdicts.
"""


def register(subparsers: Any) -> None:
    """Add `report`."""
    parser = subparsers.add_parser(
        "report",
        help="turn the results of a run into HTML",
        description="Write the Allure report of a run as HTML.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run_name", nargs="?", metavar="RUN|NAME", help="default: the latest run")
    parser.add_argument("--reports", metavar="DIR", help="where reports are; default: reports/")
    parser.add_argument("--open", action="store_true", help="open the page in a browser")
    parser.add_argument("--json", action="store_true", help="print the paths as JSON")
    parser.set_defaults(run=report)


def report(args: argparse.Namespace) -> int:
    """Write the page and say where it is."""
    from harness.reporting import folders, html

    folder = folders.find(args.run_name, args.reports)
    if sys.stderr.isatty():
        sys.stderr.write(f"writing the report of {folder} ...\n")
    page = html.generate(folder)
    if args.json:
        sys.stdout.write(json.dumps({"run": str(folder), "page": str(page)}) + "\n")
    else:
        sys.stdout.write(f"{page}\n")
    if args.open:
        webbrowser.open(page.as_uri())
    return ExitStatus.OK
