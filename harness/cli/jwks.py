"""`harness jwks`: make the signing keys of a client, show or serve their public half."""

from __future__ import annotations

import argparse
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.cli.jwks_server import PATH, server_of
from harness.config.ehr import ClientAuth
from harness.config.load import load_ehr
from harness.config.paths import data_dir
from harness.config.secrets import Secrets
from harness.errors import ConfigError, ExitStatus, UsageError
from harness.smart.client_auth import signing_key
from harness.smart.keys import generate, private_jwk, public_jwks, published

MAX_BYTES = 256 * 1024

_NEW = """\
Makes a signing key for a client that authenticates with private_key_jwt. The private JWK goes to a
file that only you can read; standard output gets the public JWK Set, to register at the EHR.

In the EHR file the key is named by   key = "file:PATH"
"""
_SHOW = """\
Prints the public JWK Set of a file (JWK, JWK Set or PEM, private or public), or that of the clients
of an EHR file that authenticate with private_key_jwt. No private member is ever printed.
"""
_SERVE = f"""\
Serves the public JWK Set of a file at {PATH}, for a registration by URL, until Ctrl-C. It listens
on this machine alone unless --host says otherwise; put a proxy with TLS before it to publish it.
"""


def register(subparsers: Any) -> None:
    """Add `jwks new`, `jwks show` and `jwks serve`."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = subparsers.add_parser("jwks", help="make signing keys, show or serve the public set")
    actions = parser.add_subparsers(title="commands", metavar="COMMAND")
    new = actions.add_parser(
        "new", help="make a signing key", description=_NEW, formatter_class=raw
    )
    new.add_argument("--alg", default="RS384", choices=("RS384", "ES384"), help="default: RS384")
    new.add_argument("--output", type=Path, metavar="FILE", help="default: among private data")
    new.set_defaults(run=_new)
    show = actions.add_parser(
        "show", help="print the public key set", description=_SHOW, formatter_class=raw
    )
    show.add_argument("file", nargs="?", metavar="FILE", help="keys: JWK, JWK Set or PEM")
    show.add_argument("--ehr", metavar="NAME", help="the clients of an EHR file")
    show.set_defaults(run=_show)
    serve = actions.add_parser(
        "serve", help="serve the public key set", description=_SERVE, formatter_class=raw
    )
    serve.add_argument("file", metavar="FILE", help="keys: JWK, JWK Set or PEM")
    serve.add_argument("--port", type=_port, default=8766, metavar="N", help="0 takes a free one")
    serve.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1")
    serve.set_defaults(run=_serve)


def _new(args: argparse.Namespace) -> int:
    key = generate(args.alg)
    path = args.output or data_dir() / "keys" / f"{key.kid}.json"
    _write_private(path, f"{private_jwk(key)}\n")
    sys.stderr.write(f'kid: {key.kid}\nprivate key, for the EHR file: key = "file:{path}"\n')
    _print(public_jwks([key]))
    return ExitStatus.OK


def _show(args: argparse.Namespace) -> int:
    if (args.file is None) == (args.ehr is None):
        raise UsageError("harness jwks show: expected either FILE or --ehr NAME")
    _print(_of_ehr(args.ehr) if args.file is None else _of_file(args.file))
    return ExitStatus.OK


def _serve(args: argparse.Namespace) -> int:
    jwks = _of_file(args.file)
    with server_of(jwks, args.host, args.port) as server:
        host = f"[{args.host}]" if ":" in args.host else args.host
        sys.stderr.write(
            f"serving {len(jwks['keys'])} public keys at "
            f"http://{host}:{server.server_port}{PATH}; Ctrl-C ends it\n"
        )
        sys.stderr.flush()
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            sys.stderr.write("\n")
    return ExitStatus.OK


def _of_file(name: str) -> dict[str, Any]:
    """The public keys of a file; one that is public may be open to everybody."""
    try:
        with Path(name).open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a possible path"
        raise UsageError(f"{name}: cannot be read: {reason}") from None
    if len(raw) > MAX_BYTES:
        raise UsageError(f"{name}: larger than {MAX_BYTES} bytes")
    try:
        return published(raw.decode())
    except (UnicodeDecodeError, ConfigError) as error:
        reason = str(error) if isinstance(error, ConfigError) else "expected UTF-8 text"
        raise ConfigError(f"{name}: {reason}") from None


def _of_ehr(name: str) -> dict[str, Any]:
    ehr, secrets = load_ehr(name), Secrets(os.environ)
    signing = [each for each in ehr.clients if each.auth is ClientAuth.PRIVATE_KEY_JWT]
    if not signing:
        raise ConfigError(f"{ehr.name}: no client has auth private_key_jwt")
    keys = {key.kid: key for key in (signing_key(client, secrets) for client in signing)}
    return public_jwks(keys.values())


def _write_private(path: Path, text: str) -> None:
    """Make a file of mode 0600; one that is there is never written over."""
    try:
        with suppress(FileExistsError):  # what is there and is no folder is told by opening
            path.parent.mkdir(mode=0o700, parents=True)
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(
            f"{path}: is there already, and is not written over", hint="choose another --output"
        ) from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from None


def _print(jwks: dict[str, Any]) -> None:
    sys.stdout.write(f"{json.dumps(jwks, indent=2)}\n")


def _port(text: str) -> int:
    port = int(text) if text.isascii() and text.isdigit() else -1
    if not 0 <= port <= 65535:  # noqa: PLR2004 - the range of ports
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, got {text!r}")
    return port
