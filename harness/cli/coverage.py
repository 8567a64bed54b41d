"""`harness coverage`: what is judged and what is not, by official row and by requirement."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from io import StringIO
from typing import Any

from harness.config.paths import suites_dir
from harness.errors import ExitStatus, UsageError
from harness.reporting.coverage import (
    NO_CHECK,
    Coverage,
    CoveredRow,
    because,
    cover,
    folded,
    values,
)
from harness.reporting.coverage_page import markdown
from harness.spec.coverage import names, read
from harness.spec.regulatory import regulatory_set
from harness.spec.requirements import FAMILIES, catalogue

_DEFAULT = "smart-2.2.0"
_COLLECT = ("--ehr=reference", "--collect-only", "--assert=plain", "-p", "no:cacheprovider")
_WIDTH = 110
_INDENT = " " * 15
_EPILOG = """\
examples:
  harness coverage                           every official row, and what judges it or why none does
  harness coverage --missing                 only what no check judges, or only in part
  harness coverage --run epic-sandbox        with the verdicts of the latest run against that EHR
  harness coverage --markdown > docs/coverage.md

Nothing is sent: the checks are collected, not run.
"""


def register(subparsers: Any) -> None:
    """Add `coverage`."""
    parser = subparsers.add_parser(
        "coverage",
        help="say what is judged and what is not, and why",
        description="Every server-side SHALL of a specification with the checks that judge it, or "
        "why none does; and every requirement of the harness with its checks.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--spec", default=_DEFAULT, metavar="NAME", help=f"one of {', '.join(names())}"
    )
    parser.add_argument("--missing", action="store_true", help="only what is not wholly judged")
    parser.add_argument("--run", dest="run_name", metavar="RUN|NAME", help="add a run's verdicts")
    parser.add_argument("--reports", metavar="DIR", help="where reports are; default: reports/")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--markdown", action="store_true", help="print a Markdown page")
    parser.set_defaults(run=coverage)


def coverage(args: argparse.Namespace) -> int:
    """Print what is judged, and what is not."""
    official = read(args.spec)
    verdicts: Mapping[str, str] = {}
    if args.run_name:
        judged, verdicts = verdicts_of(args.run_name, args.reports, official.spec)
        if judged != official.version:
            sys.stderr.write(f"note: the run judged {official.title} {judged}\n")
    versions = replace(regulatory_set().versions, **{FAMILIES[official.spec]: official.version})
    found = cover(official, catalogue(), collected(), versions, verdicts)
    rows = found.missing if args.missing else found.rows
    if args.json:
        _print([json.dumps(values(found, rows), indent=2, ensure_ascii=False)])
    elif args.markdown:
        _print(markdown(found, rows, versions))
    else:
        _print(_text(found, rows, missing=args.missing))
    return ExitStatus.OK


def collected() -> dict[str, str]:
    """Every bundled check with the requirement that it verifies, by their ids.

    The plugin collects and proves them, as in a run; what they are stands in their mark.

    Raises:
        UsageError: they cannot be collected.
    """
    import pytest

    from harness.checks.words import MARK

    found: dict[str, str] = {}

    class Grab:
        def pytest_sessionfinish(self, session: pytest.Session) -> None:
            for item in session.items:
                for mark in item.iter_markers(MARK):
                    found[item.nodeid] = str(mark.args[0])

    said = StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        status = pytest.main([*_COLLECT, str(suites_dir())], plugins=[Grab()])
    if status or not found:
        lines = [line for line in said.getvalue().splitlines() if line.strip()]
        raise UsageError(
            f"the checks cannot be collected: {lines[-1] if lines else f'status {status}'}",
            hint="`pytest --ehr=reference --collect-only` says more",
        )
    return found


def verdicts_of(run: str, reports: str | None, spec: str) -> tuple[str, Mapping[str, str]]:
    """From the summary of a run: which version of a family it judged, and every verdict by check.

    Raises:
        UsageError: there is no such run, or its summary cannot be read.
    """
    from harness.reporting import folders

    file = folders.find(run, reports) / "summary.json"
    try:
        summary = json.loads(file.read_text(encoding="utf-8"))
        verdicts = {str(each["check"]): str(each["verdict"]) for each in summary["verdicts"]}
        return str(summary["specifications"][FAMILIES[spec]]), verdicts
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = type(error).__name__
        hint = "name a finished run"
        raise UsageError(f"{file}: no summary of a run: {reason}", hint=hint) from None


def _text(found: Coverage, rows: Iterable[CoveredRow], *, missing: bool) -> Iterator[str]:
    """Rows, then requirements, then the sums; `missing` leaves out what is verified."""
    official = found.official
    yield f"{official.title} {official.version}: rows of {official.official}"
    yield ""
    for each in rows:
        lines = folded(each.checks) or [because(each)]
        lines += [f"open: {each.row.open}"] if each.row.open else []
        number, row = f"@{each.row.number}", each.row
        yield from _entry(number, row.level, row.name, each.verdict, lines)
    requirements = found.unverified if missing else found.requirements
    if requirements:
        yield ""
        yield "requirements of the harness"
        yield ""
    for one in requirements:
        yield from _entry(
            "", one.level or "-", one.requirement.id, one.verdict, folded(one.checks) or [NO_CHECK]
        )
    yield ""
    yield str(found)
    verified = len(found.requirements) - len(found.unverified)
    yield f"{len(found.requirements)} requirements: {verified} verified by checks"


def _entry(
    number: str, level: str, name: str, verdict: str | None, lines: Iterable[str]
) -> Iterator[str]:
    said = f"  [{verdict}]" if verdict else ""
    yield f"{number:<5}{level:<10}{name}{said}"
    for line in lines:
        yield from textwrap.wrap(
            line, _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT,
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
