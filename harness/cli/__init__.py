"""The `harness` command: parses, calls, prints.

`COMMANDS` says which module owns which command. Only the module of the command at hand is
imported, so help is quick and a module that cannot be imported breaks its own commands alone.
A module offers `register(subparsers)`; each parser it adds sets `run`, a function from the parsed
arguments to the exit status.
"""

from __future__ import annotations

import argparse
import difflib
import gc
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NoReturn

from harness import __version__
from harness.errors import ExitStatus, HarnessError, UsageError

_BROKEN_PIPE = 141
"""What a shell reports for a command that SIGPIPE ended."""

_COLLECT_AFTER = 10_000
"""Objects that are made before garbage is looked for: what is imported stays, and looking through
it again and again is an eighth of a command's start, and a tenth of a long pull."""

_NEEDLESS = "httpx._main"
"""The HTTP library's own command, which brings three packages that most commands of ours never
use, and takes as long to import as the library does. It knows how to do without."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command: the module under `harness.cli` that registers it, and its line in the help."""

    module: str
    summary: str


COMMANDS = {
    "run": Command("run", "run the bundled suites with pytest, from any folder"),
    "ehrs": Command("ehrs", "list, check and write EHR files"),
    "reference": Command("reference", "run the reference EHR as a server"),
    "login": Command("login", "launch in your browser and keep the refresh token"),
    "jwks": Command("jwks", "make signing keys, show or serve the public set"),
    "sync": Command("sync", "pull a tenant's changes now; show its state"),
    "write": Command("write", "write an application's resources to a tenant's EHR"),
    "scheduler": Command("scheduler", "sync all tenants on their schedules"),
    "profiles": Command("profiles", "derive or install FHIR definitions"),
    "report": Command("report", "turn the results of a run into HTML"),
    "validate": Command("validate", "judge resources in files against FHIR R4 and US Core"),
    "coverage": Command("coverage", "say what is judged and what is not, and why"),
}


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are usage errors of the harness, in one line."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}", hint=f"see `{self.prog} --help`")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments after `harness`; None takes those of the process.

    Returns:
        The exit status, see `harness.errors.ExitStatus`.
    """
    gc.set_threshold(_COLLECT_AFTER)
    sys.modules.setdefault(_NEEDLESS, None)  # type: ignore[arg-type] # an import that fails
    try:
        status = _dispatch(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
    except HarnessError as error:
        return _complain(str(error), error.status)
    except KeyboardInterrupt:
        return _complain("interrupted", ExitStatus.INTERRUPTED)
    except BrokenPipeError:
        # The reader went away; a second complaint at interpreter exit is avoided by /dev/null.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 -- the last line of defence: no traceback reaches a user
        return _complain(_defect(error), ExitStatus.HARNESS_DEFECT)
    return status


def available() -> dict[str, Command]:
    """The commands whose module is installed; modules are found, not imported."""
    return {
        name: command
        for name, command in COMMANDS.items()
        if find_spec(f"harness.cli.{command.module}") is not None
    }


def _dispatch(argv: list[str]) -> int:
    commands = available()
    name = next((word for word in argv if not word.startswith("-")), None)
    if name is not None and name not in commands:
        near = difflib.get_close_matches(name, commands, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"commands: {', '.join(commands)}"
        raise UsageError(f"harness: no command {name!r}", hint=hint)
    parser, subparsers = _frame()
    wanted = commands[name].module if name is not None else None
    if wanted is not None:
        _module(wanted).register(subparsers)
    for each, command in commands.items():
        if command.module != wanted:
            subparsers.add_parser(each, help=command.summary, add_help=False)
    try:
        args, rest = parser.parse_known_args(argv)
    except SystemExit as stop:  # argparse ends --help and --version this way
        return int(stop.code or 0)
    return _call(parser, args, rest)


def _frame() -> tuple[_Parser, Any]:
    parser = _Parser(
        prog="harness",
        description="Conformance and sync test harness for (g)(10) / SMART on FHIR endpoints.",
        epilog="Start with `harness run --ehr=reference`: no network, no credentials needed.",
    )
    parser.add_argument("--version", action="version", version=f"harness {__version__}")
    return parser, parser.add_subparsers(title="commands", dest="command", metavar="COMMAND")


def _call(parser: _Parser, args: argparse.Namespace, rest: list[str]) -> int:
    whole = f"harness {args.command}" if args.command else "harness"
    if rest and not getattr(args, "passes_on", False):
        raise UsageError(
            f"{whole}: unrecognized arguments: {' '.join(rest)}", hint=f"see `{whole} --help`"
        )
    if args.command is None:
        parser.print_help()
        return ExitStatus.USAGE
    if not hasattr(args, "run"):
        raise UsageError(f"{whole}: expected a subcommand", hint=f"see `{whole} --help`")
    args.rest = rest
    return int(args.run(args))


def _module(name: str) -> Any:
    try:
        return import_module(f"harness.cli.{name}")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("harness"):
            raise
        raise UsageError(
            f"harness {name}: the package {error.name!r} is not installed",
            hint=f"install it beside the harness: pip install {error.name}",
        ) from None


def _complain(line: str, status: int) -> int:
    sys.stderr.write(line if line.startswith("harness") else f"harness: {line}")
    sys.stderr.write("\n")
    return int(status)


def _defect(error: Exception) -> str:
    """Type and place only: the text of a foreign exception may quote a secret."""
    if os.environ.get("HARNESS_DEBUG"):
        traceback.print_exception(error)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return (
        f"harness defect: {type(error).__name__}{place}; "
        "please report it (HARNESS_DEBUG=1 shows the traceback)"
    )
