"""The SQLite file under a store: permissions, pragmas, migrations, transactions.

WAL lets `harness sync status` read while a run writes. `synchronous=FULL` because what a run
reports as stored must survive a power cut as well as a kill; a page of a hundred resources still
commits in a few milliseconds, far below the pace at which any EHR lets pages be read.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from harness.config.paths import make_private
from harness.errors import ConfigError

BUSY_SECONDS = 30.0
CACHE_KIB = 16384
"""Memory for pages of the file: enough for the upper levels of the indexes of a large store."""


def connect(path: Path) -> sqlite3.Connection:
    """Open the file at `path`, made if need be (0600 in a 0700 folder) and migrated.

    The connection may move between threads, but only one may use it at a time.

    Raises:
        ConfigError: others can enter the folder, the file is no store, or a newer version made it.
    """
    _make_private(path)
    try:
        connection = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        _migrate(connection, path)
    except sqlite3.DatabaseError as error:
        raise ConfigError(
            f"{path}: expected a store of the harness, got: {error}",
            hint="move the file away; the next sync fetches everything again",
        ) from error
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All or nothing; takes the write lock at once, so that what is read inside stays true."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _make_private(path: Path) -> None:
    folder = path.parent
    make_private(folder)
    if stat.S_IMODE(folder.stat().st_mode) & 0o077:
        raise ConfigError(
            f"{folder}: expected a folder that only its owner can enter, for it will hold PHI",
            hint=f"chmod 700 {folder}",
        )
    # An existing file is never opened here: closing any descriptor of it would drop the POSIX locks
    # that SQLite holds for other connections of this process, and with them its write-ahead log.
    # https://www.sqlite.org/howtocorrupt.html section 2.2
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        if path.is_symlink() or not path.is_file():
            raise ConfigError(f"{path}: expected a file, as the store of a tenant") from None
        path.chmod(0o600)


def _migrations() -> list[tuple[int, str]]:
    """The numbered files of `migrations/`, in order."""
    found = (files("harness.sync") / "migrations").iterdir()
    named = sorted((each.name, each.read_text("utf-8")) for each in found)
    return [(int(name[:4]), text) for name, text in named if name.endswith(".sql")]


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    steps = _migrations()
    with transaction(connection):
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > steps[-1][0]:
            raise ConfigError(
                f"{path}: made by a newer harness: schema {version}, known is {steps[-1][0]}",
                hint="update the harness",
            )
        for number, text in steps:
            if number > version:
                for statement in _statements(text):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number}")


def _statements(text: str) -> Iterator[str]:
    """The statements of a script one by one: `executescript` would commit what is open."""
    pending = ""
    for line in text.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
