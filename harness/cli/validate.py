"""`harness validate`: judge resources in files or a pipe against FHIR R4 and US Core."""

from __future__ import annotations

import argparse
from typing import Any

_HELP = """\
Says whether resources are valid FHIR R4, and valid by the US Core profiles that they declare in
meta.profile or that their type, category and code call for.

FILE is JSON (a resource or a Bundle), NDJSON with one resource per line, or gzip of either: which
of them, is seen from the contents. `-` is standard input; of a folder all *.json and *.ndjson files
are read, compressed ones too. Memory stays flat however long a file is. Nothing is asked of any
server: what cannot be known offline is told as "not checked" and never makes a resource invalid.

Findings that repeat are shown a few times and then counted; a summary ends the output. Formats:
  text     for people
  json     one JSON object per finding and line, and a last one that sums up
  outcome  one FHIR OperationOutcome per line for each resource with findings

Status 0: every resource is valid. 1: at least one is not, or could not be read. 4: wrong usage, or
there was nothing to validate.
"""


def register(subparsers: Any) -> None:
    """Add `validate`."""
    parser = subparsers.add_parser(
        "validate",
        help="judge resources in files or a pipe against FHIR R4 and US Core",
        description=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="a file, a folder, or - ")
    parser.add_argument(
        "--us-core", metavar="V", help="version of US Core; by default the regulatory one"
    )
    parser.add_argument(
        "--profile",
        action="append",
        default=[],
        metavar="URL",
        help="judge every resource of its type by this profile as well; may be repeated",
    )
    parser.add_argument(
        "--package",
        action="append",
        default=[],
        metavar="NAME#VERSION",
        help="an installed package with further profiles; may be repeated",
    )
    parser.add_argument(
        "--select",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="choose US Core profiles by type, category and code too, not by meta.profile alone",
    )
    parser.add_argument(
        "--fast",
        action="store_true",
        help="errors only: what a compiled filter accepts is not looked at further; by far the"
        " fastest with the package of fhir-harness[fast]",
    )
    parser.add_argument(
        "--must-support",
        action="store_true",
        help="say which must-support elements of each profile no resource had",
    )
    parser.add_argument("--format", choices=("text", "json", "outcome"), default="text")
    parser.add_argument(
        "--severity",
        choices=("error", "warning", "information"),
        default="warning",
        help="the least severe findings to show (default: warning); all are counted",
    )
    parser.add_argument(
        "--limit",
        type=_count,
        default=3,
        metavar="N",
        help="as text, show each kind of finding N times, then count it (default: 3; 0: always)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """`harness validate`."""
    from harness.cli import validating

    return validating.run(args)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:  # noqa: PLR2004 - digits of a sane number
        raise argparse.ArgumentTypeError(f"expected 0 or a whole number, got {text!r}")
    return int(text)
