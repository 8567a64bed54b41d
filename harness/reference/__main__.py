"""`python -m harness.reference`: the reference EHR as a process of its own."""

from __future__ import annotations

import argparse
import sys

from harness.errors import HarnessError
from harness.reference.options import add_options, run


def main() -> int:
    """Parses the command line, serves, and returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m harness.reference", description=__doc__)
    add_options(parser)
    try:
        return run(parser.parse_args())
    except HarnessError as error:
        sys.stderr.write(f"{error}\n")
        return error.status


if __name__ == "__main__":
    sys.exit(main())
