"""Refresh tokens at rest: encrypted, one row each, changed only by who saw the row's last version.

A rotating refresh token is worth nothing once two have used it, so each row can be leased, and
whoever refreshes holds the lease from reading the token to storing its successor. Every operation
is a transaction on a connection of its own: threads and processes may share the file.
"""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from harness.config.secrets import Secret
from harness.errors import ConfigError, UsageError

BUSY_SECONDS = 10.0
_HOST = socket.gethostname()
_SCHEMA = """
CREATE TABLE IF NOT EXISTS token (
  owner TEXT, client TEXT, login TEXT, version INTEGER NOT NULL, sealed BLOB NOT NULL,
  PRIMARY KEY (owner, client, login));
CREATE TABLE IF NOT EXISTS lease (
  owner TEXT, client TEXT, login TEXT, holder TEXT NOT NULL, host TEXT NOT NULL,
  pid INTEGER NOT NULL, until REAL NOT NULL, PRIMARY KEY (owner, client, login));
CREATE TABLE IF NOT EXISTS seal (one INTEGER PRIMARY KEY CHECK (one = 1), sealed BLOB NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """Whose token it is: owner (`tenant:NAME` or `ehr:NAME`), client and login."""

    owner: str
    client: str
    login: str

    def __str__(self) -> str:
        return f"{self.owner}/{self.client}/{self.login}"

    @property
    def _row(self) -> tuple[str, str, str]:
        return (self.owner, self.client, self.login)


@dataclass(frozen=True, slots=True)
class Stored:
    """One refresh token as it was stored.

    Attributes:
        refresh_token: the token.
        version: counts the changes of the row, from 1.
        stored_at: UTC.
        scope: as granted; None where the server did not say.
        seed: digest of the reference that it was first taken from; None after a login.
    """

    refresh_token: Secret
    version: int
    stored_at: datetime
    scope: str | None = None
    seed: str | None = field(repr=False, default=None)


def new_key() -> str:
    """A fresh vault key. A secret."""
    return Fernet.generate_key().decode("ascii")


class Vault:
    """The file of refresh tokens.

    Args:
        path: the file; made with mode 0600 in a directory of mode 0700.
        key: one Fernet key, or several separated by white space or commas: the first encrypts, all
            decrypt, so that keys can be changed.
        wall: real time in seconds since 1970, for leases; processes have to agree on it.

    Raises:
        ConfigError: the key is none, or not the one that the file was written with.
    """

    def __init__(self, path: Path, key: Secret, *, wall: Callable[[], float] = time.time) -> None:
        self._path = path
        self._fernet = _fernet(key)
        self._wall = wall
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
        expected: int | None = None,
    ) -> Stored | None:
        """Store a token, durably, before anybody uses what came with it.

        Args:
            entry: whose.
            refresh_token: the token.
            now: harness clock, UTC.
            scope: as granted.
            seed: see `Stored`.
            expected: the version it replaces (0 for none); None replaces whatever is there.

        Returns:
            What is stored now; None when the row had changed meanwhile, and nothing was stored.
        """
        content = {
            "entry": entry._row,  # noqa: SLF001 - binds the secret to its row
            "token": refresh_token,
            "at": now.timestamp(),
            "scope": scope,
            "seed": seed,
        }
        sealed = self._fernet.encrypt(json.dumps(content).encode())
        with self._transaction() as db:
            found = db.execute(f"SELECT version FROM token {_WHERE}", entry._row).fetchone()  # noqa: S608, SLF001 - constant
            version = found[0] if found else 0
            if expected is not None and expected != version:
                return None
            db.execute(
                "INSERT OR REPLACE INTO token VALUES (?, ?, ?, ?, ?)",
                (*entry._row, version + 1, sealed),  # noqa: SLF001 - as above
            )
        return Stored(Secret(refresh_token), version + 1, now, scope, seed)
