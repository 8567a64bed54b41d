"""`harness reference`: the reference EHR as a server."""

from __future__ import annotations

import argparse
from typing import Any

from harness.reference.options import add_options, run

_HELP = """\
Runs the reference EHR: a (g)(10) server with synthetic patients, for trying the harness and for
developing an application without network and credentials.

It prints one line of JSON on standard output when it is ready: the FHIR base, the users, the
clients' credentials, and where its control listens. Everything else goes to standard error. It
ends on SIGTERM, on Ctrl-C, and, if its standard input is a pipe, when that ends.

  harness reference --port 8080 --env-file ~/.reference.env &
  . ~/.reference.env
  pytest --ehr=reference --ehr-url=http://127.0.0.1:8080/r4
"""


def register(subparsers: Any) -> None:
    """Adds the command to the parser of `harness`."""
    parser = subparsers.add_parser(
        "reference",
        help="run the reference EHR as a server",
        description=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_options(parser)
    parser.set_defaults(run=run)
