"""Grants at rest: encrypted, one row each, changed only by who saw the row's last version.

A rotating refresh token is worth nothing once two have used it, so each row can be leased, and
whoever refreshes holds the lease from reading the token to storing its successor. Every operation
is a transaction on a connection of its own: threads and processes may share the file. Who holds a
lease also keeps a file locked, which ends with its process, however that ends: so nobody waits for
the dead, and nobody takes a token out of the hands of the living.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import socket
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness.config.paths import make_private
from harness.config.secrets import Secret
from harness.errors import ConfigError
from harness.smart.stored import Access, Stored

if TYPE_CHECKING:
    # What encrypts is imported late: it takes a while, and a backend service has nothing to keep.
    from cryptography.fernet import MultiFernet

NEW_KEY = "harness login --new-vault-key"
"""The command that prints a fresh key."""

BUSY_SECONDS = 10.0
_HOST = socket.gethostname()
_SCHEMA = """
CREATE TABLE IF NOT EXISTS token (owner TEXT, client TEXT, login TEXT,
    version INTEGER NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (owner, client, login));
CREATE TABLE IF NOT EXISTS lease (owner TEXT, client TEXT, login TEXT, holder TEXT NOT NULL,
    host TEXT NOT NULL, pid INTEGER NOT NULL, until REAL NOT NULL,
    PRIMARY KEY (owner, client, login));
