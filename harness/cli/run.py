"""`harness run`: pytest on the bundled suites, from any folder."""

from __future__ import annotations

import argparse
from typing import Any

from harness.config.paths import reports_dir, suites_dir
from harness.errors import UsageError

_EPILOG = """\
Everything is passed on to pytest, so its own options work as well:

  harness run --ehr=reference                     the embedded reference EHR: no network needed
  harness run --ehr=epic-sandbox -m smart         part of it, against a sandbox
  harness run --ehr-url=https://ehr.example/r4    what needs no credentials, without an EHR file
  harness run --ehr=NAME --collect-only           which checks there are; offline, no secrets

`harness ehrs` lists the EHR files; `pytest --help` lists every option.
"""


def register(subparsers: Any) -> None:
    """Add `run`."""
    parser = subparsers.add_parser(
        "run",
        help="run the bundled suites with pytest, from any folder",
        usage="harness run (--ehr=NAME | --ehr-url=URL | --replay=RUN) [pytest options]",
        description="Run the bundled suites against an EHR.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run, passes_on=True)


def run(args: argparse.Namespace) -> int:
    """Run pytest in this process; its exit status is set by the harness's plugin."""
    names = ("--ehr", "--ehr-url", "--replay")
    if not any(word.split("=", 1)[0] in names for word in args.rest):
        raise UsageError(
            "harness run: expected --ehr=NAME, --ehr-url=URL or --replay=RUN",
            hint="`harness ehrs` lists the names; start with --ehr=reference",
        )
    import pytest

    # By default the cache would lie beside the suites, inside an installed package.
    cache = f"cache_dir={reports_dir() / '.pytest_cache'}"
    return int(pytest.main([str(suites_dir()), "-o", cache, *args.rest]))
