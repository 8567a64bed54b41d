"""A store in a file of SQLite: permissions, pragmas, transactions, signs of life.

WAL lets `harness sync status` read while a run writes. `synchronous=FULL` because what a run
reports as stored must survive a power cut as well as a kill. Amid a run nothing is reported yet:
with `NORMAL` no commit waits for the disk, and a power cut leaves the store as it was at one of
them (https://www.sqlite.org/wal.html#performance_considerations).
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.config.paths import make_private
from harness.errors import ConfigError
from harness.sync.store.database import StoreLost, migrations_after

BUSY_SECONDS = 30.0
PAGE_BYTES = 16384
"""Of a file that is made: a dozen resources lie on a page, and few on more than one."""

CACHE_KIB = 16384
"""Memory for pages of the file: enough for the upper levels of the indexes of a large store."""


class Sqlite(sqlite3.Connection):
    """The open file; a `Database`.

    Attributes:
        path: where it is.
    """

    path: Path

    @contextmanager
    def transaction(self) -> Iterator[Sqlite]:
        """All or nothing; takes the write lock at once, so that what is read inside stays true."""
        try:
            self.execute("BEGIN IMMEDIATE")
            try:
                yield self
                self.execute("COMMIT")
            except BaseException:
                # A full disk has rolled back already, and then there is nothing to roll back.
                with suppress(sqlite3.OperationalError):
                    self.execute("ROLLBACK")
                raise
        except sqlite3.OperationalError as error:
            raise StoreLost(
                f"{self.path}: the store cannot be written: {error}",
                hint="what was committed stays; the next run goes on there",
            ) from error

    @contextmanager
    def snapshot(self) -> Iterator[Sqlite]:
        """Let all that is read inside be of one moment, whatever others write meanwhile."""
        self.execute("BEGIN")
        try:
            yield self
        finally:
            self.execute("ROLLBACK")

    @contextmanager
    def hurried(self) -> Iterator[None]:
        """Let commits inside not wait for the disk, which puts them down in their order.

        Nor is the run that each row names looked up with every row: it is the one that writes them,
        and looking takes a tenth of the store's time.
        """
        self.be_strict(on=False)
        try:
            yield
        finally:
            self.be_strict(on=True)

    def be_strict(self, *, on: bool) -> None:
        """Let each commit wait for the disk, and look up what each row refers to."""
        self.execute(f"PRAGMA synchronous = {'FULL' if on else 'NORMAL'}")
        self.execute(f"PRAGMA foreign_keys = {'ON' if on else 'OFF'}")

    def stream(self, statement: str, values: Sequence[Any] = (), /) -> Iterator[Any]:
        """The rows of a query as it stood when it began, however many, in little memory."""
        return self.execute(statement, values)

    @contextmanager
    def alive(self, job: str) -> Iterator[bool]:
        """A file that is locked as long as this process lives: the kernel frees it at any end."""
        path = self.path.with_name(f"{self.path.name}.{job}.lock")
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield False
            else:
                yield True
        finally:
            os.close(descriptor)


@dataclass(frozen=True, slots=True)
class SqliteFile:
    """A file that holds one tenant's store; a `Place`."""

    path: Path

    def exists(self) -> bool:
        """Whether the file is there."""
        return self.path.exists()

    def connect(self) -> Sqlite:
        """Open the file, made if need be (0600 in a 0700 folder) and migrated.

        The connection may move between threads, but only one may use it at a time.

        Raises:
            ConfigError: others can enter the folder, the file is no store, or a newer version made
                it.
        """
        _make_private(self.path)
        try:
            connection = sqlite3.connect(
                self.path,
                timeout=BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
                factory=Sqlite,
            )
            connection.path = self.path
            connection.row_factory = sqlite3.Row
            connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.be_strict(on=True)
            # What a statement would have to undo, a page of the file each; else it goes to a file.
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            _migrate(connection)
        except sqlite3.DatabaseError as error:
            raise ConfigError(
                f"{self.path}: expected a store of the harness, got: {error}",
                hint="move the file away; the next sync fetches everything again",
            ) from error
        return connection


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


def _migrate(connection: Sqlite) -> None:
    with connection.transaction():
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        for number, statements in migrations_after(version, str(connection.path)):
            for statement in statements:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
