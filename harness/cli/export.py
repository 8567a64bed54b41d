"""`harness sync export`: what a tenant's store holds, as NDJSON or Parquet."""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.config import paths
from harness.config.tenant import Tenant, load_tenant
from harness.errors import ExitStatus, UsageError
from harness.sync.answers.stamps import earliest

if TYPE_CHECKING:
    from harness.sync.store.export import Exported, Format
    from harness.sync.store.store import Store

_HELP = """\
Writes what the tenant's store holds to DIR, one file per resource type: TYPE.ndjson with each
resource exactly as the EHR sent it, or TYPE.parquet with its metadata, and for Observations code,
value, unit and time, in columns of their own. A file that is there already is replaced when its
successor is whole. Nothing is asked of the EHR, and a sync may run meanwhile.

WHAT IS WRITTEN IS PHI: health data of people who can be identified. The files are readable by you
alone (mode 0600); keep DIR on an encrypted disk, do not commit or mail it, and delete it when it
has served. It may not lie under the folder of reports, which are shown around.

Status 0: all was written. 7: the store holds types that are no names of resource types; those were
left out, and are said.
"""


def register(subparsers: Any) -> None:
    """Add `export` to the subcommands of `sync`."""
    parser = subparsers.add_parser(
        "export",
        help="write what a tenant's store holds as NDJSON or Parquet (PHI)",
        description=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--tenant", required=True, metavar="T", help="a tenant file by NAME or path"
    )
    parser.add_argument("--to", required=True, metavar="DIR", type=Path, help="where files go")
    parser.add_argument("--format", choices=("ndjson", "parquet"), default="ndjson")
    parser.add_argument(
        "--type",
        action="append",
        default=[],
        metavar="TYPE",
        help="only this type; may be repeated",
    )
    parser.add_argument(
        "--patient", action="append", default=[], metavar="ID", help="only this patient; repeatable"
    )
    parser.add_argument(
        "--since",
        type=_moment,
        metavar="TIME",
        help="only what runs took over or found to be gone since then; ISO 8601, by default in UTC",
    )
    parser.add_argument(
        "--deleted",
        action="store_true",
        help="also what is gone from the EHR: in Parquet as rows with deleted = true, in NDJSON a"
        " Bundle with a DELETE for each, in deleted.ndjson, as Bulk Data has it",
    )
    parser.add_argument("--gzip", action="store_true", help="compress NDJSON, to TYPE.ndjson.gz")
    parser.add_argument("--json", action="store_true", help="print what was written as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """`harness sync export`."""
    from harness.sync.store.export import Selection, export

    tenant = load_tenant(args.tenant)
    folder = _folder(args.to)
    form = _format(args.format, packed=args.gzip)
    selection = Selection(tuple(args.type), tuple(args.patient), args.since, args.deleted)
    with _store(tenant) as store:
        written, strange = export(store.connection, selection, folder, form)
    _tell(written, as_json=args.json)
    for each in strange:
        sys.stderr.write(f"harness sync export: left out: {each!a} is no name of a resource type\n")
    return ExitStatus.INCOMPLETE if strange else ExitStatus.OK


def _store(tenant: Tenant) -> Store:
    from harness.sync.store.places import place_of
    from harness.sync.store.store import Store

    place = place_of(tenant, os.environ)
    if not place.exists():
        raise UsageError(
            f"tenant {tenant.name}: there is no store to export yet",
            hint=f"harness sync run --tenant {tenant.name}",
        )
    return Store(place)


def _folder(given: Path) -> Path:
    folder = given.expanduser().absolute()
    reports = paths.reports_dir().resolve()
    if folder.resolve().is_relative_to(reports):
        raise UsageError(
            f"--to: expected a folder outside {reports}: an export is PHI, reports are shown around"
        )
    return folder


def _format(name: str, *, packed: bool) -> Format:
    from harness.sync.store.export import Format, ndjson

    if name == "ndjson":
        return ndjson(packed=packed)
    if packed:
        raise UsageError("--gzip: Parquet is compressed already", hint="leave --gzip out")
    try:
        from harness.sync.store.parquet import Parquet
    except ImportError:
        raise UsageError(
            "--format parquet needs the package pyarrow", hint="pip install 'fhir-harness[export]'"
        ) from None
    return Format("parquet", Parquet)


def _moment(text: str) -> datetime:
    moment = earliest(text)
    if moment is None:
        raise argparse.ArgumentTypeError(f"expected a date or time in ISO 8601, got {text!r}")
    return moment


def _tell(written: tuple[Exported, ...], *, as_json: bool) -> None:
    if as_json:
        found = [{"file": str(each.path), "resources": each.resources} for each in written]
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return
    for each in written:
        sys.stdout.write(f"{each.resources:>9} {each.path}\n")
