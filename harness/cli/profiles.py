"""`harness profiles`: derive the tables of FHIR definitions, and install further packages."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from harness.profiles.install import Installed

_BUILD = """\
Reduces packages of FHIR definitions (.tgz files, or folders where such a file was unpacked) to the
tables that validation and the suites read. With --check nothing is written: the tables that are
there are compared, and what differs is listed (status 1).

  harness profiles build hl7.fhir.r4.core-4.0.1.tgz hl7.fhir.us.core-6.1.0.tgz --check
"""
_INSTALL = """\
Puts a package of FHIR R4 definitions where `harness validate --package` and other FHIR tools look
for it: ~/.fhir/packages, or $HARNESS_FHIR_CACHE. FHIR R4 and US Core ship with the harness and need
no installation.

  harness profiles install hl7.fhir.us.davinci-pdex#2.0.0
  harness profiles install hl7.fhir.uv.ips                     the latest
  harness profiles install hl7.fhir.us.core#6.1.x              the newest of a minor version
  harness profiles install --from package.tgz                  a file, a folder or a URL

It asks packages.fhir.org, then packages2.fhir.org, or $FPL_REGISTRY alone, to which
$FPL_REGISTRY_TOKEN is sent and to no other.
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
    install = actions.add_parser(
        "install", help="install a package", description=_INSTALL, formatter_class=raw
    )
    install.add_argument("package", nargs="?", metavar="NAME#VERSION")
    install.add_argument("--from", dest="place", metavar="PLACE", help="a file, a folder or a URL")
    install.add_argument("--replace", action="store_true", help="replace one that is there")
    install.add_argument("--ca-file", type=Path, metavar="FILE", help="trust these as well")
    install.add_argument("--proxy", metavar="URL", help="ask through this proxy")
    install.set_defaults(run=_install)


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


def _install(args: argparse.Namespace) -> int:
    from harness.profiles.install import cache_of, install, installed, reference

    if args.package is None and args.place is None:
        raise UsageError("harness profiles install: expected NAME#VERSION or --from PLACE")
    cache = cache_of()
    wanted = reference(args.package) if args.package else None
    there = installed(*wanted, cache) if wanted else None
    if there and not args.replace:
        sys.stdout.write(f"{there}: is there already\n")
        return ExitStatus.OK
    if args.place and "://" not in args.place:
        place = Path(args.place)
        if not place.exists():
            raise UsageError(f"{place}: no such file or folder")
        _tell(install(place, cache, wanted=wanted, replace=args.replace))
    else:
        with tempfile.TemporaryDirectory(prefix="harness-") as folder:
            archive = Path(folder) / "package.tgz"
            found = _fetched(args, wanted, archive)
            _tell(install(archive, cache, wanted=found, replace=args.replace))
    return ExitStatus.OK


def _fetched(
    args: argparse.Namespace, wanted: tuple[str, str] | None, archive: Path
) -> tuple[str, str] | None:
    """Fetch the archive; name and exact version that it has to have, where they are known."""
    import anyio

    from harness.config.ehr import Tls
    from harness.profiles.registry import download, download_url, registries

    async def run() -> tuple[str, str] | None:
        asked = registries(os.environ)
        tls = Tls(ca_file=args.ca_file, proxy=args.proxy)
        if args.place:
            await download_url(args.place, archive, asked, tls=tls, told=_progress)
            return wanted
        if wanted is None:
            return None
        name, version = wanted
        return name, await download(name, version, archive, asked, tls=tls, told=_progress)

    try:
        return anyio.run(run)
    finally:
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")


def _progress(size: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[Kfetching: {size / 1e6:.1f} MB")
        sys.stderr.flush()


def _tell(done: Installed) -> None:
    from harness.profiles.library import at_hand

    sys.stdout.write(f"{done.folder}\n")
    if done.warning:
        sys.stderr.write(f"warning: {done.warning}\n")
    missing = [
        f"{name}#{version}"
        for name, version in sorted(done.manifest.dependencies.items())
        if not at_hand(name, version)
    ]
    if missing:
        sys.stderr.write(
            "it builds on packages that are not here; what they define is not checked: "
            f"{', '.join(missing)}\n"
        )
