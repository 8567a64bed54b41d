"""The options of the reference EHR, for `harness reference` and `python -m harness.reference`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from harness.errors import ExitStatus, UsageError
from harness.reference import faults, variants
from harness.reference.bulk.options import BulkOptions
from harness.reference.smart import DEFAULT_SMART, SmartVersion
from harness.reference.throttle import RetryAfter, Throttle

DEFAULT_PATIENTS = 20
DEFAULT_SEED = 1
_UNSAFE_SCHEMES = frozenset({"", "javascript", "data", "vbscript", "file", "blob", "about"})


@dataclass(frozen=True, slots=True)
class Settings:
    """What a reference EHR is started with; see `add_options` for each."""

    host: str
    port: int
    public_url: str | None
    patients: int
    seed: int
    faults: frozenset[str]
    variants: frozenset[str]
    throttle: Throttle
    redirect_uris: tuple[str, ...]
    launch_uris: tuple[str, ...]
    smart: SmartVersion
    env_file: Path | None
    data: Path | None
    verbose: bool
    bulk: BulkOptions
    notify: tuple[str, ...] = ()


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    add = parser.add_argument
    add("--port", type=int, default=0, metavar="N", help="port; 0 takes a free one (default)")
    add("--host", default="127.0.0.1", metavar="ADDRESS", help="address (default: %(default)s)")
    add("--public-url", metavar="URL", help="what clients see, when a proxy is in front")
    text = "how many synthetic patients (default: %(default)s)"
    add("--patients", type=int, default=DEFAULT_PATIENTS, metavar="N", help=text)
    text = "equal seeds give equal patients (default: %(default)s)"
    add("--seed", type=int, default=DEFAULT_SEED, metavar="N", help=text)
    text = "keep what is written in this file, and go on from it (default: in memory)"
    add("--data", type=Path, metavar="FILE", help=text)
    text = "one more redirect URI for the clients; repeatable"
    add("--redirect-uri", action="append", default=[], metavar="URI", help=text)
    text = "one more launch URI for the clients; repeatable"
    add("--launch-uri", action="append", default=[], metavar="URI", help=text)
    text = "an origin that Subscriptions may notify, beside loopback; repeatable"
    add("--notify", action="append", default=[], metavar="ORIGIN", help=text)
    versions = [each.value for each in SmartVersion]
    text = "version of SMART App Launch (default: %(default)s)"
    add("--smart", choices=versions, default=DEFAULT_SMART.value, help=text)
    text = "write the credentials there as export lines, readable by you only"
    add("--env-file", type=Path, metavar="FILE", help=text)
    add("--verbose", action="store_true", help="name each request on standard error")
    add("--fault", action="append", default=[], metavar="NAME", help="a fault to have; repeatable")
    add("--list-faults", action="store_true", help="say which faults there are, and end")
    text = "a liberty of the specifications to take; repeatable"
    add("--variant", action="append", default=[], metavar="NAME", help=text)
    text = "say which variants there are, and end"
    add("--list-variants", action="store_true", help=text)
    add("--json", action="store_true", help="with --list-faults or --list-variants: as JSON")
    add("--rate", type=float, metavar="R", help="FHIR requests per second before 429; no limit")
    add("--burst", type=int, metavar="B", help="with --rate: how many at once (default: 1)")
    kinds = [each.value for each in RetryAfter]
    text = "how a 429 says when to come back (default: %(default)s)"
    add("--retry-after", choices=kinds, default=RetryAfter.SECONDS.value, help=text)
    text = "how Bulk Data is exported, such as polls=3 or presigned=true; repeatable: {}"
    known = ", ".join(one.name for one in fields(BulkOptions))
    add("--bulk", action="append", default=[], metavar="NAME=VALUE", help=text.format(known))


def settings(args: argparse.Namespace) -> Settings:
    """Checks the parsed options.

    Raises:
        UsageError: a value is out of range, or a fault or variant is not known.
    """
    if args.patients < 1:
        raise UsageError(f"--patients must be at least 1, not {args.patients}")
    for option, uris in (("redirect", args.redirect_uri), ("launch", args.launch_uri)):
        for uri in uris:
            if urlsplit(uri).scheme in _UNSAFE_SCHEMES or urlsplit(uri).fragment:
                raise UsageError(f"--{option}-uri {uri!r} is no absolute URI without a fragment")
    try:
        throttle = Throttle.checked(args.rate, args.burst, args.retry_after)
    except ValueError as error:
        raise UsageError(f"--rate, --burst: {error}") from error
    return Settings(
        host=args.host,
        port=args.port,
        public_url=_public_url(args.public_url),
        patients=args.patients,
        seed=args.seed,
        faults=faults.known(args.fault),
        variants=variants.known(args.variant),
        throttle=throttle,
        redirect_uris=tuple(args.redirect_uri),
        launch_uris=tuple(args.launch_uri),
        smart=SmartVersion(args.smart),
        env_file=args.env_file,
        data=args.data,
        verbose=args.verbose,
        bulk=_bulk(args.bulk),
        notify=tuple(map(_origin, args.notify)),
    )


def run(args: argparse.Namespace) -> int:
    """Lists faults or variants, or serves until told to end; returns the exit status."""
    if args.list_faults:
        sys.stdout.write(_faults(as_json=args.json))
        return ExitStatus.OK
    if args.list_variants:
        sys.stdout.write(_variants(as_json=args.json))
        return ExitStatus.OK
    if args.json:
        raise UsageError("--json goes with --list-faults or --list-variants")
    checked = settings(args)
    from harness.reference.serve import serve

    return serve(checked)


def _bulk(given: Iterable[str]) -> BulkOptions:
    values: dict[str, Any] = {}
    for text in given:
        name, _, value = text.partition("=")
        try:
            values[name] = json.loads(value)
        except ValueError:
            values[name] = value
    try:
        return BulkOptions.checked(values)
    except ValueError as error:
        raise UsageError(f"--bulk: {error}") from error


def _origin(text: str) -> str:
    from harness.reference.push.wanted import origin

    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
        raise UsageError(f"--notify {text!r} is no origin such as https://app.example")
    return origin(parts)


def _public_url(text: str | None) -> str | None:
    if text is None:
        return None
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise UsageError(f"--public-url {text!r} is no http(s) URL without query and fragment")
    return text.rstrip("/")


def _faults(*, as_json: bool) -> str:
    found = faults.catalogue().values()
    if as_json:
        return _json(found)
    rows = []
    for fault in found:
        untripped = "" if fault.trips else " (tripping nothing yet)"
        rows.append((fault.part, fault.name, f"{fault.cause}{untripped}"))
    return _by_part(rows)


def _variants(*, as_json: bool) -> str:
    found = variants.catalogue().values()
    if as_json:
        return _json(found)
    return _by_part([(each.part, each.name, each.difference) for each in found])


def _json(found: Iterable[Any]) -> str:
    from dataclasses import asdict

    return json.dumps([asdict(each) for each in found], indent=2) + "\n"


def _by_part(rows: list[tuple[str, str, str]]) -> str:
    """Rows of part, name and sentence, with a heading for each part."""
    width = max(len(name) for _, name, _ in rows)
    lines: list[str] = []
    part = ""
    for each, name, sentence in rows:
        if each != part:
            part = each
            lines += ["", part] if lines else [part]
        lines.append(f"  {name:{width}}  {sentence}")
    return "\n".join(lines) + "\n"