CREATE TABLE IF NOT EXISTS seal (one INTEGER PRIMARY KEY CHECK (one = 1), sealed BLOB NOT NULL)
"""
_SELECT_TOKEN = "SELECT version, sealed FROM token WHERE owner = ? AND client = ? AND login = ?"
_REPLACE_TOKEN = "INSERT OR REPLACE INTO token VALUES (?, ?, ?, ?, ?)"
_DELETE_TOKEN = "DELETE FROM token WHERE owner = ? AND client = ? AND login = ?"
_SELECT_LEASE = (
    "SELECT holder, host, pid, until FROM lease WHERE owner = ? AND client = ? AND login = ?"
)
_REPLACE_LEASE = "INSERT OR REPLACE INTO lease VALUES (?, ?, ?, ?, ?, ?, ?)"
_DELETE_LEASE = "DELETE FROM lease WHERE owner = ? AND client = ? AND login = ? AND holder = ?"


@dataclass(frozen=True, slots=True)
class Entry:
    """Whose token it is: owner (`tenant:NAME` or `ehr:NAME`), client and login."""

    owner: str
    client: str
    login: str

    def __str__(self) -> str:
        return f"{self.owner}/{self.client}/{self.login}"

    @property
    def row(self) -> tuple[str, str, str]:
        """The key of its rows."""
        return (self.owner, self.client, self.login)


def new_key() -> str:
    """A fresh vault key. A secret."""
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode("ascii")


class Vault:
    """The file of grants.

    Args:
        path: the file; made with mode 0600 in a directory of mode 0700.
        key: one Fernet key, or several separated by white space or commas: the first encrypts, all
            decrypt, so that keys can be changed.
        wall: real time in seconds since 1970, for leases; machines have to agree on it.
        host: name of this machine.

    Raises:
        ConfigError: the key is none, or not the one that the file was written with.
    """

    def __init__(
        self, path: Path, key: Secret, *, wall: Callable[[], float] = time.time, host: str = _HOST
    ) -> None:
        self._path = path
        self._fernet = _fernet(key)
        self._wall = wall
        self._host = host
        self._signs: dict[tuple[Entry, str], int] = {}
        self._create()

    def get(self, entry: Entry) -> Stored | None:
        """The token of `entry`; None where there is none.

        Raises:
            ConfigError: the row was not written with this key, or belongs to another entry.
        """
        with self._transaction() as db:
            return self._read(db, entry)

    def put(
        self,
        entry: Entry,
        refresh_token: str,
        *,
        now: datetime,
        scope: str | None = None,
        seed: str | None = None,
        access: Access | None = None,
        expected: int | None = None,
    ) -> Stored | None:
        """Store a new token, durably, before anybody uses what came with it.

        Args:
            entry: whose.
            refresh_token: the token.
            now: harness clock, UTC.
            scope: as granted.
            seed: see `Stored`.
            access: what came with it.
            expected: as `write`.

        Returns:
            As `write`.
        """
        stored = Stored(Secret(refresh_token), 0, now, scope, seed, access)
        return self.write(entry, stored, expected=expected)

    def write(self, entry: Entry, stored: Stored, *, expected: int | None) -> Stored | None:
        """Replace a row, durably.

        Args:
            entry: whose.
            stored: what to keep; its version does not count.
            expected: the version it replaces (0 for none); None replaces whatever is there.

        Returns:
            What is stored now; None when the row had changed meanwhile, and nothing was stored.
        """
        content = json.dumps({"entry": entry.row, **stored.as_json()})
        sealed = self._fernet.encrypt(content.encode())
        with self._transaction() as db:
            found = db.execute(_SELECT_TOKEN, entry.row).fetchone()
            version = found[0] if found else 0
            if expected is not None and expected != version:
                return None
            db.execute(_REPLACE_TOKEN, (*entry.row, version + 1, sealed))
        return replace(stored, version=version + 1)

    def delete(self, entry: Entry) -> bool:
        """Forget a token; whether there was one."""
        with self._transaction() as db:
            return db.execute(_DELETE_TOKEN, entry.row).rowcount > 0

    def lock(self, entry: Entry, holder: str, seconds: float) -> bool:
        """Lease `entry` to `holder`, or prolong its lease.

        Args:
            entry: what to lease.
            holder: unique to the session; the same holder may lease again.
            seconds: after which the lease ends by itself, should this whole machine be gone. On
                this machine it ends with its process, and not before.

        Returns:
            Whether the lease is the holder's now.
        """
        sign = self._signs.get((entry, holder))
        if sign is not None:
            return self._lease(entry, holder, seconds)
        sign, leased = self._sign_of_life(entry), False
        if sign is None:
            return False
        try:
            leased = self._lease(entry, holder, seconds)
        finally:
            if leased:
                self._signs[entry, holder] = sign
            else:
                os.close(sign)
        return leased

    def _lease(self, entry: Entry, holder: str, seconds: float) -> bool:
        """Write the row of a lease, unless another machine holds it; others here are dead."""
        now = self._wall()
        with self._transaction() as db:
            found = db.execute(_SELECT_LEASE, entry.row).fetchone()
            if found is not None and found[0] != holder:
                _, host, _, until = found
                if host != self._host and until > now:
                    return False
            row = (*entry.row, holder, self._host, os.getpid(), now + seconds)
            db.execute(_REPLACE_LEASE, row)
        return True

    def unlock(self, entry: Entry, holder: str) -> None:
        """End the holder's lease; another's stays."""
        sign = self._signs.pop((entry, holder), None)
        try:
            with self._transaction() as db:
                db.execute(_DELETE_LEASE, (*entry.row, holder))
        finally:
            if sign is not None:
                os.close(sign)

    def holder(self, entry: Entry) -> str | None:
        """Who leases `entry`, as `process 123 on host`; None where nobody does."""
        with self._transaction() as db:
            found = db.execute(_SELECT_LEASE, entry.row).fetchone()
        if found is None or (found[1] != self._host and found[3] <= self._wall()):
            return None
        return f"process {found[2]} on {found[1]}"

    def _sign_of_life(self, entry: Entry) -> int | None:
        """A locked file, which the kernel unlocks when its process ends; None if another has it."""
        name = hashlib.sha256("\0".join(entry.row).encode()).hexdigest()[:16]
        path = self._path.with_name(f"{self._path.name}.{name}.lock")
        try:
            flags = os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(path, flags, 0o600)
        except OSError as error:
            raise ConfigError(f"{path}: cannot be used as lock: {error.strerror}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return None
        return descriptor

    def _read(self, db: sqlite3.Connection, entry: Entry) -> Stored | None:
        found = db.execute(_SELECT_TOKEN, entry.row).fetchone()
        if found is None:
            return None
        content = json.loads(self._open(found[1]))
        if tuple(content["entry"]) != entry.row:
            raise ConfigError(f"{self._path}: the row of {entry} was written for another entry")
        return Stored.from_json(content, found[0])

    def _open(self, sealed: bytes) -> bytes:
        from cryptography.fernet import InvalidToken

        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken:
            raise ConfigError(
                f"{self._path}: cannot be read with this key",
                hint="give the key it was written with; several keys may be given, newest first",
            ) from None

    def _create(self) -> None:
        try:
            make_private(self._path.parent)
            # Opening a file that SQLite has open drops its locks when it is closed again.
            # https://www.sqlite.org/howtocorrupt.html section 2.2
            with suppress(FileExistsError):
                os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            if stat.S_IMODE(self._path.stat().st_mode) & 0o077:
                self._path.chmod(0o600)
        except OSError as error:
            raise ConfigError(f"{self._path}: cannot be used as vault: {error.strerror}") from None
        with self._transaction() as db:
            for statement in _SCHEMA.split(";"):
                db.execute(statement)
            found = db.execute("SELECT sealed FROM seal").fetchone()
            if found is None:
                db.execute("INSERT INTO seal VALUES (1, ?)", (self._fernet.encrypt(b"vault"),))
            else:
                self._open(found[0])

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            db = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
        except sqlite3.Error as error:
            raise ConfigError(f"{self._path}: cannot be opened as vault: {error}") from None
        try:
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA secure_delete = ON")
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            raise ConfigError(f"{self._path}: cannot be used as vault: {error}") from None
        finally:
            db.close()  # without COMMIT this rolls back


def _fernet(key: Secret) -> MultiFernet:
    from cryptography.fernet import Fernet, MultiFernet

    texts = key.reveal().replace(",", " ").split()
    try:
        keys = [Fernet(text) for text in texts]
    except ValueError:
        keys = []
    if not keys:
        raise ConfigError(
            "the vault key is no Fernet key: expected 32 bytes as base64url",
            hint=f"`{NEW_KEY}` prints one",
        )
    return MultiFernet(keys)
