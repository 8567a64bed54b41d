"""`harness profiles`: derive the tables of FHIR definitions, and install further packages."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from harness.errors import ExitStatus

_BUILD = """\
Reduces packages of FHIR definitions (.tgz files, or folders where such a file was unpacked) to the
tables that validation and the suites read. With --check nothing is written: the tables that are
there are compared, and what differs is listed (status 1).

  harness profiles build hl7.fhir.r4.core-4.0.1.tgz hl7.fhir.us.core-6.1.0.tgz --check
"""


def register(subparsers: Any) -> None:
    """Add `profiles build` and `profiles install`."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = subparsers.add_parser("profiles", help="derive or install FHIR definitions")
    actions = parser.add_subparsers(title="commands", metavar="COMMAND")
    build = actions.add_parser(
        "build", help="reduce packages to tables", description=_BUILD, formatter_class=raw
    )
    build.add_argument("packages", nargs="+", type=Path, metavar="PACKAGE", help=".tgz or folder")
    build.add_argument("--out", type=Path, metavar="DIR", help="default: the tables that ship")
    build.add_argument("--check", action="store_true", help="compare only; 1 where they differ")
    build.set_defaults(run=_build)


def _build(args: argparse.Namespace) -> int:
    from harness.profiles.build import build, differences, write
    from harness.spec.definitions import TABLES

    out, same = args.out or TABLES, True
    for tables in build(args.packages):
        if args.check:
            for line in differences(tables, out):
                same = False
                sys.stdout.write(f"{line}\n")
        else:
            folder = write(tables, out)
            size = sum(map(len, tables.texts.values()))
            sys.stdout.write(f"{folder}: {size / 1000:,.0f} kB\n")
    return ExitStatus.OK if same else ExitStatus.NOT_CONFORMANT
