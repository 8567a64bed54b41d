"""`harness ehrs`: list, check and write EHR files; print their schema."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.config import paths
from harness.config.draft import draft
from harness.config.ehr import EMBEDDED, EhrFile
from harness.config.load import ehr_at, load_ehr
from harness.config.readiness import Gap, gaps, skipped
from harness.config.schema import schema
from harness.config.secrets import Secrets
from harness.errors import ConfigError, EhrUnreachable, ExitStatus, UsageError

_COLUMNS = ("name", "title", "base", "auth", "environment", "permit", "ready")
_WIDEST = 56


def register(subparsers: Any) -> None:
    """Add `ehrs` and its subcommands."""
    parser = subparsers.add_parser(
        "ehrs",
        help="list, check and write EHR files",
        description="List the EHR files: those in ./fixtures/ehrs, then those that ship.",
        epilog="Next: `harness ehrs check NAME`, then `harness run --ehr=NAME`.",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=list_ehrs)
    under = parser.add_subparsers(title="subcommands", metavar="COMMAND")
    _register_check(under)
    _register_new(under)
    described = under.add_parser("schema", help="print the JSON Schema of EHR or tenant files")
    described.add_argument("kind", nargs="?", choices=("ehr", "tenant"), default="ehr")
    described.set_defaults(run=print_schema)


def _register_check(under: Any) -> None:
    check = under.add_parser(
        "check",
        help="say what is missing before a run wastes time",
        description="Check an EHR file: its form, its secrets, and with --online its endpoints. "
        "Status 0: ready. 4: something is missing. 6: the EHR does not answer.",
    )
    check.add_argument("name", metavar="NAME", help="an EHR file by NAME or path")
    check.add_argument("--online", action="store_true", help="ask the EHR for its endpoints, too")
    check.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")
    check.set_defaults(run=check_ehr)


def _register_new(under: Any) -> None:
    new = under.add_parser(
        "new",
        help="write an EHR file from discovery",
        description="Ask a server what it is, and write a commented EHR file to finish by hand.",
    )
    new.add_argument("name", metavar="NAME", help="lower-case letters, digits and hyphens")
    new.add_argument("--url", required=True, metavar="URL", help="base URL of the FHIR R4 API")
    new.add_argument(
        "--output", metavar="DIR", type=Path, default=Path("fixtures/ehrs"),
        help="folder to write to (default: %(default)s)",
    )  # fmt: skip
    new.set_defaults(run=new_ehr)


def list_ehrs(args: argparse.Namespace) -> int:
    """Print one row per EHR file; a file that cannot be read is named on standard error."""
    secrets = Secrets(os.environ)
    rows, broken = [], []
    for name in paths.names("ehrs"):
        try:
            rows.append(_row(load_ehr(name), secrets))
        except ConfigError as error:
            broken.append(str(error))
    if args.json:
        _print(json.dumps(rows, indent=2))
    else:
        _print(*_table(rows))
    for error_text in broken:
        sys.stderr.write(f"{error_text}\n")
    return ExitStatus.USAGE if broken else ExitStatus.OK


def check_ehr(args: argparse.Namespace) -> int:
    """Print what a run with this EHR file would lack."""
    ehr = load_ehr(args.name)
    secrets = Secrets(os.environ)
    missing = [asdict(each) for each in (*gaps(ehr, secrets), *_unusable_keys(ehr, secrets))]
    left_out = list(skipped(ehr))
    found, unreachable = _online(ehr, secrets) if args.online else (None, None)
    ready = not missing and unreachable is None and not (found and found["missing"])
    if args.json:
        report = {"name": ehr.name, "ready": ready, "missing": missing, "skipped": left_out}
        _print(json.dumps(report | {"online": found, "unreachable": unreachable}, indent=2))
    else:
        _print(f"{ehr.name}: {ehr.title}, {ehr.fhir_base}")
        _print(*(f"  missing  {each['path']}: {each['reason']}" for each in missing))
        if found is not None:
            _print(*(f"  online   {line}" for line in found["found"]))
            _print(*(f"  missing  {line}" for line in found["missing"]))
            _print(*(f"  note     {line}" for line in found["problems"]))
        if unreachable is not None:
            _print(f"  missing  {unreachable}")
        _print(*(f"  note     {line}" for line in left_out))
        _print(f"ready: {'yes' if ready else 'no'}")
    if missing or (found and found["missing"]):
        return ExitStatus.USAGE
    return ExitStatus.OK if unreachable is None else ExitStatus.UNREACHABLE


def new_ehr(args: argparse.Namespace) -> int:
    """Write a new EHR file from what the server at `--url` says."""
    if not paths.NAME.fullmatch(args.name):
        raise UsageError(
            f"{args.name!a} is no name for an EHR file",
            hint="lower-case letters, digits and hyphens, at most 63",
        )
    target = args.output / f"{args.name}.toml"
    if target.exists():
        raise UsageError(f"{target} exists", hint="choose another NAME, or remove the file first")
    from harness.cli.discovering import advertised

    text = draft(args.name, advertised(ehr_at(args.url)), datetime.now(UTC).date())
    try:
        args.output.mkdir(parents=True, exist_ok=True)
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"{target}: cannot be written: {error.strerror}") from None
    load_ehr(str(target))
    _print(f"wrote {target}", f"next: fill it in, then harness ehrs check {target}")
    return ExitStatus.OK


def print_schema(args: argparse.Namespace) -> int:
    """Print a published JSON Schema."""
    _print(json.dumps(schema(args.kind), indent=2))
    return ExitStatus.OK


def _unusable_keys(ehr: EhrFile, secrets: Secrets) -> Iterator[Gap]:
    """Private keys that are there but cannot sign."""
    from harness.smart.client_auth import signing_key

    for number, client in enumerate(ehr.clients):
        path = f"clients[{number}].key"
        if client.key is None or secrets.missing([(path, client.key)]):
            continue
        try:
            signing_key(client, secrets)
        except ConfigError as error:
            yield Gap(path, f"{client.key}: {error}")


def _online(ehr: EhrFile, secrets: Secrets) -> tuple[dict[str, list[str]] | None, str | None]:
    if ehr.name == EMBEDDED:
        return {"found": ["the run starts this EHR itself"], "missing": [], "problems": []}, None
    from harness.cli.discovering import survey

    try:
        return survey(ehr, secrets), None
    except EhrUnreachable as error:
        return None, str(error)


def _row(ehr: EhrFile, secrets: Secrets) -> dict[str, Any]:
    return {
        "name": ehr.name,
        "title": ehr.title,
        "base": ehr.fhir_base,
        "auth": ehr.auth.kind.value,
        "environment": ehr.environment.value,
        "permit": sorted(each.value for each in ehr.permit if ehr.permits(each)),
        "ready": not gaps(ehr, secrets),
    }


def _table(rows: Sequence[dict[str, Any]]) -> Iterable[str]:
    cells = [tuple(column.upper() for column in _COLUMNS)]
    cells += [tuple(_cell(row[column]) for column in _COLUMNS) for row in rows]
    widths = [max(len(line[number]) for line in cells) for number in range(len(_COLUMNS))]
    for line in cells:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        yield "  ".join(padded).rstrip()


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = ",".join(value) or "-" if isinstance(value, list) else str(value)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."


def _print(*lines: str) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
