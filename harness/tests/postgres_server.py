"""A server of PostgreSQL for the tests: on loopback, with a password, gone when they end."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest

_PLACES = ("/usr/lib/postgresql", "/usr/pgsql", "/opt/homebrew/opt", "/usr/local/opt")
_SETTINGS = (
    "-c unix_socket_directories= -c fsync=off -c max_connections=60 -c log_min_messages=panic"
)
USER = "harness"


@dataclass
class Server:
    """One that runs.

    Attributes:
        folder: data and log.
        port: on 127.0.0.1.
        password: of `USER`.
    """

    folder: Path
    port: int
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://{USER}:{quote(self.password)}@127.0.0.1:{self.port}/{database}"

    def run(self, tool: str, *words: str) -> None:
        """One of the server's own commands, as a user who may run it."""
        account = _account()
        done = subprocess.run(
            [_tool(tool), "-D", str(self.folder / "data"), *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
            check=False,
            user=None if account is None else account.pw_uid,
            group=None if account is None else account.pw_gid,
        )
        assert done.returncode == 0, done.stdout.decode()

    def start(self) -> None:
        options = f"-h 127.0.0.1 -p {self.port} {_SETTINGS}"
        self.run("pg_ctl", "-w", "-s", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        """At once, as a crash would; committed data is recovered at the next start."""
        self.run("pg_ctl", "-s", "-m", "immediate", "stop")


def available() -> bool:
    """Whether a server can be started here."""
    return _tool("initdb") != "" and (os.geteuid() != 0 or _account() is not None)


@contextmanager
def running() -> Iterator[Server]:
    """A fresh server, in a folder of its own."""
    if not available():
        pytest.skip("there is no PostgreSQL here (initdb); HARNESS_TEST_POSTGRES may name a server")
    with tempfile.TemporaryDirectory(prefix="harness-pg-") as name:
        folder = Path(name)
        server = Server(folder, _free_port())
        account = _account()
        word = folder / "word"
        word.write_text(server.password)
        if account is not None:
            for each in (folder, word):
                os.chown(each, account.pw_uid, account.pw_gid)
        server.run(
            "initdb",
            *("-U", USER, "--auth=scram-sha-256", f"--pwfile={word}"),
            *("-E", "UTF8", "--no-locale", "--no-sync"),
        )
        server.start()
        try:
            yield server
        finally:
            server.stop()


def drop(url: str, schema: str) -> None:
    """Let nothing of a test remain."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE'.encode())


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is not None:
        return found
    places = (
        path
        for place in _PLACES
        for path in sorted(Path(place).glob(f"*/bin/{name}"), reverse=True)
        if os.access(path, os.X_OK)
    )
    return str(next(places, ""))


def _account() -> pwd.struct_passwd | None:
    """Whom to run a server as: it refuses to run as root; None for whoever we are."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port: int = listener.getsockname()[1]
    return port
